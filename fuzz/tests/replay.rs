//! What it is: every target over its corpus, and over the corpus with small damages, on stable and in seconds.
//! What it is not: a search; for that there is `cargo fuzz` (see `fuzz/README.md`).
//! Who calls it: `cargo test`.

use fuzz::{TARGETS, Target, corpus, replay};

/// Seeds longer than this are damaged at as many places only, evenly spread.
const PLACES: usize = 200;

/// What a byte becomes, one at a time: its bits changed, and bytes that mean something to a decoder.
const DAMAGES: [fn(u8) -> u8; 8] =
    [|byte| byte ^ 1, |byte| byte ^ 0x20, |byte| byte ^ 0x80, |_| 0, |_| b'0', |_| b'"', |_| 0x1e, |_| 0xff];

fn seeds(name: &str) -> Vec<(String, Vec<u8>)> {
    let seeds = corpus(name).expect("the corpus can be read");
    assert!(seeds.len() >= 20, "fuzz/corpus/{name} has {} seeds only", seeds.len());
    seeds
}

fn for_each_seed(check: impl Fn(Target, &str, &[u8])) {
    for (name, target) in TARGETS {
        for (path, seed) in seeds(name) {
            check(target, &path, &seed);
        }
    }
}

fn places(seed: &[u8]) -> impl Iterator<Item = usize> {
    (0..seed.len()).step_by(seed.len() / PLACES + 1)
}

#[test]
fn seeds_pass() {
    for_each_seed(replay);
}

#[test]
fn truncated_seeds_pass() {
    for_each_seed(|target, path, seed| {
        for at in places(seed) {
            replay(target, &format!("{path}, cut at {at},"), &seed[..at]);
            replay(target, &format!("{path}, from {at},"), &seed[at..]);
        }
    });
}

#[test]
fn damaged_seeds_pass() {
    for_each_seed(|target, path, seed| {
        let mut damaged = seed.to_vec();
        for at in places(seed) {
            for damage in DAMAGES {
                damaged[at] = damage(seed[at]);
                replay(target, &format!("{path}, damaged at {at},"), &damaged);
            }
            damaged[at] = seed[at];
        }
    });
}

#[test]
fn joined_seeds_pass() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        for (first_path, first) in &seeds {
            for (second_path, second) in seeds.iter().filter(|(_, second)| first.len() + second.len() <= 2 * PLACES) {
                replay(target, &format!("{first_path} and {second_path}"), &[&first[..], second].concat());
            }
        }
    }
}
