//! What it is: one namespace's peers and rooms: who joins, who leaves.
//! What it is not: aware of handlers; it is told what to call when a peer has left. Who is meant is `audience`, what is
//! sent is `emission`.
//! Who calls it: sockets, broadcasts, and `client`.

use std::{
    any::Any,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use dashmap::DashSet;
use engineio::CloseReason;
use tokio::runtime::Handle;

use crate::{
    changes::{Change, Changes, Listener},
    corks::Corks,
    data::Values,
    decoder::Incoming,
    error::{ConnectError, DisconnectReason, JoinError},
    histories::{HistoryEntry, Keeper},
    id::ById,
    limits::Limits,
    parser::{Encoded, Parser},
    peer::{Peer, Stage},
    presence::{Members, Present},
    recovery::{Greeting, Recoverable, Released},
    rooms::{Room, Rooms},
    servers::Servers,
    stats::Counts,
    throttle::Throttled,
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
    /// More changes of rooms wait than whoever made them should tell: a task is to go on.
    fn go_on(&self, hub: &Arc<Hub>) {
        while hub.changes.go_on() {}
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
    pub(crate) counts: Arc<Counts>,
    pub(crate) servers: Arc<Servers>,
    pub(crate) server: Arc<Home>,
}

/// The server, for who knows its type; gone once the application has dropped it. Set once it is made.
pub(crate) type Home = OnceLock<Weak<dyn Any + Send + Sync>>;

/// What a namespace has if its application wants it.
#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) state: Values,
    pub(crate) on_room: Option<Listener>,
    pub(crate) recovery: Option<Recoverable>,
    pub(crate) keeper: Option<Keeper>,
    pub(crate) throttled: Option<Throttled>,
    pub(crate) present: Arc<Mutex<Present>>,
}

/// The peers and rooms of one namespace.
pub(crate) struct Hub {
    pub(crate) path: String,
    /// The parameters in its name, a JSON object; empty where the name was not written as a pattern.
    pub(crate) params: Box<str>,
    pub(crate) limits: Arc<Limits>,
    /// Writes what is sent.
    pub(crate) parser: Parser,
    /// Told of what is counted.
    pub(crate) counts: Arc<Counts>,
    /// The others of the cluster, if there is one.
    pub(crate) servers: Arc<Servers>,
    pub(crate) server: Arc<Home>,
    /// What the application gave to the namespace.
    pub(crate) state: Values,
    /// Those that were let in.
    pub(crate) peers: DashSet<ById<Arc<Peer>>>,
    pub(crate) rooms: Rooms<Arc<Peer>>,
    /// Read while several rooms are looked at, written while a peer moves from one to another. Taken behind a peer's
    /// state and before the locks of the tables.
    pub(crate) moving: RwLock<()>,
    pub(crate) changes: Changes,
    /// One counter for all sockets, so that an event that asks many for an ack is encoded once.
    next_ack: AtomicU64,
    /// When clients can come back. Taken before all other locks but that of `throttled`, and held while an event is
    /// delivered or a peer comes, goes, joins or leaves: so positions in the history are the order in which each peer
    /// got its events.
    pub(crate) recovery: Option<Mutex<Recoverable>>,
    /// When broadcasts may wait.
    pub(crate) corks: Option<Corks>,
    /// When rooms keep events.
    pub(crate) keeper: Option<Keeper>,
    /// When events have to wait. Taken before all other locks, and held while what has waited is sent.
    pub(crate) throttled: Option<Mutex<Throttled>>,
    /// Who is in rooms that tell it. Taken for a few steps, and no other lock behind it.
    present: Arc<Mutex<Present>>,
    /// Where tasks run; known once somebody is let in.
    pub(crate) runtime: OnceLock<Handle>,
    pub(crate) observer: Box<dyn Observer>,
}

impl Hub {
    pub(crate) fn new(
        path: String,
        params: Box<str>,
        Terms { limits, parser, flush_delay, counts, servers, server }: Terms,
        Extras { state, on_room, recovery, keeper, throttled, present }: Extras,
        observer: Box<dyn Observer>,
    ) -> Self {
        Self {
            path,
            params,
            limits,
            parser,
            counts,
            servers,
            server,
            state,
            peers: DashSet::new(),
            rooms: Rooms::default(),
            moving: RwLock::default(),
            changes: Changes::new(on_room),
            next_ack: AtomicU64::new(0),
            recovery: recovery.map(Mutex::new),
            corks: Corks::new(flush_delay),
            keeper,
            throttled: throttled.map(Mutex::new),
            present,
            runtime: OnceLock::new(),
            observer,
        }
    }

    pub(crate) fn recovery(&self) -> Option<MutexGuard<'_, Recoverable>> {
        let recovery = self.recovery.as_ref()?;
        Some(recovery.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets a peer in: answers its CONNECT, sends what waited behind it, makes it known to rooms and broadcasts.
    /// Says whether it was still there.
    pub(crate) fn admit(self: &Arc<Self>, peer: &Arc<Peer>) -> bool {
        self.runtime.get_or_init(Handle::current);
        let mut recovery = self.recovery();
        let turn = self.keeper.as_ref().map(Keeper::turn);
        let mut state = peer.state();
        let Stage::Connecting(waiting) = &mut state.stage else { return false };
        let mut waiting = std::mem::take(waiting);
        let admitted = recovery.as_mut().map(|recovery| recovery.admit(peer, &state.rooms, Instant::now()));
        let Greeting { missed, pid } = match admitted.unwrap_or(Ok(Greeting::default())) {
            Ok(greeting) => greeting,
            Err(why) => {
                // Its handler was told that it is recovered, which is no longer true: it has to come again.
                peer.depart(&mut state, DisconnectReason::Closed(CloseReason::ForcedClose));
                recovery.map(|mut recovery| recovery.release(peer, false, Instant::now()));
                peer.engine.close();
                self.counts.note_unrecovered(why);
                return false;
            }
        };
        let outgoing = std::mem::take(&mut waiting.outgoing);
        waiting.hold = (!waiting.incoming.is_empty()).then(|| peer.engine.hold());
        // Its client must not know that it is in before others can emit to it.
        let seal = peer.engine.seal();
        state.stage = Stage::Draining(waiting);
        let connect = self.parser.connect(&self.path, peer.id(), pid.as_ref(), peer.revision());
        // A connection that has just ended is about to say so; the peer leaves then.
        let mut is_sent = true;
        for encoded in missed.into_iter().chain([connect]) {
            is_sent &= peer.send_now(&encoded).is_ok();
        }
        is_sent &= send_all(peer, outgoing, |event| recovery.as_mut()?.emit_to(event, peer.id(), Instant::now()));
        // One that is recovered has it.
        if peer.is_recovered() {
            self.counts.note_recovered();
        } else {
            let joined = std::iter::once(None).chain(state.rooms.iter().map(Some));
            let replayed = self.replay(peer, joined, &state.rooms);
            self.counts.note_replayed(replayed.len());
            is_sent &= send_all(peer, replayed, |event| recovery.as_mut()?.replay(event, peer.id(), Instant::now()));
        }
        peer.mark(recovery.as_ref().and_then(|recovery| recovery.mark()).filter(|_| is_sent));
        self.peers.insert(ById(peer.clone()));
        for room in &state.rooms {
            self.enter(room, peer);
        }
        drop((state, turn, recovery));
        // What it may send was limited until here.
        peer.engine.limit(None);
        drop(seal);
        self.tell_changes();
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
        match &mut state.stage {
            // Whoever was first takes it out.
            Stage::Leaving { may_return } => {
                *may_return &= reason.is_recoverable();
                return false;
            }
            Stage::Draining(_) | Stage::Connected => {
                state.stage = Stage::Leaving { may_return: reason.is_recoverable() };
                drop((state, recovery));
                self.observer.leaving(self, peer, reason);
                recovery = self.recovery();
                state = peer.state();
            }
            Stage::Connecting(_) | Stage::Gone(_) => {}
        }
        let stage = peer.depart(&mut state, reason);
        let may_return = match stage {
            Stage::Leaving { may_return } => may_return,
            _ => reason.is_recoverable(),
        };
        let released = recovery.as_mut().map(|recovery| recovery.release(peer, may_return, Instant::now()));
        let Released { is_kept, given_up, expire_at } = released.unwrap_or_default();
        if !is_kept {
            _stay = state.stay.take();
        }
        let (had_joined, was_joining) = (matches!(stage, Stage::Leaving { .. }), matches!(stage, Stage::Connecting(_)));
        if had_joined {
            self.peers.remove(peer.id().as_str());
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
        // Who leaves may do so in a thread of the application.
        if let Some((at, runtime)) = expire_at.zip(self.runtime.get()) {
            runtime.spawn(expire(Arc::downgrade(self), at));
        }
        if !had_joined {
            return false;
        }
        self.tell_changes();
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
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        rooms: &[Room],
        forced: bool,
        then_leave: &[Room],
    ) -> Result<(), JoinError> {
        {
            let mut recovery = self.recovery();
            for room in rooms {
                self.check_name(peer, room, forced, recovery.as_deref())?;
            }
            let _turn = self.keeper.as_ref().and_then(|keeper| keeper.turn_for(rooms));
            let mut guard = peer.state();
            let state = &mut *guard;
            if matches!(state.stage, Stage::Gone(_)) {
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
            // Who is meant by several rooms is not looked for while it is in neither, or in both.
            let _moving = (!then_leave.is_empty()).then(|| self.moving.write().unwrap_or_else(PoisonError::into_inner));
            let stays = state.rooms.iter().filter(|room| !leaves(room)).count();
            if !added.is_empty() && stays + added.len() > self.limits.max_rooms {
                return Err(JoinError::TooManyRooms);
            }
            let mut replayed = self.replay(peer, added.iter().map(Some), &state.rooms);
            if matches!(state.stage, Stage::Connecting(_)) && !peer.is_recovered() {
                // It gets that when it is let in; one that is recovered would not.
                replayed = Vec::new();
            }
            self.counts.note_replayed(replayed.len());
            // While its connect handler runs, others do not see it in a room.
            if let Stage::Connecting(waiting) = &mut state.stage {
                // Among what it missed, and so ahead of what is emitted to the room meanwhile.
                let mut keep = |encoded: &Encoded| recovery.as_mut()?.replay(encoded, peer.id(), Instant::now());
                waiting.outgoing.extend(replayed.into_iter().filter(|encoded| keep(encoded).is_none()));
            } else {
                if !replayed.is_empty() {
                    let keep = |event: &Encoded| recovery.as_mut()?.replay(event, peer.id(), Instant::now());
                    let is_sent = send_all(peer, replayed, keep);
                    peer.mark(recovery.as_ref().and_then(|recovery| recovery.mark()).filter(|_| is_sent));
                }
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
        self.tell_changes();
        Ok(())
    }

    fn check_name(
        &self,
        peer: &Peer,
        room: &Room,
        forced: bool,
        recovery: Option<&Recoverable>,
    ) -> Result<(), JoinError> {
        let name = room.as_str();
        if name.len() > self.limits.max_room_name {
            return Err(JoinError::NameTooLong);
        }
        // One that is away may come back, and one may be on another server.
        let is_away = || recovery.is_some_and(|recovery| recovery.knows(name));
        let is_socket = || self.peers.contains(name) || is_away() || self.servers.have_socket(name);
        if !forced && name != peer.id().as_str() && is_socket() {
            return Err(JoinError::OtherSocket);
        }
        Ok(())
    }

    /// Lets a peer leave the rooms that are meant.
    pub(crate) fn leave(self: &Arc<Self>, peer: &Arc<Peer>, is_meant: impl Fn(&Room) -> bool) {
        {
            let mut recovery = self.recovery();
            let mut state = peer.state();
            if matches!(state.stage, Stage::Gone(_)) {
                return;
            }
            let is_known = !matches!(state.stage, Stage::Connecting(_));
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
        self.tell_changes();
    }

    /// What is kept for a peer that is in some rooms and joins others, or `None`, which is the namespace.
    fn replay<'a>(&self, peer: &Peer, joined: impl Iterator<Item = Option<&'a Room>>, is_in: &[Room]) -> Vec<Encoded> {
        let Some(keeper) = &self.keeper else { return Vec::new() };
        let is_in = |room: &Room| room.as_str() == peer.id().as_str() || is_in.contains(room);
        keeper.replay(joined, is_in, Instant::now())
    }

    /// What rooms keep, or the namespace if these are none.
    pub(crate) fn history(&self, rooms: &[Room]) -> Vec<HistoryEntry> {
        self.keeper.as_ref().map(|keeper| keeper.entries(rooms, Instant::now())).unwrap_or_default()
    }

    /// Forgets that.
    pub(crate) fn clear_history(&self, rooms: &[Room]) {
        if let Some(keeper) = &self.keeper {
            keeper.clear(rooms);
        }
    }

    /// Who is in a room that tells it.
    pub(crate) fn members(&self, room: &str) -> Members {
        self.present.lock().unwrap_or_else(PoisonError::into_inner).members(room)
    }

    /// It is later, or something has changed elsewhere.
    pub(crate) fn note(self: &Arc<Self>, change: Change) {
        self.changes.note(change);
        self.tell_changes();
    }

    /// Tells what happened to rooms. No lock may be held.
    fn tell_changes(self: &Arc<Self>) {
        if self.changes.tell() {
            self.observer.go_on(self);
        }
    }

    /// Others see the peer in the room.
    fn enter(&self, room: &Room, peer: &Arc<Peer>) {
        self.rooms.join(room, peer.clone(), |change| self.changes.note(Change::Room(change)));
    }

    fn exit(&self, room: &Room, peer: &Peer) {
        self.rooms.leave(room, peer.id(), |change| self.changes.note(Change::Room(change)));
    }

    /// All rooms, with how many are in each.
    pub(crate) fn rooms(&self) -> Vec<(Room, usize)> {
        self.rooms.sizes()
    }

    /// A new id for an event that wants an answer.
    pub(crate) fn next_ack(&self) -> u64 {
        self.next_ack.fetch_add(1, Ordering::Relaxed)
    }
}

/// Sends events to a peer that is let in, each as `keep` gives it, if that keeps it for its client. Says whether its
/// connection took them all.
fn send_all(peer: &Peer, events: Vec<Encoded>, mut keep: impl FnMut(&Encoded) -> Option<Encoded>) -> bool {
    let mut is_sent = true;
    for encoded in events {
        is_sent &= peer.send_now(keep(&encoded).as_ref().unwrap_or(&encoded)).is_ok();
    }
    is_sent
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
