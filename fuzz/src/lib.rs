//! Fuzz targets: whatever reads bytes from outside, called with any bytes.
//!
//! A target panics when something that must always hold does not. It is a plain function, so that the replay test
//! and a debugger need no fuzzer; how to run it with one is in `fuzz/README.md`.

mod application;
mod cluster;
mod connection;
mod decoder;
mod ending;
mod frames;
mod headers;
mod jsonp;
mod ledger;
mod member;
mod members;
mod model;
mod msgpack;
mod offers;
mod origins;
mod packet;
mod payload;
mod pings;
mod poller;
mod query;
mod reader;
mod reading;
mod replay;
mod seat;
mod session;

pub use cluster::cluster;
pub use connection::connection;
pub use decoder::decoder;
pub use frames::frames;
pub use headers::headers;
pub use jsonp::jsonp;
pub use msgpack::msgpack;
pub use packet::packet;
pub use payload::payload;
pub use query::query;
pub use reader::reader;
pub use replay::{corpus, replay, replay_arguments};
pub use session::session;

/// Reads one input.
pub type Target = fn(&[u8]);

/// All targets by name, which is also the name of the corpus.
pub const TARGETS: [(&str, Target); 12] = [
    ("packet", packet),
    ("payload", payload),
    ("jsonp", jsonp),
    ("query", query),
    ("headers", headers),
    ("decoder", decoder),
    ("msgpack", msgpack),
    ("reader", reader),
    ("frames", frames),
    ("cluster", cluster),
    ("session", session),
    ("connection", connection),
];
