//! What it is: when nobody waits any longer for an answer; and the time by the clock of timers.
//! What it is not: the answer.
//! Who calls it: `answer`, for those of clients; `request`, for those of other servers; who takes time as it is.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// When nobody waits any longer; `None` is never.
pub(crate) struct Timer {
    at: Option<Instant>,
    /// Made where it is awaited: who asks may be a thread without a runtime.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    pub(crate) fn new(after: Option<Duration>) -> Self {
        // A time that the clock does not have is never.
        Self { at: after.and_then(|after| Instant::now().checked_add(after)), sleep: None }
    }

    /// Whether the time is over; if not, it wakes when it is.
    pub(crate) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(at) = self.at else { return false };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        matches!(sleep.as_mut().poll(cx), Poll::Ready(()))
    }
}

/// The time by the clock of timers, which a test may have stopped.
pub(crate) fn now() -> std::time::Instant {
    Instant::now().into_std()
}
