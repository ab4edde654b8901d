//! What it is: who is in which room, and the choice of recipients, each once.
//! What it is not: aware of sockets; members are whatever has an id.
//! Who calls it: a namespace's `hub`.

use std::{borrow::Borrow, collections::HashSet, fmt, sync::Arc};

use dashmap::{DashMap, Entry};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{ById, Identified, SocketId};

/// The name of a room. Clones share the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Room(Arc<str>);

impl Room {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Room {
    fn as_ref(&self) -> &str {
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

impl<'de> Deserialize<'de> for Room {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl Serialize for Room {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
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

impl From<&SocketId> for Room {
    fn from(id: &SocketId) -> Self {
        id.clone().into()
    }
}

/// What happened to a room of a namespace, in the reference's words without `-room`. The room of a socket's own id is
/// none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomChange {
    /// It has its first member, whose joining is told next.
    Create(Room),
    /// A socket joined it.
    Join(Room, SocketId),
    /// A socket left it.
    Leave(Room, SocketId),
    /// Its last member has left.
    Delete(Room),
}

/// The rooms of one namespace. A room exists while somebody is in it.
#[derive(Debug)]
pub(crate) struct Rooms<M> {
    members: DashMap<Room, HashSet<ById<M>>>,
}

impl<M> Default for Rooms<M> {
    fn default() -> Self {
        Self { members: DashMap::new() }
    }
}

impl<M: Identified> Rooms<M> {
    /// Calls `note` with what that changes, while the room's table is locked.
    pub(crate) fn join(&self, room: &Room, member: M, note: impl Fn(RoomChange)) {
        let mut members = self.members.entry(room.clone()).or_insert_with(|| {
            note(RoomChange::Create(room.clone()));
            HashSet::new()
        });
        let id = member.id().clone();
        if members.insert(ById(member)) {
            note(RoomChange::Join(room.clone(), id));
        }
    }

    /// Calls `note` with what that changes, while the room's table is locked.
    pub(crate) fn leave(&self, room: &Room, id: &SocketId, note: impl Fn(RoomChange)) {
        if let Entry::Occupied(mut members) = self.members.entry(room.clone()) {
            if members.get_mut().remove(id.as_str()) {
                note(RoomChange::Leave(room.clone(), id.clone()));
            }
            if members.get().is_empty() {
                // Removing it gives the lock back: another may create it then, which must be told behind this.
                note(RoomChange::Delete(room.clone()));
                members.remove();
            }
        }
    }

    /// Calls `each` for every member of a room that is not among `except`. A lock of the table is held meanwhile.
    pub(crate) fn for_each(&self, room: &str, except: &HashSet<SocketId>, each: impl FnMut(&M)) {
        let Some(members) = self.members.get(room) else { return };
        let members = members.iter().map(|ById(member)| member);
        members.filter(|member| except.is_empty() || !except.contains(member.id())).for_each(each);
    }

    /// Whether anybody is in a room.
    pub(crate) fn contains(&self, room: &str) -> bool {
        self.members.contains_key(room)
    }

    /// The ids of all members of a room.
    pub(crate) fn ids(&self, room: &str) -> Vec<SocketId> {
        let ids = |members: &HashSet<ById<M>>| members.iter().map(|ById(member)| member.id().clone()).collect();
        self.members.get(room).map(|members| ids(&members)).unwrap_or_default()
    }

    /// All rooms, with how many are in each, in no order.
    pub(crate) fn sizes(&self) -> Vec<(Room, usize)> {
        self.members.iter().map(|room| (room.key().clone(), room.value().len())).collect()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.members.len()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    impl Identified for SocketId {
        fn id(&self) -> &SocketId {
            self
        }
    }

    #[test]
    fn rooms_come_and_go_with_their_members() {
        use RoomChange::{Create, Delete, Join, Leave};
        let rooms = Rooms::default();
        let (ann, bob) = (SocketId::draw(), SocketId::draw());
        let (a, b) = (Room::from("a"), Room::from("b"));
        let noted = RefCell::new(Vec::new());
        let note = |change| noted.borrow_mut().push(change);
        rooms.join(&a, ann.clone(), note);
        rooms.join(&a, ann.clone(), note);
        rooms.join(&a, bob.clone(), note);
        assert_eq!(rooms.ids("a").len(), 2);
        let mut seen = Vec::new();
        rooms.for_each("a", &HashSet::from([bob.clone()]), |id| seen.push(id == &ann));
        rooms.for_each("b", &HashSet::new(), |id| seen.push(id == &ann));
        assert_eq!(seen, [true]);
        rooms.leave(&a, &ann, note);
        rooms.leave(&a, &ann, note);
        rooms.leave(&b, &ann, note);
        assert_eq!(rooms.sizes(), [(a.clone(), 1)]);
        rooms.leave(&a, &bob, note);
        assert_eq!(rooms.len(), 0);
        let (joined, left) = ([ann.clone(), bob.clone()].map(|id| Join(a.clone(), id)), [ann, bob]);
        let left = left.map(|id| Leave(a.clone(), id));
        assert_eq!(*noted.borrow(), [&[Create(a.clone())], &joined[..], &left, &[Delete(a)]].concat());
    }
}
