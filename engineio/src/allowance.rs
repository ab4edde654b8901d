//! What it is: what a client may do before its application has taken a closer look at it: for how long, how much.
//! What it is not: what any client may do; that is in `config`.
//! Who calls it: `session`, which ends when the allowance does.

use std::time::Instant;

/// What is left to one client. Nothing is bounded until the application bounds it.
#[derive(Debug)]
pub(crate) struct Allowance {
    /// None for most of a session, when it was made use of and is not bounded.
    bounds: Option<Box<Bounds>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Bounds {
    /// A message or a heartbeat came.
    used: bool,
    /// When the session ends unless somebody made use of it.
    expires: Option<Instant>,
    /// Bytes of messages that it may still bring.
    bytes: Option<usize>,
}

/// There are none.
const NO_BOUNDS: Bounds = Bounds { used: true, expires: None, bytes: None };

impl Default for Allowance {
    fn default() -> Self {
        Self { bounds: Some(Box::default()) }
    }
}

impl Allowance {
    pub(crate) fn expire(&mut self, at: Option<Instant>) {
        self.change(|bounds| bounds.expires = at);
    }

    pub(crate) fn limit(&mut self, bytes: Option<usize>) {
        self.change(|bounds| bounds.bytes = bytes);
    }

    fn change(&mut self, change: impl FnOnce(&mut Bounds)) {
        change(self.bounds.get_or_insert_with(|| Box::new(NO_BOUNDS)));
        self.bounds.take_if(|bounds| **bounds == NO_BOUNDS);
    }

    /// Notes that a message or a heartbeat came.
    pub(crate) fn mark_used(&mut self) {
        if !self.is_used() {
            self.change(|bounds| bounds.used = true);
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

    pub(crate) fn is_used(&self) -> bool {
        self.bounds.as_ref().is_none_or(|bounds| bounds.used)
    }
}
