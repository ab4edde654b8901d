//! What it is: the figures of a whole server: what is counted in its namespaces, and what there is at a moment.
//! What it is not: those of one connection, which are the engine's.
//! Who calls it: `hub`, `emission` and `identity` count; `server` shows.

use std::sync::atomic::{AtomicU64, Ordering};

use engineio::{CloseReason, SendError};

/// How a server is doing, see [`SocketIo::stats`](crate::SocketIo::stats). What is counted is so from its start on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Bytes that wait for all clients together.
    pub outbox_bytes: usize,
    /// Bytes that rooms [keep](crate::Namespace::room_history), with what it takes to keep them.
    pub history_bytes: usize,
    /// Events of these that were sent to sockets that joined.
    pub replayed: u64,
    /// Events that had to wait for the interval of a [throttle](crate::Namespace::room_throttle). Of those that wait
    /// for the same one, only the latest is sent.
    pub throttled: u64,
    /// Clients that were [recovered](crate::Recovery).
    pub recovered: u64,
    /// Clients that asked for it and came as new ones, for their session is not there: they were away for too long, or
    /// it was given up for others, or it was that of another process.
    pub unknown_sessions: u64,
    /// The same, because something that they missed had to go.
    pub missed_too_much: u64,
    /// Events that were not sent to a socket, as they were [volatile](crate::SocketOperator::volatile) and its client
    /// was not ready for them.
    pub dropped_volatile: u64,
    /// Events that found a client with too much waiting for it already, which is cut off for that. What waited is lost,
    /// too, and not counted.
    pub dropped_slow: u64,
    /// Events for a socket whose connection had ended, and that do not wait for its client to be recovered.
    pub dropped_closed: u64,
}

/// What is counted in all namespaces of a server.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    replayed: AtomicU64,
    throttled: AtomicU64,
    recovered: AtomicU64,
    unknown_sessions: AtomicU64,
    missed_too_much: AtomicU64,
    dropped_volatile: AtomicU64,
    dropped_slow: AtomicU64,
    dropped_closed: AtomicU64,
}

/// Why a client that asks to be recovered is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unrecovered {
    /// There is no such session, or it cannot be had.
    Unknown,
    /// Some of what it missed is forgotten.
    Gap,
}

/// What of one event was not sent.
#[derive(Debug, Default)]
pub(crate) struct Dropped {
    volatile: u64,
    slow: u64,
    closed: u64,
}

impl Dropped {
    /// A client was not ready for it.
    pub(crate) fn note_volatile(&mut self) {
        self.volatile += 1;
    }

    /// A connection did not take it.
    pub(crate) fn note(&mut self, error: SendError) {
        match error {
            SendError::Closed(CloseReason::SlowConsumer) => self.slow += 1,
            _ => self.closed += 1,
        }
    }
}

impl Counts {
    /// A socket that joins is sent so many events.
    pub(crate) fn note_replayed(&self, events: usize) {
        add(&self.replayed, events as u64);
    }

    /// An event has to wait.
    pub(crate) fn note_throttled(&self) {
        add(&self.throttled, 1);
    }

    /// A client was let in that is recovered.
    pub(crate) fn note_recovered(&self) {
        add(&self.recovered, 1);
    }

    /// A client that asked for it is not.
    pub(crate) fn note_unrecovered(&self, why: Unrecovered) {
        add(if why == Unrecovered::Gap { &self.missed_too_much } else { &self.unknown_sessions }, 1);
    }

    /// So much of an event was not sent.
    pub(crate) fn note_dropped(&self, Dropped { volatile, slow, closed }: &Dropped) {
        add(&self.dropped_volatile, *volatile);
        add(&self.dropped_slow, *slow);
        add(&self.dropped_closed, *closed);
    }

    /// All of them, with what there is at the moment.
    pub(crate) fn stats(&self, outbox_bytes: usize, history_bytes: usize) -> ServerStats {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ServerStats {
            outbox_bytes,
            history_bytes,
            replayed: count(&self.replayed),
            throttled: count(&self.throttled),
            recovered: count(&self.recovered),
            unknown_sessions: count(&self.unknown_sessions),
            missed_too_much: count(&self.missed_too_much),
            dropped_volatile: count(&self.dropped_volatile),
            dropped_slow: count(&self.dropped_slow),
            dropped_closed: count(&self.dropped_closed),
        }
    }
}

/// Nothing is written where there is nothing to be counted.
fn add(count: &AtomicU64, more: u64) {
    if more > 0 {
        count.fetch_add(more, Ordering::Relaxed);
    }
}
