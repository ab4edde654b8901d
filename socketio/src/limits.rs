//! What it is: how much of everything a client may bring or make the server keep, with the defaults.
//! What it is not: bounds on bytes that come and go; those are `engineio::Config`'s.
//! Who calls it: whoever checks one of them: codecs, peers, hubs, clients.

/// Bounds on what one client may do, all of them *ours*. Where
/// nothing else is said, a client that passes one has its connection closed.
///
/// ```
/// use socketio::{Config, Limits};
/// let config = Config { limits: Limits { max_pending_acks: 100, ..Limits::default() }, ..Config::default() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Answers that one socket may owe; the next emit that wants one is
    /// [`EmitError::TooManyAcks`](crate::EmitError::TooManyAcks). Default 10,000.
    pub max_pending_acks: usize,
    /// Answers of one socket that nobody asked for, or that came before; they are ignored. Late answers do not count.
    /// Default 100.
    pub max_unknown_acks: u32,
    /// Rooms that one socket may be in; another is [`JoinError::TooManyRooms`](crate::JoinError::TooManyRooms).
    /// Default 1000.
    pub max_rooms: usize,
    /// Bytes of the name of a room; more is [`JoinError::NameTooLong`](crate::JoinError::NameTooLong). Default 512.
    pub max_room_name: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_pending_acks: 10_000, max_unknown_acks: 100, max_rooms: 1000, max_room_name: 512 }
    }
}
