//! What it is: a hook: what a backend is to be told of a socket or a user, and its name.
//! What it is not: when it goes (`turns`), nor what its body says (`message`).
//! Who calls it: `backend`, for each connect, event and disconnect; `users`.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use socketio::Socket;

use super::{
    message::{Happening, Parts},
    queue::Kind,
    turns::Line,
};

/// What a backend is to be told.
pub(super) struct Hook {
    pub(super) kind: Kind,
    pub(super) subject: Subject,
    pub(super) id: String,
    pub(super) happening: Happening,
    pub(super) node: Arc<str>,
    /// Made when it goes for the first time: each attempt is the same.
    pub(super) body: Option<Bytes>,
}

/// Whom it is about.
pub(super) enum Subject {
    Socket { socket: Socket, seq: u64 },
    User { namespace: Box<str>, user: Box<str> },
}

impl Hook {
    pub(super) fn new(kind: Kind, subject: Subject, happening: Happening, node: &Arc<str>) -> Self {
        Self { kind, subject, id: token("msg_"), happening, node: node.clone(), body: None }
    }

    pub(super) fn body(&mut self, parts: Parts) -> Bytes {
        let Self { subject, id, happening, node, body, .. } = self;
        let make = || match subject {
            Subject::Socket { socket, seq } => happening.body(socket, (id, node, *seq), parts),
            Subject::User { namespace, user } => happening.body_of_user(namespace, user, (id, node)),
        };
        body.get_or_insert_with(make).clone()
    }

    /// Those of one line go one after the other.
    pub(super) fn line(&self) -> Line {
        match &self.subject {
            Subject::Socket { socket, .. } => Line::Socket(socket.id()),
            Subject::User { namespace, user } => Line::User(format!("{namespace}\n{user}").into()),
        }
    }

    pub(super) fn namespace(&self) -> &str {
        match &self.subject {
            Subject::Socket { socket, .. } => socket.namespace_name(),
            Subject::User { namespace, .. } => namespace,
        }
    }

    /// Bytes while it waits.
    pub(super) fn size(&self) -> usize {
        self.happening.size()
    }
}

/// A name that nobody else has.
pub(super) fn token(prefix: &str) -> String {
    let mut random = [0; 18];
    getrandom::fill(&mut random).expect("the system has randomness, as the ids of sockets need it, too");
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random))
}
