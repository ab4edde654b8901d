//! What it is: by when a client must have joined a namespace, and by when the packet that it began must be whole.
//! What it is not: a timer; the session has one, and closes itself at the earlier of the two.
//! Who calls it: a connection's `client`, and the connect handlers of its namespaces.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// What one connection has yet to do in time.
#[derive(Debug)]
pub(crate) struct Deadlines {
    engine: engineio::Socket,
    /// Held while the session is told, so that it hears the last change last.
    at: Mutex<At>,
}

/// `None` where there is nothing to do, or all time for it.
#[derive(Debug, Default)]
struct At {
    join: Option<Instant>,
    packet: Option<Instant>,
}

impl Deadlines {
    /// The client has yet to join a namespace.
    pub(crate) fn new(engine: engineio::Socket, connect_timeout: Duration) -> Self {
        let deadlines = Self { engine, at: Mutex::default() };
        deadlines.change(|at| at.join = Instant::now().checked_add(connect_timeout));
        deadlines
    }

    /// The client has joined a namespace.
    pub(crate) fn joined(&self) {
        self.change(|at| at.join = None);
    }

    /// The client began a packet, which must be whole after this time.
    pub(crate) fn begin_packet(&self, timeout: Duration) {
        self.change(|at| at.packet = Instant::now().checked_add(timeout));
    }

    /// That packet is whole.
    pub(crate) fn end_packet(&self) {
        self.change(|at| at.packet = None);
    }

    fn change(&self, change: impl FnOnce(&mut At)) {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut at);
        let earliest = at.join.into_iter().chain(at.packet).min();
        self.engine.expire(earliest.map(|at| at.saturating_duration_since(Instant::now())));
    }
}
