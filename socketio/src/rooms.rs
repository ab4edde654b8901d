//! What it is: who is in which room, and the choice of recipients, each once.
//! What it is not: aware of sockets; members are any value with an id.
//! Who calls it: a namespace's `hub`.

use std::{
    borrow::Borrow,
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

use dashmap::DashMap;

use crate::id::SocketId;

/// The name of a room. Clones share the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Room(Arc<str>);

impl Room {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Room {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Room {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for Room {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<&String> for Room {
    fn from(name: &String) -> Self {
        Self(name.as_str().into())
    }
}

impl From<&Room> for Room {
    fn from(room: &Room) -> Self {
        room.clone()
    }
}

/// A socket's own room: its id is the name.
impl From<SocketId> for Room {
    fn from(id: SocketId) -> Self {
        Self(id.0)
    }
}

/// The rooms of one namespace. A room exists while somebody is in it.
#[derive(Debug)]
pub(crate) struct Rooms<M> {
    members: DashMap<Room, HashMap<SocketId, M>>,
}

impl<M> Default for Rooms<M> {
    fn default() -> Self {
        Self { members: DashMap::new() }
    }
}

impl<M> Rooms<M> {
    pub(crate) fn join(&self, room: Room, id: SocketId, member: M) {
        self.members.entry(room).or_default().insert(id, member);
    }

    pub(crate) fn leave(&self, room: &str, id: &SocketId) {
        if let Some(mut members) = self.members.get_mut(room) {
            members.remove(id);
        }
        self.members.remove_if(room, |_, members| members.is_empty());
    }

    /// Calls `each` for every member of a room that is not among `except`. A lock of the table is held meanwhile.
    pub(crate) fn for_each(&self, room: &str, except: &HashSet<SocketId>, mut each: impl FnMut(&SocketId, &M)) {
        let Some(members) = self.members.get(room) else { return };
        for (id, member) in members.iter() {
            if !except.contains(id) {
                each(id, member);
            }
        }
    }

    /// The ids of all members of a room.
    pub(crate) fn ids(&self, room: &str) -> Vec<SocketId> {
        self.members.get(room).map(|members| members.keys().cloned().collect()).unwrap_or_default()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.members.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_come_and_go_with_their_members() {
        let rooms = Rooms::default();
        let (ann, bob) = (SocketId::draw(), SocketId::draw());
        rooms.join("a".into(), ann.clone(), ());
        rooms.join("a".into(), ann.clone(), ());
        rooms.join("a".into(), bob.clone(), ());
        assert_eq!(rooms.ids("a").len(), 2);
        let mut seen = Vec::new();
        rooms.for_each("a", &HashSet::from([bob.clone()]), |id, ()| seen.push(id == &ann));
        rooms.for_each("b", &HashSet::new(), |id, ()| seen.push(id == &ann));
        assert_eq!(seen, [true]);
        rooms.leave("a", &ann);
        rooms.leave("a", &ann);
        rooms.leave("b", &ann);
        assert_eq!(rooms.len(), 1);
        rooms.leave("a", &bob);
        assert_eq!(rooms.len(), 0);
    }
}
