//! What it is: the words of the protocol that sessions differ in: transport, revision, encoding.
//! What it is not: behaviour; each layer above asks for it where it matters.
//! Who calls it: everybody.

/// The two transports of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// HTTP long-polling.
    Polling,
    /// WebSocket.
    WebSocket,
}

impl Transport {
    /// The name on the wire: `polling` or `websocket`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
        }
    }
}

/// The revision of the protocol that a client speaks, by its `EIO` parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Revision {
    /// `EIO=3`: clients of Socket.IO 1.x and 2.x. The client pings; polling bodies are counted.
    V3,
    /// `EIO=4`: clients of Socket.IO 3.x and later. The server pings.
    V4,
}

/// How what is sent to one session is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// The revision, the same for the whole session.
    pub revision: Revision,
    /// Whether a client of revision 3 asked, with `b64=1` in its handshake, for text in place of binary.
    pub base64: bool,
}

impl Encoding {
    /// That of every client of revision 4.
    pub const V4: Self = Self { revision: Revision::V4, base64: false };
    /// That of a client of revision 3 which takes binary.
    pub const V3: Self = Self { revision: Revision::V3, base64: false };
}
