//! What it is: what is kept of a token with its socket.
//! What it is not: the token, which is kept nowhere.
//! Who calls it: `gate` makes it; rules and slots ask it.

use serde_json::{Map, Value};
use socketio::Glob;

use super::claims::Claims;

/// What is kept of a token.
#[derive(Debug)]
pub(crate) struct Pass {
    pub(super) user: Option<Box<str>>,
    /// Rooms that it has had the socket join.
    pub(super) rooms: Box<[String]>,
    join: Box<[Glob]>,
    emit: Box<[Glob]>,
    roles: Box<[String]>,
    /// Those that somebody asks for.
    claims: Map<String, Value>,
}

impl Pass {
    /// Keeps claims with the names that are asked for.
    pub(super) fn new(claims: Claims, keeps: impl Fn(&str) -> bool) -> Self {
        let Claims { sub, socketio: permit, others: mut claims, .. } = claims;
        claims.retain(|name, _| keeps(name));
        if let Some(user) = sub.as_deref().filter(|_| keeps("sub")) {
            claims.insert("sub".into(), user.into());
        }
        if keeps("socketio") {
            claims.insert("socketio".into(), serde_json::to_value(&permit).expect("it was JSON before"));
        }
        let globs = |texts: &[String]| texts.iter().map(|text| Glob::new(text)).collect();
        let (join, emit) = (globs(&permit.allow.join), globs(&permit.allow.emit));
        let (rooms, roles) = (permit.rooms.into(), permit.roles.into());
        Self { user: sub.map(Into::into), rooms, join, emit, roles, claims }
    }

    /// Whether the client may ask for this room.
    pub(crate) fn may_join(&self, room: &str) -> bool {
        self.join.iter().any(|glob| glob.matches(room))
    }

    /// Whether it may ask for something by this event.
    pub(crate) fn may_emit(&self, event: &str) -> bool {
        self.emit.iter().any(|glob| glob.matches(event))
    }

    pub(crate) fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }

    pub(crate) fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }
}
