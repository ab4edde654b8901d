//! What it is: what a client has to do in time, and how often it may be refused: by when it must have joined a
//! namespace, by when the packet that it began must be whole.
//! What it is not: a timer; the session has one, and closes itself at the earlier of the two.
//! Who calls it: a connection's `client`, and the connect handlers of its namespaces; both know its `engine`.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// What is looked at closely of one connection. Connect handlers, which may run in other tasks, keep it, too.
#[derive(Debug)]
pub(crate) struct Probation {
    /// Held while the session is told, so that it hears the last change last.
    at: Mutex<At>,
    /// CONNECTs that were refused.
    refusals: AtomicU32,
}

/// `None` where there is nothing to do, or all time for it.
#[derive(Debug, Default)]
struct At {
    join: Option<Instant>,
    packet: Option<Instant>,
}

impl Probation {
    /// The client has yet to join a namespace.
    pub(crate) fn new(engine: &engineio::Socket, connect_timeout: Duration) -> Self {
        let probation = Self { at: Mutex::default(), refusals: AtomicU32::new(0) };
        probation.change(engine, |at| at.join = Instant::now().checked_add(connect_timeout));
        probation
    }

    /// The client has joined a namespace.
    pub(crate) fn joined(&self, engine: &engineio::Socket) {
        self.change(engine, |at| at.join = None);
    }

    /// The client began a packet, which must be whole after this time.
    pub(crate) fn begin_packet(&self, engine: &engineio::Socket, timeout: Duration) {
        self.change(engine, |at| at.packet = Instant::now().checked_add(timeout));
    }

    /// That packet is whole.
    pub(crate) fn end_packet(&self, engine: &engineio::Socket) {
        self.change(engine, |at| at.packet = None);
    }

    /// The client was refused: closes the connection of one that asks again and again.
    pub(crate) fn refused(&self, engine: &engineio::Socket, max: u32) {
        if self.refusals.fetch_add(1, Ordering::Relaxed) + 1 >= max {
            engine.close();
        }
    }

    fn change(&self, engine: &engineio::Socket, change: impl FnOnce(&mut At)) {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut at);
        let earliest = at.join.into_iter().chain(at.packet).min();
        engine.expire(earliest.map(|at| at.saturating_duration_since(Instant::now())));
    }
}
