//! What it is: which sockets of a namespace may come back after their connection was lost, and with what.
//! What it is not: the peers themselves, nor a clock; the time is an argument.
//! Who calls it: a namespace's `hub`, which holds it behind one lock.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use engineio::Revision;

use crate::{
    history::{History, Missed},
    id::SocketId,
    ledger::{Account, Ledger},
    parser::Encoded,
    peer::Peer,
    pid::{Claim, MAX_OFFSET, Pid},
    rooms::Room,
    stats::Unrecovered,
};

/// Connection state recovery (`connectionStateRecovery`): a client that lost its connection and comes back in time
/// has its id, its rooms and what was [`set`](crate::Socket::set) again, and is sent what it missed.
///
/// A client is new instead when it was away for too long, when something it missed had to go, and when it missed more
/// than [`max_outbox_bytes`](engineio::Config::max_outbox_bytes): then its connection ends once more before. Nothing is
/// dropped meanwhile, whatever [`slow_consumer`](engineio::Config::slow_consumer) says.
#[derive(Debug, Clone, Copy)]
pub struct Recovery {
    /// How it is found out what a client missed. Default [`RecoveryMode::Full`].
    pub mode: RecoveryMode,
    /// How long a client may be away (`maxDisconnectionDuration`); `Duration::MAX` is for ever. Default 2 min.
    pub max_disconnection_duration: Duration,
    /// Whether the [middlewares](crate::Namespace::middleware) of a namespace are not called for a client that is
    /// recovered (`skipMiddlewares`). The connect handler is. Default `true`.
    pub skip_middlewares: bool,
    /// *Ours.* Bytes that each namespace keeps: its events, with what it takes to keep them. Of what
    /// [rooms keep](crate::Namespace::room_history) and send to who joins them, it keeps a reference for each event and
    /// socket, of some 100 bytes. Who needs an event that had to go is not recovered. Default 16 MiB.
    pub max_bytes: usize,
    /// *Ours.* Bytes that all namespaces keep together. Beyond it those forget all of theirs that were not emitted to
    /// for longest. Default 256 MiB.
    pub total_bytes: usize,
    /// *Ours.* Sockets that each namespace keeps while they are away, with the request of their connection, their rooms
    /// and what was [`set`](crate::Socket::set). Above it the one that left first is given up. Default 10,000.
    pub max_sessions: usize,
}

/// How a server finds out what a client missed that comes back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RecoveryMode {
    /// As the reference: each event without an ack has one more argument at its end, a string, by which the client says
    /// how far it came. It is sent what it missed, and nothing twice.
    #[default]
    Full,
    /// *Ours.* Events are sent as they are. A client is sent again what it has not shown to have, by the answer to a
    /// ping, or by a GET behind the one that brought it; so it gets some events twice, of about one
    /// [`ping_interval`](engineio::Config::ping_interval) at most, and has to tell by itself.
    ///
    /// Stock clients take whatever text stands last in an event for an offset, and bring it in their CONNECT. So that
    /// it is short, an event that ends with a text of more than 1024 bytes is followed by one without a name.
    Buffer,
}

impl Default for Recovery {
    fn default() -> Self {
        Self {
            mode: RecoveryMode::default(),
            max_disconnection_duration: Duration::from_secs(120),
            skip_middlewares: true,
            max_bytes: 16 * 1024 * 1024,
            total_bytes: 256 * 1024 * 1024,
            max_sessions: 10_000,
        }
    }
}

/// The sockets that may come back to one namespace, those that are connected among them, and its history.
#[derive(Debug)]
pub(crate) struct Recoverable {
    history: Account,
    sessions: HashMap<SocketId, Session>,
    /// Those that are away, in the order in which they left, which is the order in which they expire.
    away: BTreeMap<u64, SocketId>,
    /// The number of the next one that leaves.
    next_away: u64,
    /// Whether somebody will call `expire`.
    is_watched: bool,
    options: Recovery,
    /// How long a connection may be dead before it is known to be.
    silence: Duration,
}

/// What there is of a socket from its first connection to its last.
///
/// ```text
/// admit -> Held -- release, kept --> Away -- expire, or too many --> forgotten
///          |  ^                       |
///          |  +-- passed -- Passing <-+-- claim
///          |                 ^  +-- release --> forgotten
///          +-- claim: the connection before is not known to be dead
///          +-- release, not kept --> forgotten
/// ```
#[derive(Debug)]
struct Session {
    pid: Pid,
    /// The position up to which the client has everything, by its own word or because it was not there before.
    seen: u64,
    /// The peer that holds it, or held it last: its rooms and data are the session's.
    peer: Arc<Peer>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// A peer was let in with it at this time, or is about to be.
    Held(Option<Instant>),
    /// A peer claimed it, and waits until the one before has left.
    Passing,
    /// As this `number` of `away`, no longer than `until`, if that is ever. Its connection worked as long as to bring
    /// it everything up to the position `confirmed`.
    Away { number: u64, until: Option<Instant>, confirmed: u64 },
}

/// What a peer is sent before anything else when it is let in.
#[derive(Debug, Default)]
pub(crate) struct Greeting {
    pub(crate) missed: Vec<Encoded>,
    pub(crate) pid: Option<Pid>,
}

/// What is to be done when a peer was released.
#[derive(Debug, Default)]
pub(crate) struct Released {
    /// Whether its session is kept for its client.
    pub(crate) is_kept: bool,
    /// Given up for it, to be dropped without locks: the application's data go with it.
    pub(crate) given_up: Option<Arc<Peer>>,
    /// When to call `expire`, if nobody will yet.
    pub(crate) expire_at: Option<Instant>,
}

impl Recoverable {
    /// Nobody yet. A connection is known to be dead after `silence`.
    pub(crate) fn new(options: Recovery, silence: Duration, ledger: &Arc<Ledger>) -> Self {
        let retention = options.max_disconnection_duration.saturating_add(silence);
        Self {
            history: ledger.open(History::new(options.max_bytes, retention)),
            sessions: HashMap::new(),
            away: BTreeMap::new(),
            next_away: 0,
            is_watched: false,
            options,
            silence,
        }
    }

    /// Whether there is a socket with this id, connected or away.
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.sessions.contains_key(id)
    }

    /// Keeps an event for those who are meant, and returns it as those of them who are connected get it. `None` when
    /// it is sent as it is: nobody could come back for it, or it is one that is not kept.
    pub(crate) fn emit(&mut self, event: &Encoded, rooms: &[Room], except: &[Room], now: Instant) -> Option<Encoded> {
        let is_kept = event.is_recoverable() && !self.sessions.is_empty();
        is_kept.then(|| self.keep(event, rooms.to_vec(), except.to_vec(), now))
    }

    /// An event that is not kept, as it is sent: it says what its recipients have seen so far, because clients take any
    /// last argument that is text for that.
    pub(crate) fn pass(&self, event: &Encoded) -> Option<Encoded> {
        event.is_recoverable().then(|| self.as_sent(event, self.last()))
    }

    /// The same for an event to one socket, be it away or not.
    pub(crate) fn emit_to(&mut self, event: &Encoded, id: &SocketId, now: Instant) -> Option<Encoded> {
        let is_kept = event.is_recoverable() && self.knows(id.as_str());
        is_kept.then(|| self.keep(event, vec![id.clone().into()], Vec::new(), now))
    }

    /// The same for an event that a room keeps, of which a socket that joins it is sent a copy.
    pub(crate) fn replay(&mut self, event: &Encoded, id: &SocketId, now: Instant) -> Option<Encoded> {
        (event.is_recoverable() && self.knows(id.as_str())).then(|| {
            self.history.change(|history| history.replay(event.clone(), id.clone(), now));
            self.as_sent(event, self.last())
        })
    }

    fn keep(&mut self, event: &Encoded, rooms: Vec<Room>, except: Vec<Room>, now: Instant) -> Encoded {
        let event = self.as_sent(event, self.last() + 1);
        self.history.change(|history| history.emit(event.clone(), rooms, except, now));
        event
    }

    /// The position of the last entry.
    fn last(&self) -> u64 {
        self.history.read(History::last)
    }

    /// An event as clients get it that have seen everything up to this position with it.
    fn as_sent(&self, event: &Encoded, position: u64) -> Encoded {
        match self.options.mode {
            RecoveryMode::Full => event.with_offset(&self.history.read(|history| history.offset(position))),
            RecoveryMode::Buffer => event.with_short_end(MAX_OFFSET),
        }
    }

    /// The position up to which a peer has been sent everything that is for it, to be kept as a mark. `None` when
    /// clients tell by themselves.
    pub(crate) fn mark(&self) -> Option<u64> {
        (self.options.mode == RecoveryMode::Buffer).then(|| self.last())
    }

    /// A peer joins a room: one that was let in, or that has a session and is about to be.
    pub(crate) fn join(&mut self, id: &SocketId, room: &Room, now: Instant) {
        if self.knows(id.as_str()) {
            self.history.change(|history| history.join(id.clone(), room.clone(), now));
        }
    }

    /// Such a peer leaves a room.
    pub(crate) fn leave(&mut self, id: &SocketId, room: &Room, now: Instant) {
        if self.knows(id.as_str()) {
            self.history.change(|history| history.leave(id.clone(), room.clone(), now));
        }
    }

    /// A client comes back. If all that it missed is still there, its session passes to this peer, which gets its id;
    /// returns the peer that had it. Once that has left, [`passed`](Self::passed) is to be called.
    ///
    /// # Errors
    /// [`Unrecovered`]: the client is a new one.
    pub(crate) fn claim(&mut self, claim: &Claim, heir: &Arc<Peer>, now: Instant) -> Result<Arc<Peer>, Unrecovered> {
        let session = self.sessions.get_mut(&claim.pid.id).filter(|session| session.pid.matches(&claim.pid));
        let session = session.ok_or(Unrecovered::Unknown)?;
        let confirmed = match session.place {
            // What the one that leaves does in its rooms would be done to the one that comes.
            Place::Passing => return Err(Unrecovered::Unknown),
            Place::Held(_) if session.peer.is_leaving() => return Err(Unrecovered::Unknown),
            Place::Held(_) => session.confirmed(&self.history, now.checked_sub(self.silence)),
            Place::Away { until: Some(until), .. } if until <= now => return Err(Unrecovered::Unknown),
            Place::Away { confirmed, .. } => confirmed,
        };
        let told = match (self.options.mode, &claim.offset) {
            (RecoveryMode::Full, None) => 0,
            (RecoveryMode::Full, Some(offset)) => offset
                .as_str()
                .and_then(|offset| self.history.read(|history| history.position(offset)))
                .ok_or(Unrecovered::Gap)?,
            // What stands there is the end of some event.
            (RecoveryMode::Buffer, _) => session.peer.confirmed(),
        };
        let mut seen = told.max(session.seen);
        if !self.history.read(|history| history.covers(seen)) {
            // It heard nothing for long, which is no loss if there was nothing for it.
            seen = seen.max(confirmed);
        }
        if !self.history.read(|history| history.covers(seen)) {
            return Err(Unrecovered::Gap);
        }
        if let Place::Away { number, .. } = session.place {
            self.away.remove(&number);
        }
        heir.identify(claim.pid.id.clone(), true);
        (session.seen, session.place) = (seen, Place::Passing);
        Ok(std::mem::replace(&mut session.peer, heir.clone()))
    }

    /// The peer before this one has left.
    pub(crate) fn passed(&mut self, heir: &Arc<Peer>) {
        let session = self.sessions.get_mut(heir.id());
        if let Some(session) = session.filter(|session| Arc::ptr_eq(&session.peer, heir)) {
            session.place = Place::Held(None);
        }
    }

    /// A peer that is in these rooms is let in, for the first time or with a session that it claimed.
    pub(crate) fn admit(&mut self, peer: &Arc<Peer>, rooms: &[Room], now: Instant) -> Result<Greeting, Unrecovered> {
        // Of protocol 4 no client comes back.
        if peer.revision() == Revision::V3 {
            return Ok(Greeting::default());
        }
        let place = Place::Held(Some(now));
        match self.sessions.get_mut(peer.id()) {
            Some(session) => {
                let missed = self
                    .history
                    .read(|history| history.missed(session.seen, peer.id(), rooms))
                    .ok_or(Unrecovered::Gap)?;
                session.place = place;
                let pid = Some(session.pid.clone());
                let missed = missed.into_iter().map(|missed| match missed {
                    Missed::Sent(event) => event,
                    Missed::Replayed(event, position) => self.as_sent(&event, position),
                });
                Ok(Greeting { missed: missed.collect(), pid })
            }
            None => {
                let (pid, seen) = (Pid::draw(peer.id().clone()), self.last());
                let session = Session { pid: pid.clone(), seen, peer: peer.clone(), place };
                self.sessions.insert(peer.id().clone(), session);
                Ok(Greeting { missed: Vec::new(), pid: Some(pid) })
            }
        }
    }

    /// A peer is gone. If its session is to be kept, its client may come back for it.
    pub(crate) fn release(&mut self, peer: &Arc<Peer>, is_kept: bool, now: Instant) -> Released {
        let session = peer.known_id().and_then(|id| self.sessions.get_mut(id));
        let Some(session) = session.filter(|session| Arc::ptr_eq(&session.peer, peer)) else {
            return Released::default();
        };
        match session.place {
            Place::Held(_) if is_kept => {
                let confirmed = session.confirmed(&self.history, now.checked_sub(self.silence));
                let until = now.checked_add(self.options.max_disconnection_duration);
                let number = self.next_away;
                session.place = Place::Away { number, until, confirmed };
                self.next_away += 1;
                self.away.insert(number, peer.id().clone());
                let is_over = self.away.len() > self.options.max_sessions;
                let given_up = is_over.then(|| self.give_up_first()).flatten();
                let expire_at = until.filter(|_| !std::mem::replace(&mut self.is_watched, true));
                Released { is_kept: true, given_up, expire_at }
            }
            Place::Away { .. } if is_kept => Released { is_kept: true, ..Released::default() },
            Place::Held(_) | Place::Passing | Place::Away { .. } => {
                Released { given_up: self.remove(peer.id()), ..Released::default() }
            }
        }
    }

    /// Gives up what was kept for long enough. Returns the peers, to be dropped without locks, and when to come again.
    pub(crate) fn expire(&mut self, now: Instant) -> (Vec<Arc<Peer>>, Option<Instant>) {
        let mut given_up = Vec::new();
        loop {
            match self.first_away() {
                Some(until) if until <= now => given_up.extend(self.give_up_first()),
                next => {
                    self.history.change(|history| history.forget(now));
                    self.is_watched = next.is_some();
                    return (given_up, next);
                }
            }
        }
    }

    /// When the one that is away for longest expires.
    fn first_away(&self) -> Option<Instant> {
        let (_number, id) = self.away.first_key_value()?;
        match self.sessions.get(id)?.place {
            Place::Away { until, .. } => until,
            Place::Held(_) | Place::Passing => None,
        }
    }

    fn give_up_first(&mut self) -> Option<Arc<Peer>> {
        let (_number, id) = self.away.pop_first()?;
        self.remove(&id)
    }

    fn remove(&mut self, id: &SocketId) -> Option<Arc<Peer>> {
        let session = self.sessions.remove(id)?;
        if let Place::Away { number, .. } = session.place {
            self.away.remove(&number);
        }
        if self.sessions.is_empty() {
            self.history.change(History::clear);
        }
        Some(session.peer)
    }
}

impl Session {
    /// The position up to which the client has everything: what was emitted before `long_ago`, and also before the last
    /// ping that it answered, was sent ahead of that.
    fn confirmed(&self, history: &Account, long_ago: Option<Instant>) -> u64 {
        match (&self.place, long_ago.zip(self.peer.engine.stats().answered)) {
            // Sent on this very connection: what an earlier one lost was sent again when the peer was let in.
            (Place::Held(Some(since)), Some((long_ago, answered))) if *since <= long_ago.min(answered) => {
                let position = history.read(|history| history.position_at(long_ago.min(answered)));
                position.map_or(self.seen, |position| position.max(self.seen))
            }
            _ => self.seen,
        }
    }
}
