//! What it is: one client in one namespace, as the server keeps it: its stage, rooms, pending acks, connection.
//! What it is not: the handle applications hold (`socket`), nor the tables it stands in (`hub`).
//! Who calls it: `hub` admits and removes it; `client` feeds it.

use std::{
    collections::VecDeque,
    fmt, mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use engineio::Revision;
use tokio::sync::oneshot;

use crate::{
    acks::Acks, args::Args, data::Values, decoder::Incoming, error::EmitError, id::SocketId, packet::Encoded,
    rooms::Room,
};

/// Events that may wait while the connect handler runs; a client that sends more is not waiting for its CONNECT.
const MAX_WAITING: usize = 16;

/// One client in one namespace.
pub(crate) struct Peer {
    pub(crate) id: SocketId,
    pub(crate) engine: engineio::Socket,
    /// What it sent as `auth`, a JSON object; empty when it sent nothing.
    pub(crate) auth: Box<str>,
    /// Taken for a few steps; before the locks of the hub's tables, never after them.
    state: Mutex<State>,
    /// Taken for one step.
    acks: Mutex<Acks>,
}

/// The stage of a peer, the rooms it is in, and what the application keeps with it.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) stage: Stage,
    /// Kept when it is gone, so that its disconnect handler can still tell its rooms.
    pub(crate) rooms: Vec<Room>,
    /// Kept for the same reason.
    pub(crate) data: Values,
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
    Connecting { outgoing: Vec<Encoded>, incoming: VecDeque<Incoming> },
    /// Joined; events that came meanwhile are handled first.
    Draining { incoming: VecDeque<Incoming> },
    /// Joined.
    Connected,
    /// Its disconnecting handler runs: still in its rooms, but no event is handled any more.
    Leaving,
    /// Left, or refused.
    Gone,
}

impl Default for Stage {
    fn default() -> Self {
        Self::Connecting { outgoing: Vec::new(), incoming: VecDeque::new() }
    }
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

impl Peer {
    pub(crate) fn new(id: SocketId, engine: engineio::Socket, auth: &str) -> Self {
        // A copy: a slice would keep the whole read buffer for as long as the client stays.
        let auth = auth.into();
        Self { id, engine, auth, state: Mutex::default(), acks: Mutex::default() }
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
    pub(crate) fn send(&self, encoded: Encoded) -> Result<(), EmitError> {
        let mut state = self.state();
        match &mut state.stage {
            Stage::Connecting { outgoing, .. } => {
                outgoing.push(encoded);
                Ok(())
            }
            Stage::Draining { .. } | Stage::Connected | Stage::Leaving => self.send_now(&encoded),
            Stage::Gone => Err(EmitError::Disconnected),
        }
    }

    /// Sends a packet whatever the stage: the caller knows it.
    pub(crate) fn send_now(&self, encoded: &Encoded) -> Result<(), EmitError> {
        self.engine.send_frames(&encoded.text, &encoded.attachments).map_err(|_| EmitError::Disconnected)
    }

    /// An event of the client arrived.
    pub(crate) fn arrive(&self, event: Incoming) -> Arrival {
        let mut state = self.state();
        match &mut state.stage {
            Stage::Connecting { incoming, .. } | Stage::Draining { incoming } => {
                if incoming.len() >= MAX_WAITING {
                    return Arrival::TooMany;
                }
                incoming.push_back(event);
                Arrival::Kept
            }
            Stage::Connected => Arrival::Handle(event),
            Stage::Leaving | Stage::Gone => Arrival::Kept,
        }
    }

    /// The next event that waited for the connect handler; with the last one gone, the peer is connected.
    pub(crate) fn next_waiting(&self) -> Option<Incoming> {
        let mut state = self.state();
        let Stage::Draining { incoming } = &mut state.stage else { return None };
        let event = incoming.pop_front();
        if event.is_none() {
            state.stage = Stage::Connected;
        }
        event
    }

    /// Whether it is in its namespace.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.state().stage, Stage::Draining { .. } | Stage::Connected | Stage::Leaving)
    }

    /// Whether it has left, or was refused.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.state().stage, Stage::Gone)
    }

    /// It is found that its namespace is there. Says whether it still waits for that.
    pub(crate) fn stay(&self, stay: Option<Stay>) -> bool {
        let mut state = self.state();
        let is_there = !matches!(state.stage, Stage::Gone);
        // Of one that is gone it is dropped, after the lock.
        let _stay = if is_there { mem::replace(&mut state.stay, stay) } else { stay };
        drop(state);
        is_there
    }

    /// It leaves, or is refused, before it is known whether its namespace is there.
    pub(crate) fn give_up(&self) {
        self.depart(&mut self.state());
    }

    /// Marks it as gone, and says in which stage it was before.
    pub(crate) fn depart(&self, state: &mut State) -> Stage {
        self.acks().clear();
        mem::replace(&mut state.stage, Stage::Gone)
    }

    /// Expects an answer under this id; none comes when the peer is gone.
    pub(crate) fn expect_ack(&self, id: u64) -> oneshot::Receiver<Args> {
        let receiver = self.acks().expect(id);
        if self.is_gone() {
            self.acks().clear();
        }
        receiver
    }

    pub(crate) fn resolve_ack(&self, id: u64, args: Args) {
        self.acks().resolve(id, args);
    }

    pub(crate) fn forget_ack(&self, id: u64) {
        self.acks().forget(id);
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("id", &self.id).finish_non_exhaustive()
    }
}
