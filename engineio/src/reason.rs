//! What it is: the closed lists of why a handshake was refused, why a session ended, why nothing could be sent.
//! What it is not: errors of decoding bytes, which are in `packet`.
//! Who calls it: every layer above; `service` turns a `HandshakeError` into an HTTP answer.

use std::{error, fmt, io};

use crate::packet::DecodeError;

/// Why a request was refused: the official codes, statuses and texts.
///
/// | code | status | message |
/// |---|---|---|
/// | 0 | 400 | Transport unknown |
/// | 1 | 400 | Session ID unknown |
/// | 2 | 400 | Bad handshake method |
/// | 3 | 400 | Bad request |
/// | 4 | 403 | Forbidden |
/// | 5 | 400 | Unsupported protocol version |
/// | 3 | 503 | Service unavailable: *ours*, as the official codes know no such thing |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// `transport` is missing, not known, or switched off.
    UnknownTransport,
    /// No live session has this `sid`.
    UnknownSid,
    /// A handshake must be a GET.
    BadMethod,
    /// The request does not fit the session or the transport it names.
    BadRequest,
    /// The application refused the request.
    Forbidden,
    /// `EIO` names a protocol revision that is not served.
    UnsupportedRevision,
    /// *Ours.* There are as many sessions as there may be.
    Unavailable,
}

impl HandshakeError {
    /// The code in the JSON body.
    pub fn code(self) -> u8 {
        self.row().0
    }

    /// The HTTP status of the answer.
    pub fn status(self) -> u16 {
        self.row().1
    }

    /// The message in the JSON body.
    pub fn message(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (u8, u16, &'static str) {
        match self {
            Self::UnknownTransport => (0, 400, "Transport unknown"),
            Self::UnknownSid => (1, 400, "Session ID unknown"),
            Self::BadMethod => (2, 400, "Bad handshake method"),
            Self::BadRequest => (3, 400, "Bad request"),
            Self::Forbidden => (4, 403, "Forbidden"),
            Self::UnsupportedRevision => (5, 400, "Unsupported protocol version"),
            Self::Unavailable => (3, 503, "Service unavailable"),
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl error::Error for HandshakeError {}

/// Why a session ended. `Display` gives the reference server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client closed the session, or its connection ended.
    TransportClose,
    /// The transport broke, or the client broke the rules of the transport.
    TransportError(TransportFault),
    /// The client did not answer a ping within `ping_timeout`.
    PingTimeout,
    /// The client sent bytes that are no packet.
    ParseError(DecodeError),
    /// This side closed the session.
    ForcedClose,
    /// More than `max_outbox_bytes` or `max_outbox_messages` waited for a client that does not read.
    SlowConsumer,
    /// The whole server is closing.
    Shutdown,
}

impl CloseReason {
    /// The code with which a WebSocket is closed (RFC 6455, section 7.4.1). As in the reference there is none, but
    /// where it tells the operator of a client what was wrong.
    pub(crate) fn close_code(self) -> Option<u16> {
        match self {
            Self::Shutdown => Some(1001),
            Self::TransportError(TransportFault::Frame) => Some(1002),
            Self::TransportError(TransportFault::Utf8 | TransportFault::Compression) => Some(1007),
            Self::SlowConsumer
            | Self::TransportError(
                TransportFault::PingFlood
                | TransportFault::PongFlood
                | TransportFault::Fragments
                | TransportFault::MessageTimeout,
            ) => Some(1008),
            Self::TransportError(TransportFault::TooLarge) => Some(1009),
            _ => None,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TransportClose => "transport close",
            Self::TransportError(_) => "transport error",
            Self::PingTimeout => "ping timeout",
            Self::ParseError(_) => "parse error",
            Self::ForcedClose => "forced close",
            Self::SlowConsumer => "slow consumer",
            Self::Shutdown => "server shutting down",
        })
    }
}

/// What exactly went wrong behind a `transport error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportFault {
    /// The connection failed with this kind of I/O error.
    Io(io::ErrorKind),
    /// A second GET came while one was waiting.
    PollOverlap,
    /// A second POST came while one was being read.
    PostOverlap,
    /// The connection of a waiting GET ended.
    PollAborted,
    /// The connection of a POST ended before its body did.
    PostAborted,
    /// A POST had a content type that only binary payloads of revision 3 may have.
    ContentType,
    /// A POST said that its body was compressed (`Content-Encoding`), which is never undone.
    ContentEncoding,
    /// The client sent a ping, which in revision 4 only the server does.
    HeartbeatDirection,
    /// The client broke the WebSocket protocol: close code 1002.
    Frame,
    /// A text message was not UTF-8: close code 1007.
    Utf8,
    /// A compressed message could not be read: close code 1007.
    Compression,
    /// A message came in more than `max_fragments`: close code 1008.
    Fragments,
    /// A message was not whole within `message_timeout`: close code 1008.
    MessageTimeout,
    /// A message was larger than `max_payload`, or more came than the application allowed: close code 1009.
    TooLarge,
    /// The body of a POST took longer than `body_timeout`.
    PostTimeout,
    /// More than `max_pings_per_second`: close code 1008.
    PingFlood,
    /// More than `max_unsolicited_pongs`: close code 1008.
    PongFlood,
}

/// What became of a volatile message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way.
    Queued,
    /// The client was not ready to take it at once.
    Dropped,
}

/// Why something could not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The session has ended, or is closing, for this reason.
    Closed(CloseReason),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(reason) => write!(f, "the session is closed: {reason}"),
        }
    }
}

impl error::Error for SendError {}
