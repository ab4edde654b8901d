//! What it is: what is wrong with messages: each counted, and of each kind one a minute logged.
//! What it is not: the finding of it (`pubsub`, `node`, `inbox`).
//! Who calls it: whoever finds it.

use std::{
    collections::HashMap,
    fmt::Display,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tracing::warn;

use crate::metrics::Metrics;

/// Between two lines of one kind.
const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// Longest name of a channel in the log, in characters.
const MAX_LOGGED: usize = 64;

/// Counts and logs. Clones are the same.
#[derive(Clone)]
pub(crate) struct Complaints {
    metrics: Arc<Metrics>,
    /// When each kind was logged last. Taken for a few steps.
    logged: Arc<Mutex<HashMap<&'static str, Instant>>>,
}

impl Complaints {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, logged: Arc::default() }
    }

    /// Something is wrong with a message of this channel.
    pub(crate) fn note(&self, reason: &'static str, channel: &str, what: impl Display) {
        self.metrics.redis_rejected(reason);
        if self.is_due(reason, Instant::now()) {
            let channel: String = channel.chars().take(MAX_LOGGED).collect();
            warn!(
                reason,
                channel, "a message of Redis is left out: {what}; more such within a minute are only counted"
            );
        }
    }

    fn is_due(&self, reason: &'static str, now: Instant) -> bool {
        let mut logged = self.logged.lock().expect("not poisoned: nobody panics while it is held");
        let is_due = logged.get(reason).is_none_or(|last| now.saturating_duration_since(*last) >= BETWEEN_LINES);
        if is_due {
            logged.insert(reason, now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_kind_one_a_minute_is_logged() {
        let complaints = Complaints::new(Arc::new(Metrics::new(&[])));
        let start = Instant::now();
        let is_due = |reason, seconds| complaints.is_due(reason, start + Duration::from_secs(seconds));
        let due = [("a", 0), ("a", 1), ("b", 2), ("a", 59), ("a", 60), ("b", 61), ("b", 62), ("a", 119)];
        let due = due.map(|(reason, seconds)| is_due(reason, seconds));
        assert_eq!(due, [true, false, true, false, true, false, true, false]);
    }
}
