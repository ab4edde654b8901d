//! What it is: how often the log has a line of what clients decide the frequency of: of each kind one in a while.
//! What it is not: a count; metrics count all.
//! Who calls it: whatever finds such a thing, before it has the log say so.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

/// Between lines that each say something else.
const SECOND: Duration = Duration::from_secs(1);

/// Between lines that say the same until somebody changes a configuration.
const MINUTE: Duration = Duration::from_secs(60);

/// When each kind was logged last. The lock is taken for a few steps, whenever it happens again.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<HashMap<&'static str, Instant>>);

impl Pace {
    /// Whether there was no line of this kind within a second.
    pub(crate) fn once_a_second(&self, kind: &'static str) -> bool {
        self.is_due(kind, SECOND, Instant::now())
    }

    /// The same within a minute.
    pub(crate) fn once_a_minute(&self, kind: &'static str) -> bool {
        self.is_due(kind, MINUTE, Instant::now())
    }

    fn is_due(&self, kind: &'static str, between: Duration, now: Instant) -> bool {
        let mut logged = self.0.lock().expect("not poisoned: nobody panics while it is held");
        let is_due = logged.get(kind).is_none_or(|last| now.saturating_duration_since(*last) >= between);
        if is_due {
            logged.insert(kind, now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_kind_one_in_a_while_is_logged() {
        let (pace, start) = (Pace::default(), Instant::now());
        let is_due = |kind, seconds| pace.is_due(kind, MINUTE, start + Duration::from_secs(seconds));
        let due = [("a", 0), ("a", 1), ("b", 2), ("a", 59), ("a", 60), ("b", 61), ("b", 62), ("a", 119)];
        let due = due.map(|(kind, seconds)| is_due(kind, seconds));
        assert_eq!(due, [true, false, true, false, true, false, true, false]);
    }
}
