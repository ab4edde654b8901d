//! What it is: how much of everything a client may bring or make the server keep, with the defaults.
//! What it is not: bounds on bytes that come and go; those are `engineio::Config`'s.
//! Who calls it: whoever checks one of them: codecs, peers, hubs, clients.

use std::time::Duration;

use crate::event_rate::EventRate;

/// Bounds on what one client may do, all but the first *ours*. Where nothing else is said, a client that passes one has
/// its connection closed.
///
/// ```
/// use socketio::{Config, Limits};
/// let config = Config { limits: Limits { max_pending_acks: 100, ..Limits::default() }, ..Config::default() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Attachments of one packet from a client (`maxAttachments` of the reference's parser). Default 10. Ours never
    /// have more than 10, which official clients take.
    pub max_attachments: usize,
    /// Bytes of all attachments of one packet. Default 10,000,000.
    pub max_attachment_bytes: usize,
    /// Time from a packet's header to the last of its attachments; while its client is held back it does not pass.
    /// Default 30 s.
    pub attachment_timeout: Duration,
    /// Items in the list of an event, its name among them, or of an ack. Default 1024.
    pub max_args: usize,
    /// How deep lists and objects may be nested. Default 128. What is nested deeper can be handed on, but not be read.
    pub max_depth: usize,
    /// Characters of a number. Default 512.
    pub max_number: usize,
    /// Bytes of the name of an event. Default 1024.
    pub max_event_name: usize,
    /// Bytes of `auth`; a CONNECT with more is refused. With connection state recovery 1088 bytes more may come, for
    /// what clients add when they come back. Default 16 KiB.
    pub max_auth: usize,
    /// Refused CONNECTs of one connection; that many close it. Default 10.
    pub max_refusals: u32,
    /// Events of one socket that may wait while its connect handler runs. Default 16.
    pub max_waiting_events: usize,
    /// Bytes of these events, attachments included. Default 64 KiB.
    pub max_waiting_bytes: usize,
    /// How many events one client may send in a time, in all namespaces of its connection. Default `None`: as many as
    /// it can.
    pub event_rate: Option<EventRate>,
    /// Events of one socket whose handlers are under way, those that wait for their turn among them; when so many are,
    /// its connection is not read until one has ended ([`engineio::Socket::hold`]). A handler that waits for an answer
    /// of this client then waits in vain: give such questions a timeout. Default 1000.
    pub max_running_events: usize,
    /// Bytes of these events. Default 16 MiB.
    pub max_running_bytes: usize,
    /// Answers that one socket may owe; the next emit that wants one is
    /// [`EmitError::TooManyAcks`](crate::EmitError::TooManyAcks). Default 10,000.
    pub max_pending_acks: usize,
    /// Answers of one socket that nobody asked for, or that came before; they are ignored. Late answers do not count,
    /// but those that a client brings which it owed on a connection before do. Default 10,000, as `max_pending_acks`.
    pub max_unknown_acks: u32,
    /// Rooms that one socket may be in; another is [`JoinError::TooManyRooms`](crate::JoinError::TooManyRooms).
    /// Default 1000.
    pub max_rooms: usize,
    /// Bytes of the name of a namespace, which is repeated in the answer to a client that may not join it. Default 255.
    pub max_namespace_name: usize,
    /// Namespaces that one connection may be in at a time; for one more it is told `Too many namespaces`, as often as
    /// `max_refusals` lets it. Default 100.
    pub max_namespaces: usize,
    /// Namespaces that may be there at a time for [patterns](crate::Namespace::pattern), of all clients; for one more
    /// they are told `Too many namespaces`. Default 100,000.
    pub max_dynamic_namespaces: usize,
    /// Bytes of the name of a room; more is [`JoinError::NameTooLong`](crate::JoinError::NameTooLong). Default 512.
    pub max_room_name: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_attachments: 10,
            max_attachment_bytes: 10_000_000,
            attachment_timeout: Duration::from_secs(30),
            max_args: 1024,
            max_depth: 128,
            max_number: 512,
            max_event_name: 1024,
            max_auth: 16 * 1024,
            max_refusals: 10,
            max_waiting_events: 16,
            max_waiting_bytes: 64 * 1024,
            event_rate: None,
            max_running_events: 1000,
            max_running_bytes: 16 * 1024 * 1024,
            max_pending_acks: 10_000,
            max_unknown_acks: 10_000,
            max_namespace_name: 255,
            max_namespaces: 100,
            max_dynamic_namespaces: 100_000,
            max_rooms: 1000,
            max_room_name: 512,
        }
    }
}
