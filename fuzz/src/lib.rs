//! Fuzz targets: whatever reads bytes from outside, called with any bytes.
//!
//! A target panics when something that must always hold does not. It is a plain function, so that the replay test
//! and a debugger need no fuzzer; how to run it with one is in `fuzz/README.md`.

mod decoder;
mod ending;
mod jsonp;
mod ledger;
mod model;
mod packet;
mod payload;
mod pings;
mod query;
mod replay;
mod session;

pub use decoder::decoder;
pub use jsonp::jsonp;
pub use packet::packet;
pub use payload::payload;
pub use query::query;
pub use replay::{corpus, replay, replay_arguments};
pub use session::session;

/// Reads one input.
pub type Target = fn(&[u8]);

/// All targets by name, which is also the name of the corpus.
pub const TARGETS: [(&str, Target); 6] = [
    ("packet", packet),
    ("payload", payload),
    ("jsonp", jsonp),
    ("query", query),
    ("decoder", decoder),
    ("session", session),
];
