//! What it is: what clients are told of who is in their room, in the order in which that changes.
//! What it is not: who is there (`presence`), nor the rooms (`hub`), of whose changes it is told behind their locks.
//! Who calls it: a namespace's changes; `served` makes one if the application wants it.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Instant,
};

use engineio::Revision;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    changes::Change,
    cluster::ServerId,
    cluster_message::{Attendee, Attending},
    hub::Hub,
    id::SocketId,
    presence::{Attendant, Identification, Members, PresenceRules, Present},
    rooms::{Room, RoomChange},
    target::{Event, Target},
    timer::now,
};

/// Who is in the rooms of a namespace, for those who are in them.
#[derive(Debug)]
pub(crate) struct Attendance {
    pub(crate) rules: Arc<PresenceRules>,
    /// Taken for a few steps; changes come one at a time.
    pub(crate) present: Arc<Mutex<Present>>,
    pub(crate) hub: Weak<Hub>,
}

impl Attendance {
    /// Something has changed. No lock is held.
    pub(crate) fn note(&self, change: &Change) {
        let Some(hub) = self.hub.upgrade() else { return };
        match change {
            Change::Room(RoomChange::Join(room, id)) => self.join(&hub, room, id),
            Change::Room(RoomChange::Leave(room, id)) => self.leave(&hub, room, id),
            Change::Room(RoomChange::Create(_) | RoomChange::Delete(_)) => {}
            Change::Time => self.expire(&hub),
            Change::Elsewhere(server, Attending::Came(attendee)) => {
                self.come(&hub, server, std::slice::from_ref(attendee));
            }
            Change::Elsewhere(server, Attending::Went(room, id)) => {
                self.go(&hub, room, &Attendant(Some(server.clone()), id.clone()));
            }
            Change::Elsewhere(server, Attending::All(attendees)) => self.reconcile(&hub, server, attendees),
            Change::Gone(server) => self.reconcile(&hub, server, &[]),
            Change::Show(server) => {
                let all = self.present().of(None).into_iter();
                let all = all.map(|(room, id, user, info)| Attendee { room, id, user, info }).collect();
                hub.servers.show(server.as_ref(), &hub.path, all);
            }
        }
    }

    /// Sockets of another server join rooms there.
    fn come(&self, hub: &Arc<Hub>, server: &ServerId, attendees: &[Attendee]) {
        let mut come: BTreeMap<&Room, Members> = BTreeMap::new();
        let mut present = self.present();
        for Attendee { room, id, user, info } in attendees {
            if self.rules.of(Some(room.as_str())).is_some()
                && present.join(room, &Attendant(Some(server.clone()), id.clone()), user, info)
            {
                come.entry(room).or_default().extend(present.member(room.as_str(), user));
            }
        }
        drop(present);
        for (room, joins) in come {
            let Some(rule) = self.rules.of(Some(room.as_str())) else { continue };
            let target = Target { rooms: vec![room.clone()], except: Vec::new() };
            tell(hub, &rule.diff_event, target, joins, Members::new());
        }
    }

    /// Of a server it is known who is in its rooms: nobody else any more.
    fn reconcile(&self, hub: &Arc<Hub>, server: &ServerId, attendees: &[Attendee]) {
        let there: HashSet<_> = attendees.iter().map(|come| (&come.room, &come.id, &come.user)).collect();
        let known = self.present().of(Some(server));
        for (room, id, ..) in known.iter().filter(|(room, id, user, _)| !there.contains(&(room, id, user))) {
            self.go(hub, room, &Attendant(Some(server.clone()), id.clone()));
        }
        self.come(hub, server, attendees);
    }

    fn join(&self, hub: &Arc<Hub>, room: &Room, id: &SocketId) {
        let Some(rule) = self.rules.of(Some(room.as_str())) else { return };
        // It may have left meanwhile, which is told next.
        let Some(peer) = hub.peer(id.as_str()) else { return };
        let known = peer.state().data.get::<Identification>();
        let (user, info) = match known {
            Some(known) => (known.user.clone(), known.info.clone()),
            // That id is a credential.
            None if peer.revision() == Revision::V3 => (SocketId::draw().to_string(), Value::Null),
            None => (id.to_string(), Value::Null),
        };
        let mut present = self.present();
        let is_new = present.join(room, &Attendant(None, id.clone()), &user, &info);
        let (members, joins) = (present.members(room.as_str()), present.member(room.as_str(), &user));
        drop(present);
        if let Some(event) = event(hub, &rule.state_event, &json!({ "room": room.as_str(), "members": members })) {
            hub.tell(&peer, &event);
        }
        if is_new {
            let (rooms, except) = (vec![room.clone()], vec![id.clone().into()]);
            tell(hub, &rule.diff_event, Target { rooms, except }, joins, Members::new());
        }
        if hub.servers.have_cluster() {
            let attendee = Attendee { room: room.clone(), id: id.clone(), user, info };
            hub.servers.attend(&hub.path, Attending::Came(attendee));
        }
    }

    fn leave(&self, hub: &Arc<Hub>, room: &Room, id: &SocketId) {
        self.go(hub, room, &Attendant(None, id.clone()));
        if hub.servers.have_cluster() && self.rules.of(Some(room.as_str())).is_some() {
            hub.servers.attend(&hub.path, Attending::Went(room.clone(), id.clone()));
        }
    }

    fn go(&self, hub: &Arc<Hub>, room: &Room, socket: &Attendant) {
        let Some(rule) = self.rules.of(Some(room.as_str())) else { return };
        let at = self.present().leave(room, socket, rule.grace, now());
        // Who leaves was let in, or another server said so: it is known where tasks run.
        if let Some((at, runtime)) = at.zip(hub.runtime.get()) {
            runtime.spawn(expire(Arc::downgrade(hub), at));
        }
    }

    fn expire(&self, hub: &Arc<Hub>) {
        let (gone, next): (BTreeMap<Room, Members>, _) = self.present().poll(now());
        for (room, leaves) in gone {
            let Some(rule) = self.rules.of(Some(room.as_str())) else { continue };
            let target = Target { rooms: vec![room], except: Vec::new() };
            tell(hub, &rule.diff_event, target, Members::new(), leaves);
        }
        if let Some((at, runtime)) = next.zip(hub.runtime.get()) {
            runtime.spawn(expire(Arc::downgrade(hub), at));
        }
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the members of a room who came or went.
fn tell(hub: &Arc<Hub>, name: &str, target: Target, joins: Members, leaves: Members) {
    let room = target.rooms.first().map(Room::as_str).unwrap_or_default();
    if let Some(event) = event(hub, name, &json!({ "room": room, "joins": joins, "leaves": leaves })) {
        hub.deliver(&target, &event, false);
    }
}

/// An event that is neither kept nor held back; `None` when the application gave it a name that none may have.
fn event(hub: &Hub, name: &str, args: &impl Serialize) -> Option<Event> {
    Some(Event { name: None, ..hub.event(name, args, None).ok()? })
}

/// Lets time be noted behind what happened before.
async fn expire(hub: Weak<Hub>, at: Instant) {
    tokio::time::sleep_until(at.into()).await;
    if let Some(hub) = hub.upgrade() {
        hub.note(Change::Time);
    }
}
