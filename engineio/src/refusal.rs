//! What it is: why a request was refused, in full: for the application, and for the labels of its metrics.
//! What it is not: what the client is told, which is a code and few words (`answer`).
//! Who calls it: `service` gives the reason; `http` passes it to `on_refused`.

use std::borrow::Cow;

use hyper::{StatusCode, http::request::Parts};

use crate::{
    admission::Bound,
    protocol::{Revision, Transport},
    reason::{CloseReason, HandshakeError},
};

/// A request that was refused (`connection_error`).
#[derive(Debug)]
#[non_exhaustive]
pub struct Refused<'a> {
    /// The request, without its body.
    pub request: &'a Parts,
    /// The official code and status.
    pub error: HandshakeError,
    /// What the client was told: the application's words, or those of the error.
    pub message: &'a str,
    /// What exactly was wrong.
    pub context: &'a Context,
}

/// What exactly was wrong with a request that was refused (`context` of the reference's `connection_error`).
///
/// What the client gave is as long as it liked, within the bounds on a request's head: cut it before it is logged.
/// For labels there is [`name`](Self::name).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Context {
    /// Code 0: no transport has this name, or it is switched off.
    UnknownTransport {
        /// What the query says; `None` when it says nothing.
        transport: Option<String>,
    },
    /// Code 1: no live session has this id.
    UnknownSid {
        /// What the query says.
        sid: String,
    },
    /// Code 2: a handshake is a GET.
    BadMethod {
        /// The method of the request.
        method: String,
    },
    /// Code 5: the handshake is of a revision that is not served.
    UnsupportedRevision {
        /// What the query says behind `EIO`; `None` when it says nothing.
        revision: Option<String>,
    },
    /// Code 3: the session uses another transport than the request.
    TransportMismatch {
        /// That of the request (`transport`).
        transport: Transport,
        /// That of the session (`previousTransport`).
        previous: Transport,
    },
    /// Code 3: what asks for a WebSocket is incomplete, or this request cannot have one.
    TransportHandshake,
    /// Code 3: the session speaks another revision than the request.
    ProtocolMismatch {
        /// What the query says behind `EIO`; `None` when it says nothing.
        revision: Option<String>,
        /// That of the session.
        previous: Revision,
    },
    /// Code 3: there are two `Origin` headers.
    InvalidOrigin,
    /// Code 4. *Ours*: pages of this origin are not let in.
    ForbiddenOrigin,
    /// Code 4: `allow_request` said no; its words are the message. What the reference knows next to it is a
    /// middleware that fails.
    Middleware,
    /// Code 3: `generate_sid` gave no id, or one in use.
    IdGeneration,
    /// Code 3. *Ours*: a request of HTTP/1.1 names its host once.
    InvalidHost,
    /// Code 3. *Ours*: a GET with a body, or a body that others might find another end of.
    InvalidFraming,
    /// Code 3, with status 503. *Ours*: there are too many sessions already.
    TooMany(Bound),
    /// Code 3. *Ours*: the request broke the rules of its session, which ended for this reason.
    SessionEnded(CloseReason),
}

impl Context {
    /// A name for logs and metrics, of a list that is closed; that of the reference where it has one.
    pub fn name(&self) -> &'static str {
        match self {
            Self::UnknownTransport { .. } => "UNKNOWN_TRANSPORT",
            Self::UnknownSid { .. } => "UNKNOWN_SID",
            Self::BadMethod { .. } => "BAD_HANDSHAKE_METHOD",
            Self::UnsupportedRevision { .. } => "UNSUPPORTED_PROTOCOL_VERSION",
            Self::TransportMismatch { .. } => "TRANSPORT_MISMATCH",
            Self::TransportHandshake => "TRANSPORT_HANDSHAKE_ERROR",
            Self::ProtocolMismatch { .. } => "PROTOCOL_MISMATCH",
            Self::InvalidOrigin => "INVALID_ORIGIN",
            Self::ForbiddenOrigin => "FORBIDDEN_ORIGIN",
            Self::Middleware => "MIDDLEWARE_FAILURE",
            Self::IdGeneration => "ID_GENERATION_ERROR",
            Self::InvalidHost => "INVALID_HOST",
            Self::InvalidFraming => "INVALID_FRAMING",
            Self::TooMany(Bound::Sessions) => "MAX_SESSIONS",
            Self::TooMany(Bound::UnusedSessions) => "MAX_UNUSED_SESSIONS",
            Self::TooMany(Bound::SessionsPerIp) => "MAX_SESSIONS_PER_IP",
            Self::SessionEnded(_) => "SESSION_ENDED",
        }
    }

    fn error(&self) -> HandshakeError {
        match self {
            Self::UnknownTransport { .. } => HandshakeError::UnknownTransport,
            Self::UnknownSid { .. } => HandshakeError::UnknownSid,
            Self::BadMethod { .. } => HandshakeError::BadMethod,
            Self::UnsupportedRevision { .. } => HandshakeError::UnsupportedRevision,
            Self::TooMany(_) => HandshakeError::Unavailable,
            Self::ForbiddenOrigin | Self::Middleware => HandshakeError::Forbidden,
            Self::TransportMismatch { .. }
            | Self::TransportHandshake
            | Self::ProtocolMismatch { .. }
            | Self::InvalidOrigin
            | Self::IdGeneration
            | Self::InvalidHost
            | Self::InvalidFraming
            | Self::SessionEnded(_) => HandshakeError::BadRequest,
        }
    }
}

/// Why the application does not let a client in: the answer to its handshake, which has code 4.
///
/// ```
/// use engineio::Denied;
///
/// let forbidden: Denied = "who are you?".into();
/// let later = Denied::new(503, "come back in an hour");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    status: StatusCode,
    message: Cow<'static, str>,
}

impl Denied {
    /// With this HTTP status; one that is no error, from 400 to 599, counts as 403. Without words the client is told
    /// `Forbidden`.
    pub fn new(status: u16, message: impl Into<Cow<'static, str>>) -> Self {
        let status = StatusCode::from_u16(status).ok();
        let status = status.filter(|status| status.is_client_error() || status.is_server_error());
        let message = Some(message.into()).filter(|message| !message.is_empty());
        Self {
            status: status.unwrap_or(StatusCode::FORBIDDEN),
            message: message.unwrap_or(HandshakeError::Forbidden.message().into()),
        }
    }
}

impl From<&'static str> for Denied {
    /// With status 403.
    fn from(message: &'static str) -> Self {
        Self::new(403, message)
    }
}

impl From<String> for Denied {
    /// With status 403.
    fn from(message: String) -> Self {
        Self::new(403, message)
    }
}

/// A refusal on its way to the client and to the application.
pub(crate) struct Refusal {
    pub(crate) error: HandshakeError,
    pub(crate) status: StatusCode,
    pub(crate) message: Cow<'static, str>,
    pub(crate) context: Context,
}

impl From<Context> for Refusal {
    fn from(context: Context) -> Self {
        let error = context.error();
        let status = StatusCode::from_u16(error.status()).expect("the table has valid statuses");
        Self { error, status, message: error.message().into(), context }
    }
}

impl From<Denied> for Refusal {
    fn from(Denied { status, message }: Denied) -> Self {
        Self { status, message, ..Context::Middleware.into() }
    }
}
