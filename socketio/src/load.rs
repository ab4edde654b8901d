//! What it is: how much of what a socket's client asked for is still being done, and the hold on its connection while
//! that is too much.
//! What it is not: the doing (`delivery`).
//! Who calls it: `peer` keeps one; `running` changes it.

use engineio::Hold;

use crate::limits::Limits;

/// The events of one socket whose handlers are under way.
#[derive(Debug, Default)]
pub(crate) struct Load {
    events: usize,
    bytes: usize,
    /// Set while there are too many.
    hold: Option<Hold>,
}

impl Load {
    /// One more of this size. If that is one too many, nothing more is read from the client.
    pub(crate) fn add(&mut self, bytes: usize, limits: &Limits, connection: &engineio::Socket) {
        (self.events, self.bytes) = (self.events + 1, self.bytes + bytes);
        if self.hold.is_none() && self.is_full(limits) {
            self.hold = Some(connection.hold());
        }
    }

    /// One less. Gives back the hold that is no longer needed, to be dropped without locks.
    pub(crate) fn remove(&mut self, bytes: usize, limits: &Limits) -> Option<Hold> {
        (self.events, self.bytes) = (self.events - 1, self.bytes - bytes);
        if self.is_full(limits) { None } else { self.hold.take() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events == 0
    }

    fn is_full(&self, limits: &Limits) -> bool {
        self.events >= limits.max_running_events || self.bytes >= limits.max_running_bytes
    }
}
