//! What it is: one namespace's peers and rooms: who joins, who leaves, who is sent what.
//! What it is not: aware of handlers; it is told what to call when a peer has left.
//! Who calls it: sockets, broadcasts, and `client`.

use std::{
    collections::HashSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use dashmap::DashMap;
use serde::Serialize;

use crate::{
    args,
    decoder::Incoming,
    error::{ConnectError, DisconnectReason, EmitError},
    id::SocketId,
    packet::{self, Encoded},
    peer::{Peer, Stage},
    rooms::{Room, Rooms},
};

/// What a hub tells of its peers, outside its locks.
pub(crate) trait Observer: Send + Sync {
    /// A peer that had joined is about to leave, but is still in its rooms; called once.
    fn leaving(&self, hub: &Arc<Hub>, peer: &Arc<Peer>, reason: DisconnectReason);
    /// It has left; called once.
    fn left(&self, hub: &Arc<Hub>, peer: &Arc<Peer>, reason: DisconnectReason);
    /// Whether `outgoing` wants to be told.
    fn hears_outgoing(&self) -> bool;
    /// An event is about to be sent to a peer, which may still be joining or have gone.
    fn outgoing(&self, hub: &Arc<Hub>, peer: &Arc<Peer>, event: &Incoming);
}

/// The peers and rooms of one namespace.
pub(crate) struct Hub {
    pub(crate) path: String,
    /// The parameters in its name, a JSON object; empty where the name was not written as a pattern.
    pub(crate) params: Box<str>,
    peers: DashMap<SocketId, Arc<Peer>>,
    rooms: Rooms<Arc<Peer>>,
    /// One counter for all sockets, so that an event that asks many for an ack is encoded once.
    next_ack: AtomicU64,
    observer: Box<dyn Observer>,
}

/// Who is meant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Target {
    /// Rooms or socket ids; none means everybody.
    pub(crate) rooms: Vec<Room>,
    /// Rooms or socket ids to leave out.
    pub(crate) except: Vec<Room>,
}

/// An event to be sent.
pub(crate) struct Event {
    encoded: Encoded,
    /// What its recipients get, for the observer; `None` when that does not want to be told.
    received: Option<Incoming>,
}

impl Hub {
    pub(crate) fn new(path: String, params: Box<str>, observer: Box<dyn Observer>) -> Self {
        let (peers, rooms) = (DashMap::new(), Rooms::default());
        Self { path, params, peers, rooms, next_ack: AtomicU64::new(0), observer }
    }

    /// Lets a peer in: answers its CONNECT, sends what waited behind it, makes it known to rooms and broadcasts.
    /// Says whether it was still there.
    pub(crate) fn admit(&self, peer: &Arc<Peer>) -> bool {
        let mut state = peer.state();
        let Stage::Connecting { outgoing, incoming } = &mut state.stage else { return false };
        let (outgoing, incoming) = (std::mem::take(outgoing), std::mem::take(incoming));
        state.stage = Stage::Draining { incoming };
        for encoded in std::iter::once(packet::connect(&self.path, &peer.id, peer.revision())).chain(outgoing) {
            // A connection that has just ended is about to say so; the peer leaves then.
            let _ended = peer.send_now(&encoded);
        }
        self.peers.insert(peer.id.clone(), peer.clone());
        for room in &state.rooms {
            self.rooms.join(room.clone(), peer.id.clone(), peer.clone());
        }
        true
    }

    /// Takes a peer out of the namespace. `farewell` is sent when it had joined, after the last broadcast it gets.
    /// Says whether it had joined; only then is the observer told, and only the first time.
    pub(crate) fn remove(self: &Arc<Self>, peer: &Arc<Peer>, reason: DisconnectReason, farewell: bool) -> bool {
        // Dropped last: its namespace may go away with it.
        let _stay;
        let mut state = peer.state();
        match state.stage {
            // Whoever was first takes it out.
            Stage::Leaving => return false,
            Stage::Draining { .. } | Stage::Connected => {
                state.stage = Stage::Leaving;
                drop(state);
                self.observer.leaving(self, peer, reason);
                state = peer.state();
            }
            Stage::Connecting { .. } | Stage::Gone => {}
        }
        let stage = peer.depart(&mut state);
        _stay = state.stay.take();
        if farewell && matches!(stage, Stage::Connecting { .. }) {
            // Its connect handler sent it away: that is a refusal, which its client waits for.
            let _ended = peer.send_now(&packet::connect_error(&self.path, &ConnectError::refused(), peer.revision()));
        }
        if !matches!(stage, Stage::Leaving) {
            // Those that its middlewares joined for it.
            state.rooms = Vec::new();
            return false;
        }
        self.peers.remove(&peer.id);
        for room in &state.rooms {
            self.rooms.leave(room.as_str(), &peer.id);
        }
        drop(state);
        if farewell {
            // A connection that has ended needs no farewell.
            let _ended = peer.send_now(&packet::disconnect(&self.path));
        }
        self.observer.left(self, peer, reason);
        true
    }

    pub(crate) fn join(&self, peer: &Arc<Peer>, room: Room) {
        let mut state = peer.state();
        if state.rooms.contains(&room) {
            return;
        }
        match state.stage {
            Stage::Gone => return,
            // Others see it in the room once it is admitted.
            Stage::Connecting { .. } => {}
            Stage::Draining { .. } | Stage::Connected | Stage::Leaving => {
                self.rooms.join(room.clone(), peer.id.clone(), peer.clone());
            }
        }
        state.rooms.push(room);
    }

    pub(crate) fn leave(&self, peer: &Peer, room: &str) {
        let mut state = peer.state();
        if matches!(state.stage, Stage::Gone) {
            return;
        }
        state.rooms.retain(|joined| joined.as_str() != room);
        self.rooms.leave(room, &peer.id);
    }

    /// Sends to each peer that is meant, once. Returns to how many it was sent.
    pub(crate) fn deliver(self: &Arc<Self>, target: &Target, event: &Event) -> usize {
        let Event { encoded, received } = event;
        let mut sent = 0;
        if let Some(received) = received {
            // The application's code runs: not below the locks of the tables.
            for peer in self.peers(target) {
                self.observer.outgoing(self, &peer, received);
                sent += usize::from(peer.send_now(encoded).is_ok());
            }
            return sent;
        }
        self.select(target, |peer| sent += usize::from(peer.send_now(encoded).is_ok()));
        sent
    }

    /// Sends an event to one peer, or keeps it while its connect handler runs.
    pub(crate) fn emit(self: &Arc<Self>, peer: &Arc<Peer>, event: Event) -> Result<(), EmitError> {
        if let Some(received) = &event.received {
            self.observer.outgoing(self, peer, received);
        }
        peer.send(event.encoded)
    }

    /// Encodes an event of this namespace.
    pub(crate) fn event<T: Serialize + ?Sized>(
        &self,
        name: &str,
        args: &T,
        ack: Option<u64>,
    ) -> Result<Event, EmitError> {
        let encoded = packet::event(&self.path, name, args, ack)?;
        let received = if self.observer.hears_outgoing() {
            Some(Incoming { name: name.into(), args: args::received(args)?, ack })
        } else {
            None
        };
        Ok(Event { encoded, received })
    }

    /// All peers that are meant.
    pub(crate) fn peers(&self, target: &Target) -> Vec<Arc<Peer>> {
        let mut peers = Vec::new();
        self.select(target, |peer| peers.push(peer.clone()));
        peers
    }

    /// Calls `each` once for every peer that is meant. A lock of the tables is held meanwhile.
    fn select(&self, target: &Target, mut each: impl FnMut(&Arc<Peer>)) {
        let except: HashSet<SocketId> = target.except.iter().flat_map(|room| self.ids(room.as_str())).collect();
        match target.rooms.as_slice() {
            [] => {
                for peer in &self.peers {
                    if !except.contains(peer.key()) {
                        each(peer.value());
                    }
                }
            }
            [room] => self.select_room(room.as_str(), &except, |_, peer| each(peer)),
            rooms => {
                let mut seen = except;
                for room in rooms {
                    let mut found = Vec::new();
                    self.select_room(room.as_str(), &seen, |id, peer| {
                        found.push(id.clone());
                        each(peer);
                    });
                    seen.extend(found);
                }
            }
        }
    }

    /// The members of a room, or the socket with that id: each socket is alone in the room of its own id.
    fn select_room(&self, room: &str, except: &HashSet<SocketId>, mut each: impl FnMut(&SocketId, &Arc<Peer>)) {
        match self.peer(room) {
            Some(peer) if except.contains(&peer.id) => {}
            Some(peer) => each(&peer.id, &peer),
            None => self.rooms.for_each(room, except, each),
        }
    }

    fn ids(&self, room: &str) -> Vec<SocketId> {
        self.peer(room).map_or_else(|| self.rooms.ids(room), |peer| vec![peer.id.clone()])
    }

    fn peer(&self, id: &str) -> Option<Arc<Peer>> {
        self.peers.get(id).map(|peer| peer.clone())
    }

    /// A new id for an event that wants an answer.
    pub(crate) fn next_ack(&self) -> u64 {
        self.next_ack.fetch_add(1, Ordering::Relaxed)
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("path", &self.path).field("peers", &self.peers.len()).finish_non_exhaustive()
    }
}
