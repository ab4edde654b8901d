//! What it is: one namespace's peers and rooms: who joins, who leaves, who is sent what.
//! What it is not: aware of handlers; it is told what to call when a peer has left.
//! Who calls it: sockets, broadcasts, and `client`.

use std::{
    collections::HashSet,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use dashmap::DashMap;
use engineio::Revision;

use crate::{
    error::{ConnectError, DisconnectReason, EmitError},
    id::SocketId,
    packet::{self, Encoded},
    peer::{Peer, Stage},
    pid::Claim,
    recovery::{Greeting, Recoverable, Released},
    rooms::{Room, Rooms},
};

/// Called once for each peer that had joined and has left.
type OnLeave = dyn Fn(&Arc<Hub>, &Arc<Peer>, DisconnectReason) + Send + Sync;

/// The peers and rooms of one namespace.
pub(crate) struct Hub {
    pub(crate) path: String,
    peers: DashMap<SocketId, Arc<Peer>>,
    rooms: Rooms<Arc<Peer>>,
    /// One counter for all sockets, so that an event that asks many for an ack is encoded once.
    next_ack: AtomicU64,
    /// When clients can come back. Taken before all other locks, and held while an event is delivered or a peer comes,
    /// goes, joins or leaves: so positions in the history are the order in which each peer got its events.
    recovery: Option<Mutex<Recoverable>>,
    on_leave: Box<OnLeave>,
}

/// Who is meant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Target {
    /// Rooms or socket ids; none means everybody.
    pub(crate) rooms: Vec<Room>,
    /// Rooms or socket ids to leave out.
    pub(crate) except: Vec<Room>,
}

impl Hub {
    pub(crate) fn new(
        path: String,
        recovery: Option<Recoverable>,
        on_leave: impl Fn(&Arc<Hub>, &Arc<Peer>, DisconnectReason) + Send + Sync + 'static,
    ) -> Self {
        let (peers, rooms, next_ack) = (DashMap::new(), Rooms::default(), AtomicU64::new(0));
        Self { path, peers, rooms, next_ack, recovery: recovery.map(Mutex::new), on_leave: Box::new(on_leave) }
    }

    fn recovery(&self) -> Option<MutexGuard<'_, Recoverable>> {
        let recovery = self.recovery.as_ref()?;
        Some(recovery.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The peer for a client that comes back and can be recovered: that of its id, with its rooms and data.
    pub(crate) fn restore(self: &Arc<Self>, engine: &engineio::Socket, auth: &str) -> Option<Arc<Peer>> {
        if engine.encoding().revision == Revision::V3 {
            return None;
        }
        let claim = self.recovery.as_ref().and_then(|_| Claim::parse(auth))?;
        let heir = |id| Arc::new(Peer::recovered(id, engine.clone(), auth));
        let (heir, before) = self.recovery()?.claim(&claim, heir, Instant::now())?;
        // A client has one connection: whatever else there is on this one will not be heard.
        self.remove(&before, DisconnectReason::TakenOver, false);
        before.engine.close();
        let (rooms, data) = {
            let state = before.state();
            (state.rooms.clone(), state.data.clone())
        };
        let mut state = heir.state();
        (state.rooms, state.data) = (rooms, data);
        drop(state);
        Some(heir)
    }

    /// Lets a peer in: answers its CONNECT, sends what waited behind it, makes it known to rooms and broadcasts.
    /// Says whether it was still there.
    pub(crate) fn admit(&self, peer: &Arc<Peer>) -> bool {
        let mut recovery = self.recovery();
        let mut state = peer.state();
        let Stage::Connecting { outgoing, incoming } = &mut state.stage else { return false };
        let (outgoing, incoming) = (std::mem::take(outgoing), std::mem::take(incoming));
        let admitted = recovery.as_mut().map(|recovery| recovery.admit(peer, &state.rooms, Instant::now()));
        let Ok(Greeting { missed, pid }) = admitted.unwrap_or(Ok(Greeting::default())) else {
            // Its handler was told that it is recovered, which is no longer true: it has to come again.
            peer.depart(&mut state);
            recovery.map(|mut recovery| recovery.release(peer, false, Instant::now()));
            peer.engine.close();
            return false;
        };
        state.stage = Stage::Draining { incoming };
        let connect = packet::connect(&self.path, &peer.id, pid.as_ref(), peer.revision());
        for encoded in missed.into_iter().chain([connect]) {
            // A connection that has just ended is about to say so; the peer leaves then.
            let _ended = peer.send_now(&encoded);
        }
        for encoded in outgoing {
            let kept = recovery.as_mut().and_then(|recovery| recovery.emit_to(&encoded, &peer.id, Instant::now()));
            let _ended = peer.send_now(kept.as_ref().unwrap_or(&encoded));
        }
        self.peers.insert(peer.id.clone(), peer.clone());
        for room in &state.rooms {
            self.rooms.join(room.clone(), peer.id.clone(), peer.clone());
        }
        true
    }

    /// Takes a peer out of the namespace. `farewell` is sent when it had joined, after the last broadcast it gets.
    /// Says whether it had joined; only then is `on_leave` called, and only the first time.
    pub(crate) fn remove(self: &Arc<Self>, peer: &Arc<Peer>, reason: DisconnectReason, farewell: bool) -> bool {
        let mut recovery = self.recovery();
        let mut state = peer.state();
        let stage = peer.depart(&mut state);
        let released =
            recovery.as_mut().map(|recovery| recovery.release(peer, reason.is_recoverable(), Instant::now()));
        if farewell && matches!(stage, Stage::Connecting { .. }) {
            // Its connect handler sent it away: that is a refusal, which its client waits for.
            let _ended = peer.send_now(&packet::connect_error(&self.path, &ConnectError::refused(), peer.revision()));
        }
        let had_joined = matches!(stage, Stage::Draining { .. } | Stage::Connected);
        if had_joined {
            self.peers.remove(&peer.id);
            for room in &state.rooms {
                self.rooms.leave(room.as_str(), &peer.id);
            }
        }
        drop((state, recovery));
        let Released { given_up, expire_at } = released.unwrap_or_default();
        drop(given_up);
        if let Some(at) = expire_at {
            tokio::spawn(expire(Arc::downgrade(self), at));
        }
        if !had_joined {
            return false;
        }
        if farewell {
            // A connection that has ended needs no farewell.
            let _ended = peer.send_now(&packet::disconnect(&self.path));
        }
        (self.on_leave)(self, peer, reason);
        true
    }

    pub(crate) fn join(&self, peer: &Arc<Peer>, room: Room) {
        let recovery = self.recovery();
        let mut state = peer.state();
        if state.rooms.contains(&room) {
            return;
        }
        match state.stage {
            Stage::Gone => return,
            // Others see it in the room once it is admitted.
            Stage::Connecting { .. } => {}
            Stage::Draining { .. } | Stage::Connected => {
                self.rooms.join(room.clone(), peer.id.clone(), peer.clone());
                if let Some(mut recovery) = recovery {
                    recovery.join(&peer.id, &room, Instant::now());
                }
            }
        }
        state.rooms.push(room);
    }

    pub(crate) fn leave(&self, peer: &Peer, room: &str) {
        let recovery = self.recovery();
        let mut state = peer.state();
        if matches!(state.stage, Stage::Gone) {
            return;
        }
        let Some(at) = state.rooms.iter().position(|joined| joined.as_str() == room) else { return };
        let room = state.rooms.remove(at);
        self.rooms.leave(room.as_str(), &peer.id);
        if let Some(mut recovery) = recovery
            && !matches!(state.stage, Stage::Connecting { .. })
        {
            recovery.leave(&peer.id, &room, Instant::now());
        }
    }

    /// Sends to each peer that is meant, once. Returns to how many it was sent.
    pub(crate) fn deliver(&self, target: &Target, encoded: &Encoded) -> usize {
        let mut recovery = self.recovery();
        let kept = recovery
            .as_mut()
            .and_then(|recovery| recovery.emit(encoded, &target.rooms, &target.except, Instant::now()));
        let mut sent = 0;
        self.select(target, |peer| {
            let encoded = kept.as_ref().filter(|_| peer.revision() == Revision::V4).unwrap_or(encoded);
            sent += usize::from(peer.send_now(encoded).is_ok());
        });
        sent
    }

    /// Sends to one peer, or keeps it while its connect handler runs. If the peer is gone and its client may come back,
    /// or has, it is for that client.
    pub(crate) fn send(&self, peer: &Arc<Peer>, encoded: Encoded) -> Result<(), EmitError> {
        // Held to the end: meanwhile nobody is let in, and nobody leaves.
        let Some(mut recovery) = self.recovery() else { return peer.send(encoded) };
        if peer.is_connecting() {
            return peer.send(encoded);
        }
        let Some(kept) = recovery.emit_to(&encoded, &peer.id, Instant::now()) else { return peer.send(encoded) };
        if let Some(peer) = self.peer(peer.id.as_str()) {
            // If its connection has just ended, the event waits for its client.
            let _ended = peer.send_now(&kept);
        }
        Ok(())
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

/// Gives up, again and again, those who have been away for long enough, until nobody is away.
async fn expire(hub: Weak<Hub>, mut at: Instant) {
    loop {
        tokio::time::sleep_until(at.into()).await;
        let Some(hub) = hub.upgrade() else { return };
        let expired = hub.recovery().map(|mut recovery| recovery.expire(Instant::now()));
        let Some((_given_up, Some(next))) = expired else { return };
        at = next;
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("path", &self.path).field("peers", &self.peers.len()).finish_non_exhaustive()
    }
}
