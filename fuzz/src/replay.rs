//! What it is: inputs kept in files, given to a target once more.
//! What it is not: a fuzzer.
//! Who calls it: the replay test, over the corpora; the binaries without libFuzzer, over their arguments.

use std::{
    env, fs, io, panic,
    path::{Path, PathBuf},
};

use crate::Target;

/// The seeds of a target: name and bytes, in the order of names.
///
/// # Errors
/// When the folder or a file in it cannot be read.
pub fn corpus(name: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name))?
        .into_iter()
        .map(|path| Ok((path.display().to_string(), fs::read(&path)?)))
        .collect()
}

/// Gives one input to a target.
///
/// # Panics
/// When the target does; the message shows the input, as a Rust byte string.
pub fn replay(target: Target, name: &str, input: &[u8]) {
    if panic::catch_unwind(|| target(input)).is_err() {
        panic!("{name} fails with b\"{}\"", input.escape_ascii());
    }
}

/// Gives a target every file named on the command line, and those in the folders named there.
///
/// # Errors
/// When one of them cannot be read.
pub fn replay_arguments(target: Target) -> io::Result<()> {
    for argument in env::args_os().skip(1) {
        for path in files(Path::new(&argument))? {
            replay(target, &path.display().to_string(), &fs::read(&path)?);
            println!("{} passes", path.display());
        }
    }
    Ok(())
}

/// The file itself, or what is in the folder.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}
