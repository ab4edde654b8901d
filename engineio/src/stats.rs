//! What it is: the figures of one session, as they are at a moment.
//! What it is not: kept; whoever wants to see them change asks again.
//! Who calls it: `socket`, for applications that want to see them.

use std::time::{Duration, Instant};

use crate::{protocol::Transport, session::Session};

/// How a session is doing, see [`Socket::stats`](crate::Socket::stats).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The transport in use now, or in the end.
    pub transport: Transport,
    /// Messages and heartbeats received so far.
    pub packets_received: u64,
    /// Bytes of these messages.
    pub bytes_received: u64,
    /// Packets queued for the client so far, those included that still wait.
    pub packets_sent: u64,
    /// Bytes of these, frame headers included.
    pub bytes_sent: u64,
    /// Packets that wait for the client.
    pub outbox_packets: usize,
    /// Bytes that wait for the client, frame headers included.
    pub outbox_bytes: usize,
    /// Time from the last ping to its answer; of what waited before the ping, that is a part. `None`
    /// while the last ping has no answer, and in revision 3, where clients send the pings.
    pub round_trip: Option<Duration>,
    /// Time for which the last ping has been waiting for its answer; `None` when it does not wait.
    pub unanswered: Option<Duration>,
    /// When the last ping was queued that was answered in time: what was sent before then has arrived. `None` before,
    /// and in revision 3.
    pub answered: Option<Instant>,
}

impl Session {
    /// How it is doing.
    pub fn stats(&self, now: Instant) -> Stats {
        let (packets_received, bytes_received) = self.received;
        Stats {
            transport: self.transport(),
            packets_received,
            bytes_received,
            packets_sent: self.outbox.last(),
            bytes_sent: self.outbox.total(),
            outbox_packets: self.outbox.len(),
            outbox_bytes: self.outbox.bytes(),
            round_trip: self.heartbeat.round_trip(),
            unanswered: self.heartbeat.unanswered(now),
            answered: self.heartbeat.answered(),
        }
    }
}
