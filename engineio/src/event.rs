//! What it is: what an application can hear of one session.
//! What it is not: a queue; `session` keeps those that wait for the driver.
//! Who calls it: `session` makes them; `driver` hands them over.

use crate::{packet::Message, protocol::Transport, reason::CloseReason};

/// What happened to a session. `packet` of the reference is [`Message`](Self::Message) and
/// [`Heartbeat`](Self::Heartbeat); other packets that come say nothing to an application.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A message came (`message`).
    Message(Message),
    /// The pong that was due came; of revision 3, a ping (`heartbeat`).
    Heartbeat,
    /// A carrier of this transport has probed the session, and may yet fail to take it over (`upgrading`).
    Upgrading(Transport),
    /// Messages are carried by this transport from now on (`upgrade`).
    Upgrade(Transport),
    /// Packets, the protocol's own among them, have left: they were written to the WebSocket, or are the answer to a
    /// GET (`flush`).
    Flush {
        /// How many.
        packets: u64,
        /// Their bytes as WebSocket frames, headers included, before any compression.
        bytes: u64,
    },
    /// By that, nothing waits for the client any more (`drain`).
    Drain,
    /// So many messages were dropped, see [`SlowConsumer::DropOldest`](crate::SlowConsumer::DropOldest).
    Dropped(u64),
    /// The session has ended (`close`), and is no longer among those of its engine. Nothing comes after this.
    Close(CloseReason),
}
