//! What it is: what clients of this server are being asked for other servers of its cluster.
//! What it is not: the asking (`inbox`), nor what this server asks others (`requests`).
//! Who calls it: `inbox`, and `servers` when one of them goes.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::task::AbortHandle;

use crate::cluster::ServerId;

/// Questions of theirs that may wait for answers of clients.
const MAX_OPEN: usize = 10_000;

/// The tasks that wait for clients, by who asks and the number of its request.
#[derive(Debug, Default)]
pub(crate) struct Errands {
    /// Taken for a few steps, and no other lock behind it.
    all: Mutex<BTreeMap<(ServerId, u64), AbortHandle>>,
}

impl Errands {
    /// Whether there is room for another one.
    pub(crate) fn have_room(&self) -> bool {
        self.all().len() < MAX_OPEN
    }

    /// Begins one, in a task that `start` starts and that calls `end` in the end.
    pub(crate) fn begin(&self, from: &ServerId, request: u64, start: impl FnOnce() -> AbortHandle) {
        // The task ends behind this.
        let mut all = self.all();
        let before = all.insert((from.clone(), request), start());
        drop(all);
        if let Some(before) = before {
            before.abort();
        }
    }

    /// Clients have answered.
    pub(crate) fn end(&self, from: &ServerId, request: u64) {
        self.all().remove(&(from.clone(), request));
    }

    /// The other server no longer waits for them.
    pub(crate) fn give_up(&self, from: &ServerId, request: u64) {
        let errand = self.all().remove(&(from.clone(), request));
        if let Some(errand) = errand {
            errand.abort();
        }
    }

    /// That server has gone.
    pub(crate) fn give_up_all(&self, of: &ServerId) {
        let mut all = self.all();
        let of_it: Vec<_> = all.range((of.clone(), 0)..=(of.clone(), u64::MAX)).map(|(key, _)| key.clone()).collect();
        let ended: Vec<_> = of_it.iter().filter_map(|key| all.remove(key)).collect();
        drop(all);
        ended.iter().for_each(AbortHandle::abort);
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<(ServerId, u64), AbortHandle>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
