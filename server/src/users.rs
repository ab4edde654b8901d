//! What it is: how many users there are: those who have a socket, each once in however many namespaces.
//! What it is not: who they are, or where; rooms know that.
//! Who calls it: `namespaces`, of each room that comes or goes.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Mutex, MutexGuard},
};

use prometheus::IntGauge;
use socketio::Room;

/// The users.
pub(crate) struct Users {
    /// In how many namespaces each has sockets, by the room of these. Taken for a few steps.
    namespaces: Mutex<HashMap<Room, usize>>,
    count: IntGauge,
}

impl Users {
    pub(crate) fn new(count: IntGauge) -> Self {
        Self { namespaces: Mutex::default(), count }
    }

    /// Somebody has the first socket in a namespace.
    pub(crate) fn enter(&self, room: &Room) {
        let mut namespaces = self.namespaces();
        *namespaces.entry(room.clone()).or_default() += 1;
        self.count.set(namespaces.len() as i64);
    }

    /// Somebody has no socket in it any more.
    pub(crate) fn leave(&self, room: &Room) {
        let mut namespaces = self.namespaces();
        if let Entry::Occupied(mut entry) = namespaces.entry(room.clone()) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
        self.count.set(namespaces.len() as i64);
    }

    fn namespaces(&self) -> MutexGuard<'_, HashMap<Room, usize>> {
        self.namespaces.lock().expect("not poisoned: nobody panics while it is held")
    }
}
