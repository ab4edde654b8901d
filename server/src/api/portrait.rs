//! What it is: a socket as the API shows it.
//! What it is not: the socket, or anything that its client keeps secret: no query, header or `auth`.
//! Who calls it: `sockets` and whatever else in `api` shows some.

use std::{net::IpAddr, sync::Arc, time::Duration};

use engineio::Stats;
use serde::Serialize;
use serde_json::value::RawValue;
use socketio::{Room, Socket, SocketId, Transport};

use super::{Api, seconds};
use crate::member::{self, Member};

/// A client that takes longer than this to answer a ping is slow.
const PATIENCE: Duration = Duration::from_secs(2);

/// A part of what may wait for a client: one that has more waiting is slow.
const PART: usize = 4;

/// What is shown of a socket. What concerns its connection is of all namespaces that this carries.
#[derive(Serialize)]
pub(super) struct Portrait {
    sid: SocketId,
    namespace: String,
    /// Not yet, while its application is asked whether to let it in.
    connected: bool,
    user: Option<Arc<str>>,
    transport: &'static str,
    remote: Option<IpAddr>,
    /// Seconds since it came; also of one that was away for a moment and is recovered.
    age: f64,
    packets_received: u64,
    bytes_received: u64,
    packets_sent: u64,
    bytes_sent: u64,
    queue_packets: usize,
    queue_bytes: usize,
    /// Answers that its client owes.
    pending_acks: usize,
    /// Seconds that its client took to answer the last ping.
    round_trip: Option<f64>,
    /// Why it may be slow.
    slow: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rooms: Option<Vec<Room>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Option<Arc<RawValue>>>,
}

impl Portrait {
    /// All but its rooms and its session, which may be large.
    pub(super) fn of(socket: &Socket, api: &Api) -> Self {
        let (member, stats) = (Member::of(socket), socket.stats());
        Self {
            sid: socket.id(),
            namespace: socket.namespace_name().to_owned(),
            connected: socket.is_connected(),
            user: member.user(),
            transport: stats.transport.name(),
            remote: socket.handshake().remote.map(|remote| remote.ip().to_canonical()),
            age: seconds(member.since.elapsed().unwrap_or_default()),
            packets_received: stats.packets_received,
            bytes_received: stats.bytes_received,
            packets_sent: stats.packets_sent,
            bytes_sent: stats.bytes_sent,
            queue_packets: stats.outbox_packets,
            queue_bytes: stats.outbox_bytes,
            pending_acks: socket.pending_acks(),
            round_trip: stats.round_trip.map(seconds),
            slow: reasons(&stats, api.bounds.max_queue),
            rooms: None,
            session: None,
        }
    }

    /// The same with its rooms.
    pub(super) fn with_rooms(socket: &Socket, api: &Api) -> Self {
        Self { rooms: Some(member::rooms(socket)), ..Self::of(socket, api) }
    }

    /// All of it.
    pub(super) fn whole(socket: &Socket, api: &Api) -> Self {
        Self { session: Some(Member::of(socket).session()), ..Self::with_rooms(socket, api) }
    }
}

fn reasons(stats: &Stats, (max_packets, max_bytes): (usize, usize)) -> Vec<&'static str> {
    let is_late = |time: Option<Duration>| time.is_some_and(|time| time > PATIENCE);
    let waits = stats.outbox_packets > max_packets / PART || stats.outbox_bytes > max_bytes / PART;
    let reasons = [
        // Each answer to it is a request of its own.
        ("polling", stats.transport == Transport::Polling),
        ("queue", waits),
        ("unanswered_ping", is_late(stats.unanswered)),
        ("round_trip", is_late(stats.round_trip)),
    ];
    reasons.into_iter().filter(|(_, is_so)| *is_so).map(|(reason, _)| reason).collect()
}
