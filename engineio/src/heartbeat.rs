//! What it is: the heartbeat of one session: when a ping is due, and when its answer is overdue.
//! What it is not: the sending of pings, or the end of the session; `session` does both.
//! Who calls it: `session` only.
//!
//! ```text
//! V4:  Resting -- pingInterval: Ping --> Awaiting -- another packet, once --> Extended
//!         ^                                 |                                    |
//!         +------------ pong ---------------+------------------------------------+-- pingTimeout: TimedOut
//!      While nobody listens to the client, pingTimeout sends the next ping; the pong to the one before is owed.
//! V3:  Listening -- ping: anew --> Listening -- pingInterval + pingTimeout: TimedOut
//! ```

use std::time::{Duration, Instant};

use crate::{
    config::{Config, deadline},
    packet::Packet,
    protocol::Revision,
    reason::TransportFault,
};

/// The server's pings and the client's pongs; in revision 3 the client's pings.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    at: Instant,
    phase: Phase,
    /// Pongs since the last ping, without the one that it is answered by.
    unsolicited: u32,
    /// Pongs to pings before the last one, which were not waited for.
    owed: u16,
    trip: Trip,
    /// When the last ping was queued that was answered in time.
    answered: Option<Instant>,
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

/// The last ping and its answer.
#[derive(Debug, Clone, Copy)]
enum Trip {
    /// No ping was answered yet, or the last one never will be.
    Unknown,
    /// It was queued then, and is not answered.
    Begun(Instant),
    /// Its answer took so many microseconds. As a `Duration` all of this would be larger by half.
    Took(u32),
}

/// What a packet was to the heartbeat.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The pong that was due; in revision 3, a ping.
    Beat,
    /// What ends the session: the wrong one of the two, or too many pongs that nobody asked for.
    Fault(TransportFault),
    /// Nothing of the above.
    Other,
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
        let (at, phase) = match revision {
            // engine.io-protocol v4, "Heartbeat": the server pings, and not before one pingInterval has passed.
            Revision::V4 => (deadline(now, config.ping_interval), Phase::Resting),
            Revision::V3 => (listen(now, config), Phase::Listening),
        };
        Self { at, phase, unsolicited: 0, owed: 0, trip: Trip::Unknown, answered: None }
    }

    /// When to ask again.
    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    /// A pong ends the waiting; the first other packet while one is due shows the client alive and extends it once.
    /// A pong before its ping was `given` to the client answers nothing, as one that is not due.
    pub(crate) fn handle_packet(&mut self, now: Instant, packet: &Packet, given: bool, config: &Config) -> Heard {
        match (&self.phase, packet) {
            (Phase::Listening, Packet::Ping(_)) => {
                self.at = listen(now, config);
                Heard::Beat
            }
            (Phase::Resting | Phase::Awaiting | Phase::Extended, Packet::Pong) if self.owed > 0 => {
                self.owed -= 1;
                Heard::Other
            }
            (Phase::Awaiting | Phase::Extended, Packet::Pong) if given => {
                (self.at, self.phase) = (deadline(now, config.ping_interval), Phase::Resting);
                if let Trip::Begun(then) = self.trip {
                    self.answered = Some(then);
                    let time = now.saturating_duration_since(then).as_micros();
                    self.trip = Trip::Took(u32::try_from(time).unwrap_or(u32::MAX));
                }
                Heard::Beat
            }
            (Phase::Resting | Phase::Awaiting | Phase::Extended, Packet::Pong) => {
                self.unsolicited += 1;
                let flood = self.unsolicited > config.max_unsolicited_pongs;
                if flood { Heard::Fault(TransportFault::PongFlood) } else { Heard::Other }
            }
            // engine.io-protocol, "Heartbeat": in v4 only the server pings, in v3 only the client.
            (Phase::Resting | Phase::Awaiting | Phase::Extended, Packet::Ping(_))
            | (Phase::Listening, Packet::Pong) => Heard::Fault(TransportFault::HeartbeatDirection),
            (Phase::Awaiting, _) => {
                (self.at, self.phase) = (deadline(now, config.ping_timeout), Phase::Extended);
                Heard::Other
            }
            (Phase::Resting | Phase::Extended | Phase::Listening, _) => Heard::Other,
        }
    }

    /// Nobody listens to the client, or only now again: its pong may be there. If it took the ping, it has all its time
    /// again, and is to be sent another when it is overdue: clients take a server that does not ping for dead.
    pub(crate) fn excuse(&mut self, now: Instant, given: bool, config: &Config) {
        match self.phase {
            Phase::Awaiting | Phase::Extended if given && self.at <= now => {
                (self.phase, self.owed) = (Phase::Resting, self.owed.saturating_add(1));
                self.trip = Trip::Unknown;
            }
            Phase::Awaiting | Phase::Extended if given => self.at = self.at.max(deadline(now, config.ping_timeout)),
            Phase::Listening => self.at = listen(now, config),
            Phase::Resting | Phase::Awaiting | Phase::Extended => {}
        }
    }

    /// When the last ping was queued that was answered in time.
    pub(crate) fn answered(&self) -> Option<Instant> {
        self.answered
    }

    /// Time that the answer to the last ping took, once it has come.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        match self.trip {
            Trip::Took(micros) => Some(Duration::from_micros(micros.into())),
            Trip::Unknown | Trip::Begun(_) => None,
        }
    }

    /// Time for which a ping has been waiting for its answer.
    pub(crate) fn unanswered(&self, now: Instant) -> Option<Duration> {
        match self.trip {
            Trip::Begun(then) => Some(now.saturating_duration_since(then)),
            Trip::Unknown | Trip::Took(_) => None,
        }
    }

    /// What is to be done now.
    pub(crate) fn poll(&mut self, now: Instant, config: &Config) -> Beat {
        if now < self.at {
            return Beat::Idle;
        }
        match self.phase {
            Phase::Resting => {
                (self.at, self.phase) = (deadline(now, config.ping_timeout), Phase::Awaiting);
                (self.unsolicited, self.trip) = (0, Trip::Begun(now));
                Beat::Ping
            }
            Phase::Awaiting | Phase::Extended | Phase::Listening => Beat::TimedOut,
        }
    }
}

/// Until when a client of revision 3 may be silent.
fn listen(now: Instant, config: &Config) -> Instant {
    deadline(now, config.ping_interval.saturating_add(config.ping_timeout))
}
