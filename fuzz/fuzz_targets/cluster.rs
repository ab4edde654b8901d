//! What it is: libFuzzer's way into `fuzz::cluster`; built without it, a replay of the files and folders given.
//! What it is not: the target, which is in `fuzz/src/cluster.rs`.
//! Who calls it: `cargo fuzz run cluster`; whoever has an input that broke something.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::cluster(data));

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    fuzz::replay_arguments(fuzz::cluster)
}
