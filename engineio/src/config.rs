//! What it is: the options of an engine, with the reference server's names and defaults.
//! What it is not: validation of requests; it only holds values.
//! Who calls it: users build one; every session shares it.

use std::time::{Duration, Instant};

use crate::{packet::Message, protocol::Transport};

/// What a longer time comes to: some 100 years. The clock cannot be moved on by all that a `Duration` holds.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Options of an [`Engine`](crate::Engine). All but those marked *ours* are named and preset as in the reference.
///
/// ```
/// use std::time::Duration;
/// let config = engineio::Config { ping_interval: Duration::from_secs(10), ..Default::default() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Path of the requests (`path`), with its trailing slash; the whole path must match. Others are answered 404.
    /// Default `/engine.io/`.
    pub path: String,
    /// Whether the path needs its trailing slash (`addTrailingSlash`); if not, both forms match. Default `true`.
    pub add_trailing_slash: bool,
    /// Transports that are served (`transports`); others are refused with code 0. Default: both.
    pub transports: Vec<Transport>,
    /// Whether a polling session may move to WebSocket (`allowUpgrades`). Default `true`.
    pub allow_upgrades: bool,
    /// Whether clients of revision 3, which say `EIO=3`, are served, too (`allowEIO3`). Default `false`.
    pub allow_eio3: bool,
    /// Time from one pong, or the handshake, to the next ping. Milliseconds on the wire. Default 25 s.
    pub ping_interval: Duration,
    /// Time a client has to answer a ping. Milliseconds on the wire. Default 20 s.
    pub ping_timeout: Duration,
    /// Time from a WebSocket's arrival on a polling session to the end of its upgrade. Default 10 s.
    pub upgrade_timeout: Duration,
    /// Largest POST body and largest WebSocket message, in bytes (`maxHttpBufferSize`). Default 1,000,000.
    pub max_payload: usize,
    /// A message that follows the open packet at once (`initialPacket`). Default: none.
    pub initial_packet: Option<Message>,
    /// *Ours.* Bytes that may wait for one client. Once that many wait, the next message ends the session
    /// as [`SlowConsumer`](crate::CloseReason::SlowConsumer). The reference has no bound. Default 1 MiB.
    pub max_outbox_bytes: usize,
    /// *Ours.* Messages that may wait for one client; the next one ends the session likewise. Default 65536.
    pub max_outbox_messages: usize,
    /// *Ours.* What becomes of a message beyond these. Default [`SlowConsumer::Disconnect`].
    pub slow_consumer: SlowConsumer,
    /// *Ours.* Time that the body of a POST may take, from when there is room for its messages. Late ones are answered
    /// 408 and end their session. Default 30 s.
    pub body_timeout: Duration,
    /// *Ours.* WebSocket pings that a client may send within a second; more end the session with close code 1008.
    /// Default 100.
    pub max_pings_per_second: u32,
    /// *Ours.* Pongs that a client of revision 4 may send between two pings beside the one that is due. They change
    /// nothing; one more ends the session, over WebSocket with close code 1008. The reference has no bound, and starts
    /// the ping interval anew at each of them. Default 100.
    pub max_unsolicited_pongs: u32,
    /// *Ours.* Fragments that a WebSocket message may come in; more end the session with close code 1008.
    /// Default 16,384, which the reference's WebSocket library has built in.
    pub max_fragments: u32,
    /// *Ours.* Time from the first byte of a WebSocket message to its last; a later one ends the session with close
    /// code 1008. Default 30 s.
    pub message_timeout: Duration,
    /// Compression of WebSocket messages (`perMessageDeflate`), for clients that offer it. Default: none.
    pub per_message_deflate: Option<PerMessageDeflate>,
    /// *Ours.* Sessions at a time. A handshake beyond is answered 503 with `Retry-After`, and reported to
    /// [`on_refused`](crate::Http::on_refused); so for the next two. Default: no bound.
    pub max_sessions: Option<usize>,
    /// *Ours.* Sessions at a time whose clients have sent no message and no heartbeat yet: what a flood of handshakes
    /// may cost. Default 10,000.
    pub max_unused_sessions: Option<usize>,
    /// *Ours.* Sessions at a time of one client's address, that of the peer or what
    /// [`client_ip`](crate::Http::client_ip) says; of IPv6 the first 64 bits count. Behind a proxy all clients have
    /// the proxy's. Whose address is not known is not counted: a server other than [`Serve`](crate::Serve) has to put a
    /// [`RemoteAddr`](crate::RemoteAddr) among the extensions of its requests. Default: no bound.
    pub max_sessions_per_ip: Option<usize>,
}

/// What becomes of a message for a client for whom too much waits already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SlowConsumer {
    /// It ends the session, so that the client begins anew.
    #[default]
    Disconnect,
    /// Messages that are [`droppable`](crate::Frame::droppable) make room, the oldest first. If none of them waits, it
    /// ends the session.
    DropOldest,
}

/// How WebSocket messages are compressed (RFC 7692). What a message may become is bounded by `max_payload`.
///
/// It costs CPU time for each recipient, also of a broadcast, which is otherwise encoded once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerMessageDeflate {
    /// Messages of this many bytes and more are compressed (`threshold`). Default 1024.
    pub threshold: usize,
    /// How hard to try, from 0, not at all, to 9, best (`zlibDeflateOptions.level`). Default 6.
    pub level: u32,
    /// *Ours.* Sessions at a time that may keep their compression context from message to message, which makes small
    /// messages smaller and costs some 300 KB each. For the others it is negotiated away, as
    /// `serverNoContextTakeover` and `clientNoContextTakeover` do. Default 0.
    pub max_contexts: usize,
}

impl Default for PerMessageDeflate {
    fn default() -> Self {
        Self { threshold: 1024, level: 6, max_contexts: 0 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: "/engine.io/".into(),
            add_trailing_slash: true,
            transports: vec![Transport::Polling, Transport::WebSocket],
            allow_upgrades: true,
            allow_eio3: false,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            max_payload: 1_000_000,
            initial_packet: None,
            max_outbox_bytes: 1 << 20,
            max_outbox_messages: 65_536,
            slow_consumer: SlowConsumer::Disconnect,
            body_timeout: Duration::from_secs(30),
            max_pings_per_second: 100,
            max_unsolicited_pongs: 100,
            max_fragments: 16_384,
            message_timeout: Duration::from_secs(30),
            per_message_deflate: None,
            max_sessions: None,
            max_unused_sessions: Some(10_000),
            max_sessions_per_ip: None,
        }
    }
}

impl Config {
    /// Whether requests may name this transport.
    pub(crate) fn serves(&self, transport: Transport) -> bool {
        self.transports.contains(&transport)
    }

    /// Whether a session that opens on `transport` is offered the move to WebSocket.
    pub(crate) fn upgrades_from(&self, transport: Transport) -> bool {
        self.allow_upgrades && transport == Transport::Polling && self.serves(Transport::WebSocket)
    }
}

/// The moment so much later than `now`; for times that never end, one that is never seen.
pub(crate) fn deadline(now: Instant, after: Duration) -> Instant {
    now + after.min(LONGEST)
}
