//! What it is: how often the log has a line of what clients decide the frequency of.
//! What it is not: a count; metrics count all.
//! Who calls it: `namespaces`, `upstream` and `backend`, before such a line.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// Least time between two lines.
const BETWEEN_LINES: Duration = Duration::from_secs(1);

/// When something was logged last. The lock is taken whenever it happens again.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<Option<Instant>>);

impl Pace {
    /// Whether it may be logged again.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let mut last = self.0.lock().expect("not poisoned: nobody panics while it is held");
        let is_due = last.is_none_or(|last| now.duration_since(last) >= BETWEEN_LINES);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}
