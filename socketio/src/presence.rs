//! What it is: `Presence`, and who is in rooms that have it: users with their sockets, also those who may be back soon.
//! What it is not: a timer, nor what is told to clients; the time is an argument, and `attendance` tells.
//! Who calls it: `namespace` takes the rules from the application; a namespace's `attendance` and `hub`.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::Value;

use crate::{cluster::ServerId, id::SocketId, room_rules::RoomRules, rooms::Room, watch::Watch};

/// Who is in a room, told to all who are in it: see [`Namespace::presence`](crate::Namespace::presence).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// How long somebody who left still counts as there: a page that is loaded anew, or a connection that breaks for a
    /// moment, is nothing to tell. Default 15 s.
    pub grace: Duration,
    /// The event for who joins: `{"room":..,"members":{<user>:{"info":..,"count":..}}}`. Default `presence_state`.
    pub state_event: String,
    /// The event for the others: `{"room":..,"joins":{..},"leaves":{..}}`, both as `members` above. Default
    /// `presence_diff`.
    pub diff_event: String,
}

impl Default for Presence {
    fn default() -> Self {
        let grace = Duration::from_secs(15);
        Self { grace, state_event: "presence_state".into(), diff_event: "presence_diff".into() }
    }
}

/// Which rooms tell who is in them.
pub(crate) type PresenceRules = RoomRules<Presence>;

/// Who a socket is, see [`Socket::identify`](crate::Socket::identify).
#[derive(Debug)]
pub(crate) struct Identification {
    pub(crate) user: String,
    pub(crate) info: Value,
}

/// Somebody who is in a room, see [`Broadcast::presence`](crate::Broadcast::presence).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PresentUser {
    /// What the application said of it when it came.
    pub info: Value,
    /// How many of its sockets are there; 0 while it may come back.
    pub count: usize,
}

/// Users by their names.
pub(crate) type Members = BTreeMap<String, PresentUser>;

/// Who is in the rooms of one namespace.
#[derive(Debug, Default)]
pub(crate) struct Present {
    rooms: HashMap<Room, Attended>,
    /// When who has left is gone.
    ends: BTreeSet<(Instant, Room, String)>,
    /// When `poll` is called.
    watch: Watch,
}

#[derive(Debug, Default)]
struct Attended {
    /// Whose each socket is.
    sockets: HashMap<Attendant, String>,
    users: BTreeMap<String, User>,
}

/// A socket of this server, or of another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Attendant(pub(crate) Option<ServerId>, pub(crate) SocketId);

#[derive(Debug)]
struct User {
    present: PresentUser,
    /// Set while no socket is there.
    gone_at: Option<Instant>,
}

impl Present {
    /// A socket has joined. Says whether nobody knew its user to be there.
    pub(crate) fn join(&mut self, room: &Room, socket: &Attendant, user: &str, info: &Value) -> bool {
        let attended = self.rooms.entry(room.clone()).or_default();
        if attended.sockets.contains_key(socket) {
            return false;
        }
        attended.sockets.insert(socket.clone(), user.to_owned());
        let is_new = !attended.users.contains_key(user);
        let present = || User { present: PresentUser { info: info.clone(), count: 0 }, gone_at: None };
        let known = attended.users.entry(user.to_owned()).or_insert_with(present);
        known.present.count += 1;
        known.present.info = info.clone();
        if let Some(at) = known.gone_at.take() {
            self.ends.remove(&(at, room.clone(), user.to_owned()));
        }
        is_new
    }

    /// A socket has left. Says when to call `poll`, unless somebody does before.
    pub(crate) fn leave(&mut self, room: &Room, socket: &Attendant, grace: Duration, now: Instant) -> Option<Instant> {
        let attended = self.rooms.get_mut(room)?;
        let user = attended.sockets.remove(socket)?;
        let known = attended.users.get_mut(&user).expect("a socket that is there has a user");
        known.present.count -= 1;
        if known.present.count > 0 {
            return None;
        }
        let at = now.checked_add(grace)?;
        known.gone_at = Some(at);
        self.ends.insert((at, room.clone(), user));
        self.watch()
    }

    /// Who is gone for good by now, by room, and when to come again, unless somebody does before.
    pub(crate) fn poll(&mut self, now: Instant) -> (BTreeMap<Room, Members>, Option<Instant>) {
        let mut gone: BTreeMap<Room, Members> = BTreeMap::new();
        while let Some((at, ..)) = self.ends.first()
            && *at <= now
        {
            let (_, room, user) = self.ends.pop_first().expect("there is a first");
            let attended = self.rooms.get_mut(&room).expect("who leaves is in a room");
            let known = attended.users.remove(&user).expect("who leaves is known");
            if attended.users.is_empty() {
                self.rooms.remove(&room);
            }
            gone.entry(room).or_default().insert(user, known.present);
        }
        self.watch.pass(now);
        (gone, self.watch())
    }

    /// When `poll` is to be called for who is gone first.
    fn watch(&mut self) -> Option<Instant> {
        let (at, ..) = self.ends.first()?;
        self.watch.at(*at)
    }

    /// The sockets of a server, or of this one, each with its room, its user and what is known of that.
    pub(crate) fn of(&self, server: Option<&ServerId>) -> Vec<(Room, SocketId, String, Value)> {
        let mut all = Vec::new();
        for (room, Attended { sockets, users }) in &self.rooms {
            for (Attendant(_, id), user) in sockets.iter().filter(|(Attendant(of, _), _)| of.as_ref() == server) {
                let info = users.get(user).map(|known| known.present.info.clone()).unwrap_or_default();
                all.push((room.clone(), id.clone(), user.clone(), info));
            }
        }
        all
    }

    /// One of them.
    pub(crate) fn member(&self, room: &str, user: &str) -> Members {
        let known = self.rooms.get(room).and_then(|attended| attended.users.get(user));
        known.map(|known| (user.to_owned(), known.present.clone())).into_iter().collect()
    }

    /// Who is in a room, or may be back in a moment.
    pub(crate) fn members(&self, room: &str) -> Members {
        let users = self.rooms.get(room).map(|attended| &attended.users).into_iter().flatten();
        users.map(|(user, known)| (user.clone(), known.present.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_user_is_there_with_its_first_socket_and_gone_a_time_after_its_last() {
        let (mut present, start, grace) = (Present::default(), Instant::now(), Duration::from_secs(15));
        let at = |seconds| start + Duration::from_secs(seconds);
        let (room, ann) = (Room::from("r"), "ann".to_owned());
        let (tab, other) = (Attendant(None, SocketId::draw()), Attendant(Some(ServerId::draw()), SocketId::draw()));
        assert!(present.join(&room, &tab, &ann, &json!(1)));
        assert!(!present.join(&room, &other, &ann, &json!(2)));
        assert!(!present.join(&room, &other, &ann, &json!(3)), "it is there");
        assert_eq!(present.members("r")["ann"], PresentUser { info: json!(2), count: 2 });
        assert_eq!(present.leave(&room, &tab, grace, at(0)), None);
        assert_eq!(present.leave(&room, &tab, grace, at(0)), None);
        assert_eq!(present.leave(&room, &other, grace, at(1)), Some(at(16)));
        assert_eq!(present.members("r")["ann"].count, 0, "it may come back");
        assert!(!present.join(&room, &tab, &ann, &json!(4)), "it did");
        assert_eq!(present.poll(at(16)), (BTreeMap::new(), None));
        assert_eq!(present.leave(&room, &tab, grace, at(20)), Some(at(35)));
        let (gone, next) = present.poll(at(35));
        assert_eq!((gone[&room]["ann"].info.clone(), next), (json!(4), None));
        assert!(present.rooms.is_empty() && present.ends.is_empty());
    }

    #[test]
    fn a_short_grace_does_not_wait_for_a_longer_one() {
        let (mut present, start) = (Present::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let (long, short, id) = (Room::from("long"), Room::from("short"), Attendant(None, SocketId::draw()));
        for room in [&long, &short] {
            assert!(present.join(room, &id, "ann", &json!(null)));
        }
        assert_eq!(present.leave(&long, &id, Duration::from_secs(60), at(0)), Some(at(60)));
        assert_eq!(present.leave(&short, &id, Duration::from_secs(1), at(1)), Some(at(2)));
        let (gone, next) = present.poll(at(2));
        assert_eq!((gone.into_keys().collect(), next), (vec![short], None), "somebody comes at 60");
        assert_eq!(present.poll(at(60)).0.into_keys().collect::<Vec<_>>(), [long]);
    }
}
