//! What it is: libFuzzer's way into `fuzz::connection`; built without it, a replay of the files and folders given.
//! What it is not: the target, which is in `fuzz/src/connection.rs`.
//! Who calls it: `cargo fuzz run connection`; whoever has an input that broke something.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::connection(data));

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    fuzz::replay_arguments(fuzz::connection)
}
