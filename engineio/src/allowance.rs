//! What it is: what a client may do before its application has taken a closer look at it: for how long, how much.
//! What it is not: what any client may do; that is in `config`.
//! Who calls it: `session`, which ends when the allowance does; `engine`, which has it count.

use std::time::{Duration, Instant};

use crate::{admission::Unused, config::deadline};

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
    /// When it ends unless the rest has come of what its client has begun, and the time that this has.
    rest: Option<(Instant, Duration)>,
    /// Bytes of messages that it may still bring.
    bytes: Option<usize>,
}

impl Allowance {
    pub(crate) fn expire(&mut self, at: Option<Instant>) {
        self.change(|bounds| bounds.expires = at);
    }

    pub(crate) fn expect(&mut self, now: Instant, within: Option<Duration>) {
        self.change(|bounds| bounds.rest = within.map(|within| (deadline(now, within), within)));
    }

    /// What the client brings is not read: that has all of its time behind it.
    pub(crate) fn excuse(&mut self, now: Instant) {
        if let Some((at, within)) = self.bounds.as_mut().and_then(|bounds| bounds.rest.as_mut()) {
            *at = deadline(now, *within);
        }
    }

    pub(crate) fn limit(&mut self, bytes: Option<usize>) {
        self.change(|bounds| bounds.bytes = bytes);
    }

    fn change(&mut self, change: impl FnOnce(&mut Bounds)) {
        change(self.bounds.get_or_insert_default());
        self.bounds
            .take_if(|bounds| matches!(**bounds, Bounds { unused: None, expires: None, rest: None, bytes: None }));
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
        let Bounds { expires, rest, .. } = self.bounds.as_deref()?;
        expires.iter().copied().chain(rest.map(|(at, _)| at)).min()
    }
}
