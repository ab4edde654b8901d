//! What it is: one client in one namespace, as the server keeps it: its stage, rooms, pending acks, connection.
//! What it is not: the handle applications hold (`socket`), nor the tables it stands in (`hub`).
//! Who calls it: `hub` admits and removes it; `client` feeds it.

use std::{
    collections::VecDeque,
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use engineio::{Hold, Revision, SendError, Sent};
use tokio::sync::oneshot;

use crate::{
    acks::Acks,
    args::Args,
    data::Values,
    decoder::Incoming,
    error::{DisconnectReason, EmitError},
    id::{Identified, SocketId},
    limits::Limits,
    load::Load,
    marks::Marks,
    parser::Encoded,
    rooms::Room,
};

/// One client in one namespace.
pub(crate) struct Peer {
    /// Set once, when its namespace is found: nobody sees it before.
    identity: OnceLock<Identity>,
    pub(crate) engine: engineio::Socket,
    /// What it sent as `auth`, a JSON object; empty when it sent nothing.
    pub(crate) auth: Box<str>,
    /// Taken for a few steps; before the locks of the hub's tables, never after them.
    state: Mutex<State>,
    /// Taken for a few steps; behind the state, never before it.
    acks: Mutex<Acks>,
    /// Taken for a few steps, and no other lock behind it. None where there is no history.
    marks: Mutex<Option<Box<Marks>>>,
}

/// Who a peer is.
#[derive(Debug)]
struct Identity {
    id: SocketId,
    /// Whether it came back, with the session of a peer before it.
    is_recovered: bool,
}

/// The stage of a peer, the rooms it is in, and what the application keeps with it.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) stage: Stage,
    /// Kept when it is gone, so that its disconnect handler can still tell its rooms.
    pub(crate) rooms: Vec<Room>,
    /// Kept for the same reason.
    pub(crate) data: Values,
    /// Its events whose handlers are under way, if there are any.
    pub(crate) load: Option<Box<Load>>,
    /// What keeps its namespace from going away; dropped when the peer is gone.
    pub(crate) stay: Option<Stay>,
}

/// Dropping it tells that the peer is gone.
pub(crate) type Stay = Box<dyn fmt::Debug + Send + Sync>;

/// ```text
/// CONNECT -> Connecting -- handler Ok --> Draining -- no event waits --> Connected
///                 |                          |                              |
///                 |                          +-- disconnect, either side ---+--> Leaving
///                 |                                                                 |
///                 +-- handler Err, or gone -----------------------------------------+--> Gone
/// ```
#[derive(Debug)]
pub(crate) enum Stage {
    /// The connect handler runs: what is sent waits behind its CONNECT, and so do the client's events.
    Connecting(Box<Waiting>),
    /// Joined; events that came meanwhile are handled first.
    Draining(Box<Waiting>),
    /// Joined.
    Connected,
    /// Its disconnecting handler runs: still in its rooms, but no event is handled any more.
    Leaving {
        /// Whether its client may come back for its session, by all the reasons to leave that there were so far.
        may_return: bool,
    },
    /// Left, or refused.
    Gone(DisconnectReason),
}

impl Default for Stage {
    fn default() -> Self {
        Self::Connecting(Box::default())
    }
}

/// What waits for the connect handler. A box of it is all that a peer has of it, once it has joined not even that.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) outgoing: Vec<Encoded>,
    pub(crate) incoming: VecDeque<Incoming>,
    /// While what came is handled, nothing more is read.
    pub(crate) hold: Option<Hold>,
}

/// What is to be done with an event that arrived.
#[derive(Debug, PartialEq)]
pub(crate) enum Arrival {
    /// Handle it now.
    Handle(Incoming),
    /// It waits, or its socket is gone: nothing.
    Kept,
    /// Too many wait already: close the connection.
    TooMany,
}

impl Identified for Arc<Peer> {
    fn id(&self) -> &SocketId {
        Peer::id(self)
    }
}

impl Peer {
    /// A client that asks to join a namespace.
    pub(crate) fn new(engine: engineio::Socket, auth: &str) -> Self {
        // A copy: a slice would keep the whole read buffer for as long as the client stays.
        let auth = auth.into();
        let (state, acks, marks) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { identity: OnceLock::new(), engine, auth, state, acks, marks }
    }

    /// Its namespace is found: it is a new socket with this id, or that of the one before it.
    pub(crate) fn identify(&self, id: SocketId, is_recovered: bool) {
        self.identity.set(Identity { id, is_recovered }).expect("a peer is identified once");
    }

    /// Its id, once it has one.
    pub(crate) fn known_id(&self) -> Option<&SocketId> {
        self.identity.get().map(|identity| &identity.id)
    }

    pub(crate) fn id(&self) -> &SocketId {
        self.known_id().expect("nobody knows of a peer before it is identified")
    }

    pub(crate) fn is_recovered(&self) -> bool {
        self.identity.get().is_some_and(|identity| identity.is_recovered)
    }

    pub(crate) fn revision(&self) -> Revision {
        self.engine.encoding().revision
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn acks(&self) -> MutexGuard<'_, Acks> {
        self.acks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a packet, or keeps it while the connect handler runs.
    pub(crate) fn send(&self, encoded: &Encoded) -> Result<(), EmitError> {
        self.send_flagged(encoded, false).map(drop)
    }

    /// Sends a packet; one that is volatile only if it can leave at once, so never while the connect handler runs.
    pub(crate) fn send_flagged(&self, encoded: &Encoded, volatile: bool) -> Result<Sent, EmitError> {
        self.send_in(&mut self.state().stage, encoded, volatile)
    }

    /// Sends an event and expects an answer under its id, `None` when it is volatile and was dropped.
    pub(crate) fn ask(
        &self,
        id: u64,
        encoded: &Encoded,
        volatile: bool,
        max_pending: usize,
    ) -> Result<Option<oneshot::Receiver<Args>>, EmitError> {
        let mut state = self.state();
        // Held until the answer is expected, so that it cannot come before.
        let mut acks = self.acks();
        if acks.len() >= max_pending {
            return Err(EmitError::TooManyAcks);
        }
        let sent = self.send_in(&mut state.stage, encoded, volatile)?;
        Ok((sent == Sent::Queued).then(|| acks.expect(id)))
    }

    fn send_in(&self, stage: &mut Stage, encoded: &Encoded, volatile: bool) -> Result<Sent, EmitError> {
        match stage {
            Stage::Connecting(_) if volatile => Ok(Sent::Dropped),
            Stage::Connecting(waiting) => {
                waiting.outgoing.push(encoded.clone());
                Ok(Sent::Queued)
            }
            Stage::Draining(_) | Stage::Connected | Stage::Leaving { .. } if volatile => {
                self.send_volatile(encoded).map_err(|_| EmitError::Disconnected)
            }
            Stage::Draining(_) | Stage::Connected | Stage::Leaving { .. } => {
                self.send_now(encoded).map(|()| Sent::Queued).map_err(|_| EmitError::Disconnected)
            }
            Stage::Gone(_) => Err(EmitError::Disconnected),
        }
    }

    /// Sends a packet if it can leave at once, whatever the stage: the caller knows it.
    pub(crate) fn send_volatile(&self, encoded: &Encoded) -> Result<Sent, SendError> {
        self.engine.send_volatile(&encoded.first, &encoded.rest)
    }

    /// Sends a packet whatever the stage: the caller knows it.
    pub(crate) fn send_now(&self, encoded: &Encoded) -> Result<(), SendError> {
        self.engine.send_frames(&encoded.first, &encoded.rest)
    }

    /// Sends a packet that may wait for more, whatever the stage: the caller knows it. If it is the first one, its
    /// connection is put to those that are `corked`.
    pub(crate) fn send_corked(&self, encoded: &Encoded, corked: &mut Vec<engineio::Socket>) -> Result<(), SendError> {
        if self.engine.send_corked(&encoded.first, &encoded.rest)? {
            corked.push(self.engine.clone());
        }
        Ok(())
    }

    /// Its connection took everything that is for it up to this position in the history, if there is one to be kept.
    pub(crate) fn mark(&self, position: Option<u64>) {
        if let Some(position) = position {
            let progress = self.engine.progress();
            self.marks().get_or_insert_default().note(position, progress);
        }
    }

    /// The position in the history up to which its client has everything, by what its connection has shown.
    pub(crate) fn confirmed(&self) -> u64 {
        let progress = self.engine.progress();
        self.marks().as_mut().map_or(0, |marks| marks.confirm(progress))
    }

    fn marks(&self) -> MutexGuard<'_, Option<Box<Marks>>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An event of the client arrived.
    pub(crate) fn arrive(&self, event: Incoming, limits: &Limits) -> Arrival {
        let mut state = self.state();
        match &mut state.stage {
            // One that was read before the hold.
            Stage::Draining(waiting) => {
                waiting.incoming.push_back(event);
                Arrival::Kept
            }
            Stage::Connecting(waiting) => {
                let incoming = &mut waiting.incoming;
                let bytes = event.size() + incoming.iter().map(Incoming::size).sum::<usize>();
                // A client that sends more is not waiting for its CONNECT.
                if incoming.len() >= limits.max_waiting_events || bytes > limits.max_waiting_bytes {
                    return Arrival::TooMany;
                }
                incoming.push_back(event);
                Arrival::Kept
            }
            Stage::Connected => Arrival::Handle(event),
            Stage::Leaving { .. } | Stage::Gone(_) => Arrival::Kept,
        }
    }

    /// The next event that waited for the connect handler; with the last one gone, the peer is connected.
    pub(crate) fn next_waiting(&self) -> Option<Incoming> {
        let mut state = self.state();
        let Stage::Draining(waiting) = &mut state.stage else { return None };
        let event = waiting.incoming.pop_front();
        if event.is_none() {
            state.stage = Stage::Connected;
        }
        event
    }

    /// Whether it is in its namespace.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.state().stage, Stage::Draining(_) | Stage::Connected | Stage::Leaving { .. })
    }

    /// Whether its connect handler runs.
    pub(crate) fn is_connecting(&self) -> bool {
        matches!(self.state().stage, Stage::Connecting(_))
    }

    /// Whether its application is being told that it leaves.
    pub(crate) fn is_leaving(&self) -> bool {
        matches!(self.state().stage, Stage::Leaving { .. })
    }

    /// Whether it has left, or was refused.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone().is_some()
    }

    /// Why it has left, or was refused, if that is so.
    pub(crate) fn gone(&self) -> Option<DisconnectReason> {
        match self.state().stage {
            Stage::Gone(reason) => Some(reason),
            _ => None,
        }
    }

    /// It is found that its namespace is there. Says whether it still waits for that.
    pub(crate) fn stay(&self, stay: Option<Stay>) -> bool {
        let mut state = self.state();
        let is_there = !matches!(state.stage, Stage::Gone(_));
        // Of one that is gone it is dropped, after the lock.
        let _stay = if is_there { mem::replace(&mut state.stay, stay) } else { stay };
        drop(state);
        is_there
    }

    /// It no longer keeps its namespace from going away.
    pub(crate) fn let_go(&self) {
        let stay = self.state().stay.take();
        // Dropped after the lock.
        drop(stay);
    }

    /// It leaves, or is refused, before it is known whether its namespace is there.
    pub(crate) fn give_up(&self, reason: DisconnectReason) {
        self.depart(&mut self.state(), reason);
    }

    /// Marks it as gone, and says in which stage it was before.
    /// One that is gone already keeps its reason.
    pub(crate) fn depart(&self, state: &mut State, reason: DisconnectReason) -> Stage {
        self.acks().clear();
        let reason = if let Stage::Gone(before) = state.stage { before } else { reason };
        mem::replace(&mut state.stage, Stage::Gone(reason))
    }

    /// An answer came. Returns how many came so far that nobody asked for.
    pub(crate) fn resolve_ack(&self, id: u64, args: Args) -> u32 {
        // After its end nothing was expected, but something may have been on its way.
        if self.is_gone() { 0 } else { self.acks().resolve(id, args) }
    }

    pub(crate) fn pending_acks(&self) -> usize {
        self.acks().len()
    }

    pub(crate) fn forget_ack(&self, id: u64) {
        self.acks().forget(id);
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("identity", &self.identity).finish_non_exhaustive()
    }
}
