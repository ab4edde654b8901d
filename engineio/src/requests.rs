//! What it is: what is under way on a session that polls: its requests, and a WebSocket that wants to take over.
//! What it is not: what follows from that.
//! Who calls it: `session` only, whose states hold it.

use std::time::Instant;

/// The requests under way on the polling transport.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Poll {
    /// A GET waits for frames.
    pub(crate) parked: bool,
    /// The body of a POST is being read.
    pub(crate) posting: bool,
}

/// A WebSocket that has yet to complete its upgrade.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) until: Instant,
    pub(crate) received: u8,
    pub(crate) answered: u8,
}
