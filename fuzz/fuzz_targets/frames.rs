//! What it is: libFuzzer's way into `fuzz::frames`; built without it, a replay of the files and folders given.
//! What it is not: the target, which is in `fuzz/src/frames.rs`.
//! Who calls it: `cargo fuzz run frames`; whoever has an input that broke something.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::frames(data));

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    fuzz::replay_arguments(fuzz::frames)
}
