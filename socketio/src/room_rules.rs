//! What it is: what an application wants of some rooms of a namespace, by their names, or of what is for all of it.
//! What it is not: what it wants; that is any value.
//! Who calls it: `room_history` and `throttle`; `namespace` fills them in.

use crate::{glob::Glob, id::SocketId};

/// Values for rooms.
#[derive(Debug)]
pub(crate) struct RoomRules<T> {
    /// For what is emitted to the whole namespace.
    namespace: Option<T>,
    /// The first one that matches counts.
    rooms: Vec<(Glob, T)>,
}

impl<T> Default for RoomRules<T> {
    fn default() -> Self {
        Self { namespace: None, rooms: Vec::new() }
    }
}

impl<T> RoomRules<T> {
    pub(crate) fn set_namespace(&mut self, value: T) {
        self.namespace = Some(value);
    }

    pub(crate) fn add_room(&mut self, rooms: &str, value: T) {
        self.rooms.push((Glob::new(rooms), value));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.namespace.is_none() && self.rooms.is_empty()
    }

    /// The value for a room, or for the whole namespace.
    pub(crate) fn of(&self, room: Option<&str>) -> Option<&T> {
        let Some(room) = room else { return self.namespace.as_ref() };
        // What is for one socket is not for whoever joins a room of that name later; and a name that begins with a
        // control character is no room of the application's.
        let is_own = SocketId::could_be(room) || room.starts_with(char::is_control);
        let is_meant = |glob: &Glob| glob.matches(room) && (glob.is_exact() || !is_own);
        self.rooms.iter().find(|(glob, _)| is_meant(glob)).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_counts_and_none_is_for_single_sockets() {
        let mut rules = RoomRules::default();
        rules.add_room("a*", 1);
        rules.add_room("abcdefghijklmnopqrst", 2);
        rules.add_room("bcdefghijklmnopqrstu", 3);
        rules.add_room("*", 4);
        let id = SocketId::draw();
        let rows = [
            (Some("ab"), Some(1)),
            (Some("abcdefghijklmnopqrst"), Some(2)),
            (Some("bcdefghijklmnopqrstu"), Some(3)),
            (Some("cdefghijklmnopqrstuv"), None),
            (Some("cdefghijklmnopqrstu"), Some(4)),
            (Some("b#cdefghijklmnopqrst"), Some(4)),
            (Some("/chat#bcdefghijklmnopqrstu"), None),
            (Some(id.as_str()), None),
            (Some("\u{1}user:7"), None),
            (None, None),
        ];
        for (room, expected) in rows {
            assert_eq!(rules.of(room), expected.as_ref(), "{room:?}");
        }
        rules.set_namespace(5);
        assert_eq!(rules.of(None), Some(&5));
    }
}
