//! What it is: who of a namespace is meant by rooms and exceptions.
//! What it is not: what is sent to them (`emission`), nor how they came to be in rooms (`hub`).
//! Who calls it: `emission`, and whoever looks for sockets.

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError},
};

use crate::{hub::Hub, id::SocketId, peer::Peer, target::Target};

impl Hub {
    /// All peers that are meant.
    pub(crate) fn peers(&self, target: &Target) -> Vec<Arc<Peer>> {
        let mut peers = Vec::new();
        self.select(target, |peer| peers.push(peer.clone()));
        peers
    }

    /// Whether anybody here may be meant, or what is emitted to them is kept.
    pub(crate) fn may_mean(&self, target: &Target) -> bool {
        if self.recovery.is_some() || self.keeper.is_some() {
            return true;
        }
        let rooms = &target.rooms;
        if rooms.is_empty() { !self.peers.is_empty() } else { rooms.iter().any(|room| self.has_room(room.as_str())) }
    }

    fn has_room(&self, room: &str) -> bool {
        self.peers.contains(room) || self.rooms.contains(room)
    }

    /// Calls `each` once for every peer that is meant. A lock of the tables is held meanwhile.
    pub(crate) fn select(&self, target: &Target, mut each: impl FnMut(&Arc<Peer>)) {
        let is_by_several = target.rooms.len() + target.except.len() > 1;
        let _still = is_by_several.then(|| self.moving.read().unwrap_or_else(PoisonError::into_inner));
        let except: HashSet<SocketId> = target.except.iter().flat_map(|room| self.ids(room.as_str())).collect();
        match target.rooms.as_slice() {
            [] => {
                for peer in self.peers.iter() {
                    if !except.contains(peer.0.id()) {
                        each(&peer.0);
                    }
                }
            }
            [room] => self.select_room(room.as_str(), &except, each),
            rooms => {
                let mut seen = except;
                for room in rooms {
                    let mut found = Vec::new();
                    self.select_room(room.as_str(), &seen, |peer| {
                        found.push(peer.id().clone());
                        each(peer);
                    });
                    seen.extend(found);
                }
            }
        }
    }

    /// The members of a room, and the socket with that id: each socket is in the room of its own id, and few others
    /// are (`forced`).
    fn select_room(&self, room: &str, except: &HashSet<SocketId>, mut each: impl FnMut(&Arc<Peer>)) {
        if let Some(peer) = self.peer(room).filter(|peer| !except.contains(peer.id())) {
            each(&peer);
        }
        self.rooms.for_each(room, except, each);
    }

    fn ids(&self, room: &str) -> Vec<SocketId> {
        let mut ids = self.rooms.ids(room);
        ids.extend(self.peer(room).map(|peer| peer.id().clone()));
        ids
    }

    pub(crate) fn peer(&self, id: &str) -> Option<Arc<Peer>> {
        self.peers.get(id).map(|peer| peer.0.clone())
    }
}
