//! What it is: how the servers of a cluster reach each other: what carries their messages, and by what names they go.
//! What it is not: a carrier, such as Redis; applications bring one. What the messages say is `cluster_message`.
//! Who calls it: applications bring one to `SocketIo::join_cluster`; `servers` sends by it.

use std::{borrow::Borrow, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use engineio::Sid;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Characters of a server's name that the ids of its sockets begin with.
const MARK: usize = 6;

/// Carries messages from one server of a cluster to the others: by Redis, NATS, Postgres or whatever else the servers
/// share. A closure that takes a message and publishes it is one.
///
/// What arrives is for [`SocketIo::receive`](crate::SocketIo::receive). A carrier may lose messages, but brings none
/// twice, keeps their order between two servers, and brings none of other clusters. Whoever can write to it is trusted
/// as the application is: messages are checked for their form, not for their sender. They have in them what is emitted,
/// and of sockets that are [fetched](crate::Broadcast::fetch_sockets) queries and
/// [kept headers](engineio::Http::kept_headers), so whoever can read it is trusted, too.
pub trait Carrier: Send + Sync + 'static {
    /// Brings a message to all other servers; that it also comes back to this one is of no matter. It is called where
    /// the application emits, so it must not wait: a queue is what most carriers have here.
    fn publish(&self, message: Bytes);

    /// Brings a message to one server alone. By default all get it, and the others leave it: where answers are large,
    /// a channel for each server saves them the reading.
    fn send(&self, _server: &ServerId, message: Bytes) {
        self.publish(message);
    }

    /// Bytes that are enough for one message: answers of many clients that are longer come in several. Default 256 KiB.
    fn usual_size(&self) -> usize {
        256 << 10
    }
}

impl<F: Fn(Bytes) + Send + Sync + 'static> Carrier for F {
    fn publish(&self, message: Bytes) {
        self(message);
    }
}

/// The name of a server in its cluster: 20 characters of the URL-safe base64 alphabet, drawn when it is made.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerId(Arc<str>);

impl ServerId {
    pub(crate) fn draw() -> Self {
        Self(Sid::draw().as_str().into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the ids of its sockets begin with, by which other servers know that they are its own.
    pub(crate) fn mark(&self) -> &str {
        &self.0[..MARK]
    }

    /// The beginning of what may be the id of a socket, which is the same as the mark of its server.
    pub(crate) fn mark_of(id: &str) -> Option<&str> {
        Sid::parse(id).and_then(|_| id.get(..MARK))
    }
}

impl Serialize for ServerId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ServerId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // Of another length or other letters it is nobody's.
        let id = Sid::parse(&text).ok_or_else(|| Error::custom("no name of a server"))?;
        Ok(Self(id.as_str().into()))
    }
}

impl Borrow<str> for ServerId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerId({self})")
    }
}

/// Times of a cluster, with the names and defaults of the reference's `ClusterAdapterWithHeartbeat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterTimes {
    /// So often each server says that it is there (`heartbeatInterval`); at least a millisecond. Default 5 s.
    pub heartbeat_interval: Duration,
    /// A server that has said nothing for so long is no longer waited for (`heartbeatTimeout`); at least twice
    /// `heartbeat_interval`. Default 10 s.
    pub heartbeat_timeout: Duration,
    /// How long answers of servers are waited for (`requestsTimeout`); those of their clients have the time of
    /// [`Broadcast::timeout`](crate::Broadcast::timeout) before. Default 5 s.
    pub request_timeout: Duration,
}

impl Default for ClusterTimes {
    fn default() -> Self {
        let [heartbeat_interval, heartbeat_timeout, request_timeout] = [5, 10, 5].map(Duration::from_secs);
        Self { heartbeat_interval, heartbeat_timeout, request_timeout }
    }
}

impl ClusterTimes {
    /// The same, with those at their least that are below.
    pub(crate) fn checked(self) -> Self {
        let heartbeat_interval = self.heartbeat_interval.max(Duration::from_millis(1));
        let heartbeat_timeout = self.heartbeat_timeout.max(heartbeat_interval.saturating_mul(2));
        Self { heartbeat_interval, heartbeat_timeout, ..self }
    }
}
