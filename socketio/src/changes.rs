//! What it is: what happens to the rooms of a namespace, told to its application in the order in which it happened.
//! What it is not: the rooms (`rooms`). It keeps what happened until no lock is held, and no longer.
//! Who calls it: a namespace's `hub`, if the application listens, or rooms tell who is in them.

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, PoisonError},
};

use crate::{cluster::ServerId, cluster_message::Attending, rooms::RoomChange};

/// Something that has changed.
#[derive(Debug)]
pub(crate) enum Change {
    Room(RoomChange),
    /// It is later: somebody who left will not be back.
    Time,
    /// Another server tells who is in its rooms, or comes and goes there.
    Elsewhere(ServerId, Attending),
    /// That server has gone.
    Gone(ServerId),
    /// Another server, or all, are to be told who is in ours.
    Show(Option<ServerId>),
}

/// Who is told: a function of the application, or ours.
pub(crate) type Listener = Box<dyn Fn(&Change) + Send + Sync>;

/// Changes on their way to the application.
pub(crate) struct Changes {
    listener: Option<Listener>,
    /// Taken for one step, last of all locks.
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// Oldest first.
    waiting: VecDeque<Change>,
    /// Somebody is telling them now, and will tell those that are added, too.
    telling: bool,
}

impl Changes {
    pub(crate) fn new(listener: Option<Listener>) -> Self {
        Self { listener, queue: Mutex::default() }
    }

    /// Keeps a change; one of a room under that one's lock.
    pub(crate) fn note(&self, change: Change) {
        if self.listener.is_some() {
            self.queue.lock().unwrap_or_else(PoisonError::into_inner).waiting.push_back(change);
        }
    }

    /// Tells what was kept, unless another thread, or a caller of this one, is doing so. No lock may be held.
    pub(crate) fn tell(&self) {
        let Some(listener) = &self.listener else { return };
        while let Some(change) = self.next() {
            // It must neither end the connection of whoever joined nor keep others from being told.
            let _panicked = catch_unwind(AssertUnwindSafe(|| listener(&change)));
            self.queue.lock().unwrap_or_else(PoisonError::into_inner).telling = false;
        }
    }

    fn next(&self) -> Option<Change> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.telling {
            return None;
        }
        let change = queue.waiting.pop_front()?;
        queue.telling = true;
        Some(change)
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("queue", &self.queue).finish_non_exhaustive()
    }
}
