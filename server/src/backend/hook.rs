//! What it is: a hook: what a backend is to be told of a socket, and its name.
//! What it is not: when it goes (`turns`), nor what its body says (`message`).
//! Who calls it: `backend`, for each connect, event and disconnect.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use socketio::Socket;

use super::{
    message::{Happening, Parts},
    queue::Kind,
};

/// What a backend is to be told.
pub(super) struct Hook {
    pub(super) kind: Kind,
    pub(super) socket: Socket,
    pub(super) id: String,
    pub(super) seq: u64,
    pub(super) happening: Happening,
    pub(super) node: Arc<str>,
    /// Made when it goes for the first time: each attempt is the same.
    pub(super) body: Option<Bytes>,
}

impl Hook {
    pub(super) fn body(&mut self, parts: Parts) -> Bytes {
        let Self { socket, id, seq, happening, node, body, .. } = self;
        body.get_or_insert_with(|| happening.body(socket, (id, node, *seq), parts)).clone()
    }
}

/// A name that nobody else has.
pub(super) fn token(prefix: &str) -> String {
    let mut random = [0; 18];
    getrandom::fill(&mut random).expect("the system has randomness, as the ids of sockets need it, too");
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random))
}
