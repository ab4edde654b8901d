//! What it is: what happens to the rooms of a namespace, told to its application in the order in which it happened.
//! What it is not: the rooms (`rooms`). It keeps what happened until no lock is held, and no longer.
//! Who calls it: a namespace's `hub`, if the application listens, or rooms tell who is in them.
//!
//! ```text
//! nobody tells -- tell --> a caller does -- all are told -----------------------------> nobody tells
//!                            +-- a turn of them is, and more wait --> a task does -- all are told --> nobody tells
//! ```

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, MutexGuard, PoisonError},
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

/// Most that are told by somebody who has something else to do, such as the driver of the connection that joined.
const TURN: usize = 64;

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
    teller: Teller,
}

/// Who tells them now, and will tell those that are added, too.
#[derive(Debug, Default, PartialEq, Eq)]
enum Teller {
    #[default]
    Nobody,
    Caller,
    Task,
}

impl Changes {
    pub(crate) fn new(listener: Option<Listener>) -> Self {
        Self { listener, queue: Mutex::default() }
    }

    /// Keeps a change; one of a room under that one's lock.
    pub(crate) fn note(&self, change: Change) {
        if self.listener.is_some() {
            self.queue().waiting.push_back(change);
        }
    }

    /// Tells what was kept, unless another thread, a caller of this one, or a task is doing so. No lock may be held.
    /// Says whether a task is to [go on](Self::go_on), as it was a turn of them, and more wait.
    pub(crate) fn tell(&self) -> bool {
        let Some(listener) = &self.listener else { return false };
        for _ in 0..TURN {
            let Some(change) = self.next() else { return false };
            quietly(listener, &change);
            self.queue().teller = Teller::Nobody;
        }
        let mut queue = self.queue();
        let goes_on = queue.teller == Teller::Nobody && !queue.waiting.is_empty();
        if goes_on {
            queue.teller = Teller::Task;
        }
        goes_on
    }

    /// Tells a turn of what waits, by the task that is to. Says whether more does.
    pub(crate) fn go_on(&self) -> bool {
        let Some(listener) = &self.listener else { return false };
        for _ in 0..TURN {
            let next = self.queue().waiting.pop_front();
            match next {
                Some(change) => quietly(listener, &change),
                None => break,
            }
        }
        let mut queue = self.queue();
        if queue.waiting.is_empty() {
            queue.teller = Teller::Nobody;
        }
        queue.teller == Teller::Task
    }

    fn next(&self) -> Option<Change> {
        let mut queue = self.queue();
        if queue.teller != Teller::Nobody {
            return None;
        }
        let change = queue.waiting.pop_front()?;
        queue.teller = Teller::Caller;
        Some(change)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It must neither end the connection of whoever joined nor keep others from being told.
fn quietly(listener: &Listener, change: &Change) {
    let _panicked = catch_unwind(AssertUnwindSafe(|| listener(change)));
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("queue", &self.queue).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use super::*;
    use crate::rooms::Room;

    fn room(number: usize) -> Change {
        Change::Room(RoomChange::Create(Room::from(number.to_string())))
    }

    #[test]
    fn who_has_told_a_turn_leaves_the_rest_to_a_task() {
        let (sender, told) = mpsc::channel();
        let changes = Changes::new(Some(Box::new(move |change| {
            let Change::Room(RoomChange::Create(room)) = change else { panic!("that was not noted") };
            sender.send(room.as_str().parse::<usize>().expect("a number")).expect("they are counted");
        })));
        let told = || told.try_iter().collect::<Vec<_>>();
        (0..TURN).for_each(|number| changes.note(room(number)));
        assert!(!changes.tell(), "all are told");
        assert_eq!(told(), Vec::from_iter(0..TURN));
        (0..3 * TURN).for_each(|number| changes.note(room(number)));
        assert!(changes.tell());
        assert_eq!(told(), Vec::from_iter(0..TURN));
        changes.note(room(3 * TURN));
        assert!(!changes.tell(), "that comes behind what the task has yet to tell");
        assert!(changes.go_on());
        assert!(changes.go_on());
        assert!(!changes.go_on());
        assert_eq!(told(), Vec::from_iter(TURN..=3 * TURN));
        changes.note(room(0));
        assert!(!changes.tell());
        assert_eq!(told(), [0], "the task has ended");
    }

    #[test]
    fn what_a_listener_changes_is_told_behind_it_and_a_panic_ends_nothing() {
        let noting = Arc::new(Mutex::new(None::<Arc<Changes>>));
        let (sender, told) = mpsc::channel();
        let known = noting.clone();
        let changes = Arc::new(Changes::new(Some(Box::new(move |change| {
            let Change::Room(RoomChange::Create(room)) = change else { panic!("that was not noted") };
            sender.send(room.to_string()).expect("they are counted");
            let changes = known.lock().expect("not poisoned").clone();
            if let Some(changes) = changes.filter(|_| room.as_str() == "1") {
                changes.note(self::room(2));
                assert!(!changes.tell(), "somebody tells already");
                panic!("the listener's own");
            }
        }))));
        *noting.lock().expect("not poisoned") = Some(changes.clone());
        changes.note(room(1));
        assert!(!changes.tell());
        assert_eq!(told.try_iter().collect::<Vec<_>>(), ["1", "2"]);
        *noting.lock().expect("not poisoned") = None;
    }
}
