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
    time::{Duration, Instant},
};

use dashmap::DashMap;
use engineio::{Revision, Sent};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::{
    args::{self, Args},
    changes::{Changes, Listener},
    corks::Corks,
    data::Values,
    decoder::Incoming,
    error::{ConnectError, DisconnectReason, EmitError, JoinError},
    id::SocketId,
    limits::Limits,
    parser::Parser,
    peer::{Peer, Stage},
    recovery::{Greeting, Recoverable, Released},
    rooms::{Room, Rooms},
    target::{Event, Target},
};

/// What a hub tells of its peers, outside its locks.
pub(crate) trait Observer: Send + Sync {
    /// A peer that had joined is about to leave, but is still in its rooms; called once.
    fn leaving(&self, _hub: &Arc<Hub>, _peer: &Arc<Peer>, _reason: DisconnectReason) {}
    /// It has left; called once.
    fn left(&self, _hub: &Arc<Hub>, _peer: &Arc<Peer>, _reason: DisconnectReason) {}
    /// Whether `outgoing` wants to be told.
    fn hears_outgoing(&self) -> bool {
        false
    }
    /// An event is about to be sent to a peer, which may still be joining or have gone.
    fn outgoing(&self, _hub: &Arc<Hub>, _peer: &Arc<Peer>, _event: &Incoming) {}
}

/// What is the same in all namespaces of a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terms {
    pub(crate) limits: Arc<Limits>,
    pub(crate) parser: Parser,
    /// How long a broadcast may wait for more; a namespace may have its own.
    pub(crate) flush_delay: Duration,
}

/// The peers and rooms of one namespace.
pub(crate) struct Hub {
    pub(crate) path: String,
    /// The parameters in its name, a JSON object; empty where the name was not written as a pattern.
    pub(crate) params: Box<str>,
    pub(crate) limits: Arc<Limits>,
    /// Writes what is sent.
    pub(crate) parser: Parser,
    /// What the application gave to the namespace.
    pub(crate) state: Values,
    peers: DashMap<SocketId, Arc<Peer>>,
    rooms: Rooms<Arc<Peer>>,
    changes: Changes,
    /// One counter for all sockets, so that an event that asks many for an ack is encoded once.
    next_ack: AtomicU64,
    /// When clients can come back. Taken before all other locks, and held while an event is delivered or a peer comes,
    /// goes, joins or leaves: so positions in the history are the order in which each peer got its events.
    pub(crate) recovery: Option<Mutex<Recoverable>>,
    /// When broadcasts may wait.
    corks: Option<Corks>,
    observer: Box<dyn Observer>,
}

impl Hub {
    pub(crate) fn new(
        path: String,
        params: Box<str>,
        Terms { limits, parser, flush_delay }: Terms,
        state: Values,
        on_room: Option<Listener>,
        recovery: Option<Recoverable>,
        observer: Box<dyn Observer>,
    ) -> Self {
        Self {
            path,
            params,
            limits,
            parser,
            state,
            peers: DashMap::new(),
            rooms: Rooms::default(),
            changes: Changes::new(on_room),
            next_ack: AtomicU64::new(0),
            recovery: recovery.map(Mutex::new),
            corks: Corks::new(flush_delay),
            observer,
        }
    }

    pub(crate) fn recovery(&self) -> Option<MutexGuard<'_, Recoverable>> {
        let recovery = self.recovery.as_ref()?;
        Some(recovery.lock().unwrap_or_else(PoisonError::into_inner))
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
        let _hold = (!incoming.is_empty()).then(|| peer.engine.hold());
        state.stage = Stage::Draining { incoming, _hold };
        let connect = self.parser.connect(&self.path, peer.id(), pid.as_ref(), peer.revision());
        // A connection that has just ended is about to say so; the peer leaves then.
        let mut is_sent = true;
        for encoded in missed.into_iter().chain([connect]) {
            is_sent &= peer.send_now(&encoded).is_ok();
        }
        for encoded in outgoing {
            let kept = recovery.as_mut().and_then(|recovery| recovery.emit_to(&encoded, peer.id(), Instant::now()));
            is_sent &= peer.send_now(kept.as_ref().unwrap_or(&encoded)).is_ok();
        }
        peer.mark(recovery.as_ref().and_then(|recovery| recovery.mark()).filter(|_| is_sent));
        self.peers.insert(peer.id().clone(), peer.clone());
        for room in &state.rooms {
            self.enter(room, peer);
        }
        drop((state, recovery));
        self.changes.tell();
        true
    }

    /// Takes a peer out of the namespace. `farewell` is sent when it had joined, after the last broadcast it gets.
    /// Says whether it had joined; only then is the observer told, and only the first time.
    pub(crate) fn remove(self: &Arc<Self>, peer: &Arc<Peer>, reason: DisconnectReason, farewell: bool) -> bool {
        self.remove_from(self.recovery(), peer, reason, farewell)
    }

    /// The same for who has the lock already.
    pub(crate) fn remove_from<'a>(
        self: &'a Arc<Self>,
        mut recovery: Option<MutexGuard<'a, Recoverable>>,
        peer: &Arc<Peer>,
        reason: DisconnectReason,
        farewell: bool,
    ) -> bool {
        // Dropped last: its namespace may go away with it.
        let _stay;
        let mut state = peer.state();
        match state.stage {
            // Whoever was first takes it out.
            Stage::Leaving => return false,
            Stage::Draining { .. } | Stage::Connected => {
                state.stage = Stage::Leaving;
                drop((state, recovery));
                self.observer.leaving(self, peer, reason);
                recovery = self.recovery();
                state = peer.state();
            }
            Stage::Connecting { .. } | Stage::Gone => {}
        }
        let stage = peer.depart(&mut state);
        let released =
            recovery.as_mut().map(|recovery| recovery.release(peer, reason.is_recoverable(), Instant::now()));
        let Released { is_kept, given_up, expire_at } = released.unwrap_or_default();
        if !is_kept {
            _stay = state.stay.take();
        }
        let (had_joined, was_joining) = (matches!(stage, Stage::Leaving), matches!(stage, Stage::Connecting { .. }));
        if had_joined {
            self.peers.remove(peer.id());
            for room in &state.rooms {
                self.exit(room, peer);
            }
        } else if was_joining && !is_kept && reason != DisconnectReason::TakenOver {
            // Those that its middlewares joined for it, and nobody has after it.
            state.rooms = Vec::new();
        }
        drop((state, recovery));
        if farewell && was_joining {
            // Its connect handler sent it away: that is a refusal, which its client waits for.
            let refusal = self.parser.connect_error(&self.path, &ConnectError::refused(), peer.revision());
            let _ended = peer.send_now(&refusal);
        }
        if let Some(given_up) = given_up {
            given_up.let_go();
        }
        if let Some(at) = expire_at {
            tokio::spawn(expire(Arc::downgrade(self), at));
        }
        if !had_joined {
            return false;
        }
        self.changes.tell();
        if farewell {
            // A connection that has ended needs no farewell.
            let _ended = peer.send_now(&self.parser.disconnect(&self.path));
        }
        self.observer.left(self, peer, reason);
        true
    }

    /// Lets a peer join rooms, all of them or none, and then leave others. `forced` is for a room that has the id of
    /// another socket for its name.
    pub(crate) fn join(
        &self,
        peer: &Arc<Peer>,
        rooms: &[Room],
        forced: bool,
        then_leave: &[Room],
    ) -> Result<(), JoinError> {
        for room in rooms {
            self.check_name(peer, room, forced)?;
        }
        {
            let mut recovery = self.recovery();
            let mut state = peer.state();
            if matches!(state.stage, Stage::Gone) {
                return Err(JoinError::Disconnected);
            }
            let mut added: Vec<Room> = Vec::new();
            for room in rooms {
                // In the room of its own id it is anyway.
                let is_in = room.as_str() == peer.id().as_str() || state.rooms.contains(room) || added.contains(room);
                if !is_in {
                    added.push(room.clone());
                }
            }
            let leaves = |room: &Room| then_leave.contains(room) && !rooms.contains(room);
            let stays = state.rooms.iter().filter(|room| !leaves(room)).count();
            if !added.is_empty() && stays + added.len() > self.limits.max_rooms {
                return Err(JoinError::TooManyRooms);
            }
            // While its connect handler runs, others do not see it in a room.
            if !matches!(state.stage, Stage::Connecting { .. }) {
                added.iter().for_each(|room| self.enter(room, peer));
                state.rooms.iter().filter(|room| leaves(room)).for_each(|room| self.exit(room, peer));
            }
            if let Some(recovery) = &mut recovery {
                let now = Instant::now();
                added.iter().for_each(|room| recovery.join(peer.id(), room, now));
                let left = state.rooms.iter().filter(|room| leaves(room));
                left.for_each(|room| recovery.leave(peer.id(), room, now));
            }
            state.rooms.retain(|room| !leaves(room));
            state.rooms.append(&mut added);
        }
        self.changes.tell();
        Ok(())
    }

    fn check_name(&self, peer: &Peer, room: &Room, forced: bool) -> Result<(), JoinError> {
        if room.as_str().len() > self.limits.max_room_name {
            return Err(JoinError::NameTooLong);
        }
        if !forced && room.as_str() != peer.id().as_str() && self.peers.contains_key(room.as_str()) {
            return Err(JoinError::OtherSocket);
        }
        Ok(())
    }

    /// Lets a peer leave the rooms that are meant.
    pub(crate) fn leave(&self, peer: &Arc<Peer>, is_meant: impl Fn(&Room) -> bool) {
        {
            let mut recovery = self.recovery();
            let mut state = peer.state();
            if matches!(state.stage, Stage::Gone) {
                return;
            }
            let is_known = !matches!(state.stage, Stage::Connecting { .. });
            state.rooms.retain(|room| {
                let leaves = is_meant(room);
                if leaves && is_known {
                    self.exit(room, peer);
                }
                if let Some(recovery) = recovery.as_mut().filter(|_| leaves) {
                    recovery.leave(peer.id(), room, Instant::now());
                }
                !leaves
            });
        }
        self.changes.tell();
    }

    /// Others see the peer in the room.
    fn enter(&self, room: &Room, peer: &Arc<Peer>) {
        self.rooms.join(room, peer.id(), peer.clone(), |change| self.changes.note(change));
    }

    fn exit(&self, room: &Room, peer: &Peer) {
        self.rooms.leave(room, peer.id(), |change| self.changes.note(change));
    }

    /// Encodes an event of this namespace.
    pub(crate) fn event<T: Serialize + ?Sized>(
        &self,
        name: &str,
        args: &T,
        ack: Option<u64>,
    ) -> Result<Event, EmitError> {
        let encoded = self.parser.event(&self.path, name, args, ack)?;
        let received = if self.observer.hears_outgoing() {
            Some(Arc::new(Incoming { name: name.into(), args: args::received(args)?, ack }))
        } else {
            None
        };
        Ok(Event { encoded, received })
    }

    /// Sends to each peer that is meant, once; what is volatile only to those who are ready for it.
    /// Returns to how many it was sent.
    pub(crate) fn deliver(self: &Arc<Self>, target: &Target, event: &Event, volatile: bool) -> usize {
        let Event { encoded, received } = event;
        if received.is_some() {
            // The application's code runs: below no lock.
            self.peers(target).iter().for_each(|peer| self.tell_outgoing(peer, event));
        }
        let mut recovery = self.recovery();
        let kept = recovery.as_mut().and_then(|recovery| match volatile {
            true => recovery.pass(encoded),
            false => recovery.emit(encoded, &target.rooms, &target.except, Instant::now()),
        });
        let mark = recovery.as_ref().and_then(|recovery| recovery.mark());
        let (mut sent, mut corked) = (0, Vec::new());
        self.select(target, |peer| {
            let encoded = kept.as_ref().filter(|_| peer.revision() == Revision::V4).unwrap_or(encoded);
            let queued = if volatile {
                peer.send_volatile(encoded) == Ok(Sent::Queued)
            } else if self.corks.is_some() {
                peer.send_corked(encoded, &mut corked).is_ok()
            } else {
                peer.send_now(encoded).is_ok()
            };
            sent += usize::from(queued);
            // What a connection that has ended did not take, the client does not have.
            peer.mark(mark.filter(|_| queued));
        });
        if let Some(corks) = &self.corks {
            corks.keep(corked);
        }
        sent
    }

    /// Sends to one peer, or keeps it while its connect handler runs. If the peer is gone and its client may come back,
    /// or has, it is for that client. What is volatile is only for a client that is there and ready for it.
    pub(crate) fn send(self: &Arc<Self>, peer: &Arc<Peer>, event: &Event, volatile: bool) -> Result<Sent, EmitError> {
        self.tell_outgoing(peer, event);
        let encoded = &event.encoded;
        // Held to the end: meanwhile nobody is let in, and nobody leaves.
        let Some(mut recovery) = self.recovery() else { return peer.send_flagged(encoded, volatile) };
        if peer.is_connecting() || peer.revision() == Revision::V3 {
            return peer.send_flagged(encoded, volatile);
        }
        if volatile {
            let passed = recovery.pass(encoded);
            return peer.send_flagged(passed.as_ref().unwrap_or(encoded), true);
        }
        let Some(kept) = recovery.emit_to(encoded, peer.id(), Instant::now()) else {
            return peer.send_flagged(encoded, false);
        };
        if let Some(peer) = self.peer(peer.id().as_str()) {
            // If its connection has just ended, the event waits for its client.
            let is_sent = peer.send_now(&kept).is_ok();
            peer.mark(recovery.mark().filter(|_| is_sent));
        }
        Ok(Sent::Queued)
    }

    /// Sends an event to one peer and expects an answer; `None` when it is volatile and was dropped.
    pub(crate) fn ask(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        id: u64,
        event: &Event,
        volatile: bool,
    ) -> Result<Option<oneshot::Receiver<Args>>, EmitError> {
        self.tell_outgoing(peer, event);
        peer.ask(id, &event.encoded, volatile, self.limits.max_pending_acks)
    }

    fn tell_outgoing(self: &Arc<Self>, peer: &Arc<Peer>, event: &Event) {
        if let Some(received) = &event.received {
            self.observer.outgoing(self, peer, received);
        }
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

    /// The members of a room, and the socket with that id: each socket is in the room of its own id, and few others
    /// are (`forced`).
    fn select_room(&self, room: &str, except: &HashSet<SocketId>, mut each: impl FnMut(&SocketId, &Arc<Peer>)) {
        if let Some(peer) = self.peer(room).filter(|peer| !except.contains(peer.id())) {
            each(peer.id(), &peer);
        }
        self.rooms.for_each(room, except, each);
    }

    fn ids(&self, room: &str) -> Vec<SocketId> {
        let mut ids = self.rooms.ids(room);
        ids.extend(self.peer(room).map(|peer| peer.id().clone()));
        ids
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
        let Some((given_up, next)) = expired else { return };
        given_up.iter().for_each(|peer| peer.let_go());
        let Some(next) = next else { return };
        at = next;
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("path", &self.path).field("peers", &self.peers.len()).finish_non_exhaustive()
    }
}
