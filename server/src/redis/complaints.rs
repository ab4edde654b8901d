//! What it is: what is wrong with messages: each counted, and of each kind one a minute logged.
//! What it is not: the finding of it (`pubsub`, `node`, `inbox`).
//! Who calls it: whoever finds it.

use std::{fmt::Display, sync::Arc};

use tracing::warn;

use crate::{journal::shown, metrics::Metrics, pace::Pace};

/// Counts and logs. Clones are the same.
#[derive(Clone)]
pub(crate) struct Complaints {
    metrics: Arc<Metrics>,
    pace: Arc<Pace>,
}

impl Complaints {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, pace: Arc::default() }
    }

    /// Something is wrong with a message of this channel.
    pub(crate) fn note(&self, reason: &'static str, channel: &str, what: impl Display) {
        self.metrics.redis_rejected(reason);
        if self.pace.once_a_minute(reason) {
            let channel = shown(channel);
            warn!(
                reason,
                channel, "a message of Redis is left out: {what}; more such within a minute are only counted"
            );
        }
    }
}
