//! What it is: the connections that were sent what may wait for more, and the end of that wait.
//! What it is not: a queue; what waits is in their outboxes.
//! Who calls it: `hub`, for broadcasts, where there is a flush delay.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::runtime::Handle;

/// The corked connections of one namespace.
pub(crate) struct Corks {
    delay: Duration,
    corked: Corked,
}

/// Shared with the task that keeps the time, of which there is one while there are any.
#[derive(Clone, Default)]
struct Corked(Arc<Mutex<Vec<engineio::Socket>>>);

/// Uncorks them all when it is dropped: by its task in time, or with that, when its runtime ends.
struct Due(Corked);

impl Corks {
    /// `None` if nothing is to wait.
    pub(crate) fn new(delay: Duration) -> Option<Self> {
        (!delay.is_zero()).then(|| Self { delay, corked: Corked::default() })
    }

    /// Uncorks these, and those that come meanwhile, once the delay is over.
    pub(crate) fn keep(&self, sockets: Vec<engineio::Socket>, runtime: &Handle) {
        if sockets.is_empty() || !self.corked.add(sockets) {
            return;
        }
        let (due, delay) = (Due(self.corked.clone()), self.delay);
        runtime.spawn(async move {
            tokio::time::sleep(delay).await;
            drop(due);
        });
    }
}

impl Corked {
    /// Says whether there were none.
    fn add(&self, sockets: Vec<engineio::Socket>) -> bool {
        let mut corked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = corked.is_empty();
        corked.extend(sockets);
        is_first
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        let corked = mem::take(&mut *self.0.0.lock().unwrap_or_else(PoisonError::into_inner));
        corked.iter().for_each(engineio::Socket::uncork);
    }
}
