//! What it is: the closed lists of what can go wrong: emitting, awaiting an ack, joining a room or
//! a namespace, decoding;
//! and why a socket left, which is no error.
//! What it is not: text for logs; each value says it in one line by itself.
//! Who calls it: every layer above.

use std::{error, fmt};

use engineio::CloseReason;
use serde::Serialize;
use serde_json::Value;

/// Why an event was not emitted.
#[derive(Debug)]
#[non_exhaustive]
pub enum EmitError {
    /// The socket has left its namespace, or its connection has ended.
    Disconnected,
    /// The arguments cannot be written as JSON.
    Encode(serde_json::Error),
    /// The name is one of `connect`, `connect_error`, `disconnect`, `disconnecting`, `newListener`,
    /// `removeListener`, which clients keep for themselves.
    ReservedEvent,
    /// More than 10 binary values: official clients drop the connection when they receive that.
    TooManyAttachments,
    /// It has binary values, and beside them an object with `"_placeholder": true`, which clients would take for one.
    Placeholder,
    /// The server's parser has no way to write it: see [`CustomParser::supports`](crate::CustomParser::supports).
    Unsupported,
    /// The event was encoded for another namespace.
    OtherNamespace,
    /// It wants an answer, and the socket owes [`max_pending_acks`](crate::Limits::max_pending_acks) already.
    TooManyAcks,
    /// It wants an answer, but is volatile, and the client could not take it at once.
    NotReady,
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected => f.write_str("the socket is disconnected"),
            Self::Encode(error) => write!(f, "the arguments cannot be encoded: {error}"),
            Self::ReservedEvent => f.write_str(
                "the event name is reserved, as connect, connect_error, disconnect, disconnecting, newListener and \
                 removeListener are",
            ),
            Self::TooManyAttachments => f.write_str("an event can have 10 binary values at most"),
            Self::Placeholder => {
                f.write_str("data beside binary values have \"_placeholder\": true, which clients take for one")
            }
            Self::Unsupported => f.write_str("the parser cannot write the event"),
            Self::OtherNamespace => f.write_str("the event was encoded for another namespace"),
            Self::TooManyAcks => f.write_str("the socket owes too many answers already"),
            Self::NotReady => f.write_str("the client was not ready for a volatile event"),
        }
    }
}

impl error::Error for EmitError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            Self::Disconnected
            | Self::ReservedEvent
            | Self::TooManyAttachments
            | Self::Placeholder
            | Self::Unsupported
            | Self::OtherNamespace
            | Self::TooManyAcks
            | Self::NotReady => None,
        }
    }
}

impl From<serde_json::Error> for EmitError {
    fn from(error: serde_json::Error) -> Self {
        Self::Encode(error)
    }
}

/// Why no answer came to an event that asked for one. `Display` of a timeout gives the reference server's words.
#[derive(Debug)]
#[non_exhaustive]
pub enum AckError {
    /// The client did not answer in time.
    Timeout,
    /// The socket left before it answered.
    Disconnected,
    /// The answer is not what was asked for.
    Decode(serde_json::Error),
    /// Of a broadcast: the socket was not asked, as it owes [`max_pending_acks`](crate::Limits::max_pending_acks)
    /// already.
    TooManyAcks,
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("operation has timed out"),
            Self::Disconnected => f.write_str("the socket disconnected before it answered"),
            Self::Decode(error) => write!(f, "the answer cannot be decoded: {error}"),
            Self::TooManyAcks => f.write_str("the socket owes too many answers already"),
        }
    }
}

impl error::Error for AckError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            Self::Timeout | Self::Disconnected | Self::TooManyAcks => None,
        }
    }
}

/// Why a socket did not join a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinError {
    /// It has left its namespace, or its connection has ended.
    Disconnected,
    /// The name is the id of another socket: whoever joined would get what is meant for that one alone.
    OtherSocket,
    /// It is in [`max_rooms`](crate::Limits::max_rooms) already.
    TooManyRooms,
    /// The name is longer than [`max_room_name`](crate::Limits::max_room_name).
    NameTooLong,
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disconnected => "the socket is disconnected",
            Self::OtherSocket => "the name of the room is the id of another socket",
            Self::TooManyRooms => "the socket is in too many rooms",
            Self::NameTooLong => "the name of the room is too long",
        })
    }
}

impl error::Error for JoinError {}

/// Why a client may not join a namespace. It is sent to the client, which gets it as `connect_error`:
/// put nothing into it that a stranger should not read.
///
/// A client of revision 3 gets, as `error`, the data alone if they are an object, an array or a string, and else the
/// message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConnectError {
    /// `err.message` at the client.
    pub message: String,
    /// `err.data` at the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl ConnectError {
    /// A refusal with a message only.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), data: None }
    }

    /// Nothing of why is told to a stranger: it is the application's bug, or the client's odd `auth`.
    pub(crate) fn refused() -> Self {
        Self::new("Connection refused")
    }

    /// The same refusal, with details for the client's code.
    pub fn with_data(self, data: impl Into<Value>) -> Self {
        Self { data: Some(data.into()), ..self }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl error::Error for ConnectError {}

/// A room that cannot be joined refuses the client, which is not told why.
impl From<JoinError> for ConnectError {
    fn from(_: JoinError) -> Self {
        Self::refused()
    }
}

impl From<EventError> for ConnectError {
    fn from(EventError { message, data }: EventError) -> Self {
        Self { message, data }
    }
}

/// Why an event was not handled, in words for its client: return it from a handler or an event middleware. It is sent
/// if [`error_acks`](crate::Config::error_acks) is on and the client wants an answer, which is then the one argument
/// `{"error":{"message":..,"data":..}}`, without `data` when there are none.
///
/// Of other errors, and of arguments that are not what the handler wants, the client is told no more than that.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventError {
    /// What went wrong, for a stranger to read.
    pub message: String,
    /// Details for the client's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl EventError {
    /// An error with a message only.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), data: None }
    }

    /// The same error, with details.
    pub fn with_data(self, data: impl Into<Value>) -> Self {
        Self { data: Some(data.into()), ..self }
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl error::Error for EventError {}

/// Why a socket left its namespace. `Display` gives the reference server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The client left this namespace; its connection may go on.
    ClientNamespaceDisconnect,
    /// The server made it leave. The client does not come back by itself.
    ServerNamespaceDisconnect,
    /// *Ours.* The client came back on another connection before the end of this one was noticed.
    TakenOver,
    /// The connection ended. The client comes back by itself.
    Closed(CloseReason),
}

impl DisconnectReason {
    /// Whether a client that leaves so may be recovered, as in the reference.
    pub(crate) fn is_recoverable(self) -> bool {
        match self {
            Self::ClientNamespaceDisconnect | Self::ServerNamespaceDisconnect | Self::TakenOver => false,
            Self::Closed(reason) => matches!(
                reason,
                CloseReason::TransportClose
                    | CloseReason::TransportError(_)
                    | CloseReason::PingTimeout
                    | CloseReason::ForcedClose
                    | CloseReason::Shutdown
            ),
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientNamespaceDisconnect => f.write_str("client namespace disconnect"),
            Self::ServerNamespaceDisconnect => f.write_str("server namespace disconnect"),
            Self::TakenOver => f.write_str("taken over"),
            Self::Closed(reason) => reason.fmt(f),
        }
    }
}

/// What was wrong with a packet from a client. Its connection is closed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// There is no such packet type, or only servers send it.
    UnknownType,
    /// The number of attachments is missing, malformed, zero, or too large.
    Attachments,
    /// The attachments have too many bytes.
    AttachmentBytes,
    /// The name of the namespace is too long, or has no leading slash.
    Namespace,
    /// The ack id is no number, or above 2^53 - 1.
    AckId,
    /// The payload is not what a packet of this type has.
    Payload,
    /// The event name is reserved or too long.
    EventName,
    /// A placeholder names no attachment.
    Placeholder,
    /// A text packet came while attachments were due.
    MissingAttachments,
    /// A binary message came while none was due.
    UnexpectedAttachment,
    /// A text came, where the parser takes binary messages only, or the other way round.
    WrongMessage,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownType => "the packet type is unknown",
            Self::Attachments => "illegal attachments",
            Self::AttachmentBytes => "the attachments are too large",
            Self::Namespace => "the namespace is too long, or no path",
            Self::AckId => "illegal ack id",
            Self::Payload => "invalid payload",
            Self::EventName => "the event name is reserved or too long",
            Self::Placeholder => "a placeholder names no attachment",
            Self::MissingAttachments => "attachments are missing",
            Self::UnexpectedAttachment => "an attachment came without its packet",
            Self::WrongMessage => "the parser takes no such messages",
        })
    }
}

impl error::Error for DecodeError {}
