//! What it is: what is kept of a token with its socket.
//! What it is not: the token, which is kept nowhere.
//! Who calls it: `gate` makes it; `places` asks it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::claims::Claims;

/// What is kept of a token.
#[derive(Debug)]
pub(crate) struct Pass {
    pub(super) user: Option<Box<str>>,
    /// Rooms that it has had the socket join.
    pub(super) rooms: Box<[String]>,
    /// Those that somebody asks for.
    claims: Map<String, Value>,
}

impl Pass {
    /// Keeps claims with these names.
    pub(super) fn new(claims: Claims, wanted: &BTreeSet<String>) -> Self {
        let Claims { sub, socketio: permit, others: mut claims, .. } = claims;
        claims.retain(|name, _| wanted.contains(name));
        if let Some(user) = sub.as_deref().filter(|_| wanted.contains("sub")) {
            claims.insert("sub".into(), user.into());
        }
        if wanted.contains("socketio") {
            claims.insert("socketio".into(), serde_json::to_value(&permit).expect("it was JSON before"));
        }
        Self { user: sub.map(Into::into), rooms: permit.rooms.into(), claims }
    }

    pub(crate) fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }
}
