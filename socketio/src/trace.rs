//! What it is: all that subscribers of `tracing` are told, with the feature of that name; nothing without it.
//! What it is not: a place for what clients keep secret: sids, `auth`, queries, headers and arguments are left out.
//! Who calls it: `server`, for the span of each connection; `client`, `served` and `hooks`, for the events in it;
//! `handler`, so that what waits stays in its span.
//!
//! The table of spans and events is in the doc of the crate.

use engineio::{CloseReason, Revision};

use crate::{
    error::{DecodeError, DisconnectReason},
    id::SocketId,
};

#[cfg(feature = "tracing")]
mod spans {
    use engineio::Revision;
    use tracing::Instrument;

    /// The span of a connection, if anybody wants it.
    #[derive(Debug)]
    pub(crate) struct Span(Option<Box<tracing::Span>>);

    pub(crate) fn connection(socket: &engineio::Socket) -> Span {
        let transport = socket.handshake().transport.name();
        // That of Socket.IO.
        let protocol = match socket.encoding().revision {
            Revision::V3 => 4,
            Revision::V4 => 5,
        };
        let span = tracing::info_span!(target: "socketio", parent: None, "connection", transport, protocol);
        Span((!span.is_disabled()).then(|| span.into()))
    }

    /// Runs something in a span.
    pub(crate) fn enter<T>(span: &Span, run: impl FnOnce() -> T) -> T {
        match &span.0 {
            Some(span) => span.in_scope(run),
            None => run(),
        }
    }

    /// A future that runs in the span of whoever makes it.
    pub(crate) fn here<F: Future>(future: F) -> impl Future<Output = F::Output> {
        future.in_current_span()
    }
}

#[cfg(not(feature = "tracing"))]
mod spans {
    #[derive(Debug)]
    pub(crate) struct Span;

    pub(crate) fn connection(_: &engineio::Socket) -> Span {
        Span
    }

    pub(crate) fn enter<T>(_: &Span, run: impl FnOnce() -> T) -> T {
        run()
    }

    pub(crate) fn here<F: Future>(future: F) -> F {
        future
    }
}

pub(crate) use spans::{connection, enter, here};

/// Tells of an event. Its fields are evaluated only if somebody listens.
#[cfg(feature = "tracing")]
macro_rules! tell {
    ($level:ident, $message:literal $(, $field:ident = $value:expr)*) => {
        tracing::event!(target: "socketio", tracing::Level::$level, $($field = $value,)* $message)
    };
}

#[cfg(not(feature = "tracing"))]
macro_rules! tell {
    ($level:ident, $message:literal $(, $field:ident = $value:expr)*) => {{
        $(let _never_evaluated = || $value;)*
    }};
}

/// The connection has ended.
pub(crate) fn closed(reason: CloseReason) {
    match reason {
        CloseReason::SlowConsumer => tell!(WARN, "slow consumer", reason = reason.to_string()),
        _ => tell!(DEBUG, "connection closed", reason = reason.to_string()),
    }
}

/// A socket has joined.
pub(crate) fn joined(namespace: &str, id: &SocketId, revision: Revision) {
    tell!(DEBUG, "socket joined", namespace = namespace, socket = public(id, revision));
}

/// A socket has left.
pub(crate) fn left(namespace: &str, id: &SocketId, revision: Revision, reason: DisconnectReason) {
    tell!(DEBUG, "socket left", namespace = namespace, socket = public(id, revision), reason = reason.to_string());
}

/// A client may not join.
pub(crate) fn refused(namespace: &str) {
    tell!(INFO, "join refused", namespace = namespace);
}

/// A client sent what it may not; `None` when it is a packet, but not now.
pub(crate) fn packet_refused(error: Option<DecodeError>) {
    tell!(INFO, "packet refused", error = error.map_or_else(|| "out of place".to_owned(), |error| error.to_string()));
}

/// A handler was not called, because an argument cannot be had. What was wrong with it may quote the client.
pub(crate) fn handler_rejected(namespace: &str, event: Option<&str>) {
    tell!(INFO, "handler not called", namespace = namespace, event = event);
}

/// A client sent more events than it may.
pub(crate) fn event_dropped(namespace: &str, event: Option<&str>) {
    tell!(DEBUG, "event dropped", namespace = namespace, event = event);
}

/// A handler returned an error, whose words are the application's.
pub(crate) fn handler_failed(namespace: &str, event: Option<&str>, error: &dyn std::error::Error) {
    tell!(WARN, "handler failed", namespace = namespace, event = event, error = error.to_string());
}

/// A handler panicked; with what, the panic hook has told.
pub(crate) fn handler_panicked(namespace: &str, event: Option<&str>) {
    tell!(ERROR, "handler panicked", namespace = namespace, event = event);
}

/// A handler of an event of another server failed.
pub(crate) fn call_failed(event: &str, error: &dyn std::error::Error) {
    tell!(WARN, "handler of a server's event failed", event = event, error = error.to_string());
}

/// The id, unless it is made of the sid.
fn public(id: &SocketId, revision: Revision) -> Option<&str> {
    (revision == Revision::V4).then(|| id.as_str())
}
