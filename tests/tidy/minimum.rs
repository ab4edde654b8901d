//! What it is: the rule that everything the crates are built from serves the oldest Rust that they promise.
//! What it is not: a build with that Rust; clippy's `incompatible_msrv` looks for newer parts of the standard library.
//! Who calls it: `tidy.rs`.

use std::process::Command;

use serde_json::Value;

use crate::source::read;

/// `1.88` or `1.88.0` as numbers.
fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split('.').map(|number| number.parse().expect("a number"));
    (numbers.next().expect("a major version"), numbers.next().unwrap_or(0))
}

#[test]
fn dependencies_serve_the_oldest_rust_that_is_promised() {
    let manifest = read("Cargo.toml");
    let promised = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'));
    let promised = promised.expect("Cargo.toml says rust-version");
    let said = format!("Rust {promised}");
    assert!(read("README.md").contains(&said), "Say in README.md: {said}");

    let cargo = Command::new(env!("CARGO")).args(["metadata", "--format-version", "1", "--locked"]).output();
    let output = cargo.expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("a list");
    let newer = |package: &&Value| package["rust_version"].as_str().is_some_and(|own| version(own) > version(promised));
    let newer: Vec<_> = packages.iter().filter(newer).map(|package| package["name"].to_string()).collect();
    assert!(newer.is_empty(), "These need a newer Rust than {promised}: {newer:?}");
    assert!(packages.len() > 50, "{} packages are not all", packages.len());
}
