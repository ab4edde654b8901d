//! What it is: what a client may do before its application has taken a closer look at it: for how long, how much.
//! What it is not: what any client may do; that is in `config`.
//! Who calls it: `session`, which ends when the allowance does; `engine`, which has it count.

use std::time::Instant;

use crate::admission::Unused;

/// What is left to one client. Nothing is bounded until the application bounds it.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    /// None for most of a session, when it was made use of and is not bounded.
    bounds: Option<Box<Bounds>>,
}

#[derive(Debug, Default)]
struct Bounds {
    /// Counts the session until a message or a heartbeat comes, or it ends.
    unused: Option<Unused>,
    /// When the session ends unless somebody made use of it.
    expires: Option<Instant>,
    /// Bytes of messages that it may still bring.
    bytes: Option<usize>,
}

impl Allowance {
    pub(crate) fn expire(&mut self, at: Option<Instant>) {
        self.change(|bounds| bounds.expires = at);
    }

    pub(crate) fn limit(&mut self, bytes: Option<usize>) {
        self.change(|bounds| bounds.bytes = bytes);
    }

    fn change(&mut self, change: impl FnOnce(&mut Bounds)) {
        change(self.bounds.get_or_insert_default());
        self.bounds.take_if(|bounds| matches!(**bounds, Bounds { unused: None, expires: None, bytes: None }));
    }

    /// The session counts as one of which its client has made no use.
    pub(crate) fn count(&mut self, unused: Unused) {
        self.change(|bounds| bounds.unused = Some(unused));
    }

    /// A message or a heartbeat came, or none can come any more.
    pub(crate) fn mark_used(&mut self) {
        if self.bounds.is_some() {
            self.change(|bounds| bounds.unused = None);
        }
    }

    /// Takes a message of this size out of what is left. Says whether that was enough.
    pub(crate) fn spend(&mut self, bytes: usize) -> bool {
        match self.bounds.as_mut().and_then(|bounds| bounds.bytes.as_mut()) {
            None => true,
            Some(left) => left.checked_sub(bytes).map(|rest| *left = rest).is_some(),
        }
    }

    /// When it is over by itself.
    pub(crate) fn expires(&self) -> Option<Instant> {
        self.bounds.as_ref()?.expires
    }
}
