//! What it is: the heartbeat of one session: when a ping is due, and when its answer is overdue.
//! What it is not: the sending of pings, or the end of the session; `session` does both.
//! Who calls it: `session` only.
//!
//! ```text
//! V4:  Resting -- pingInterval: Ping --> Awaiting -- another packet, once --> Extended
//!         ^                                 |                                    |
//!         +------------ pong ---------------+------------------------------------+-- pingTimeout: TimedOut
//! V3:  Listening -- ping: anew --> Listening -- pingInterval + pingTimeout: TimedOut
//! ```

use std::time::Instant;

use crate::{config::Config, packet::Packet, protocol::Revision};

/// The server's pings and the client's pongs; in revision 3 the client's pings.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    at: Instant,
    phase: Phase,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// The next ping is sent at `at`.
    Resting,
    /// A pong is due until `at`.
    Awaiting,
    /// As `Awaiting`, after another packet showed the client alive and moved `at` once.
    Extended,
    /// Revision 3: the client's next ping is due until `at`.
    Listening,
}

/// What the time asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    Idle,
    Ping,
    TimedOut,
}

impl Heartbeat {
    pub(crate) fn start(now: Instant, revision: Revision, config: &Config) -> Self {
        match revision {
            // engine.io-protocol v4, "Heartbeat": the server pings, and not before one pingInterval has passed.
            Revision::V4 => Self { at: now + config.ping_interval, phase: Phase::Resting },
            Revision::V3 => Self { at: now + config.ping_interval + config.ping_timeout, phase: Phase::Listening },
        }
    }

    /// When to ask again.
    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    /// A pong ends the waiting; the first other packet while one is due shows the client alive and extends it once.
    pub(crate) fn handle_packet(&mut self, now: Instant, packet: &Packet, config: &Config) {
        match (&self.phase, packet) {
            (Phase::Listening, Packet::Ping(_)) => *self = Self::start(now, Revision::V3, config),
            (Phase::Resting | Phase::Listening, _) => {}
            (_, Packet::Pong) => *self = Self::start(now, Revision::V4, config),
            (Phase::Awaiting, _) => *self = Self { at: now + config.ping_timeout, phase: Phase::Extended },
            (Phase::Extended, _) => {}
        }
    }

    /// What is to be done now.
    pub(crate) fn poll(&mut self, now: Instant, config: &Config) -> Beat {
        if now < self.at {
            return Beat::Idle;
        }
        match self.phase {
            Phase::Resting => {
                *self = Self { at: now + config.ping_timeout, phase: Phase::Awaiting };
                Beat::Ping
            }
            Phase::Awaiting | Phase::Extended | Phase::Listening => Beat::TimedOut,
        }
    }
}
