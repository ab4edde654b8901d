//! What it is: what is kept of the request that opened a session.
//! What it is not: the request; of its headers there is nothing but what was asked for.
//! Who calls it: `service` makes one per session; applications read it.

use std::net::SocketAddr;

use crate::protocol::Transport;

/// What is known of the request that opened a session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Handshake {
    /// The query string as it came, without the question mark.
    pub query: Box<str>,
    /// The transport that the session began with.
    pub transport: Transport,
    /// The address of the peer; `None` when the server did not tell, or over a Unix socket.
    pub remote: Option<SocketAddr>,
}
