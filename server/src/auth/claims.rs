//! What it is: what a token says, as it is written in it.
//! What it is not: the check of who wrote it (`key`).
//! Who calls it: `key` reads them of a client's token; `draft` writes a part of them.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// The payload of a token that a client brings. Times are seconds since 1970, and may have fractions.
#[derive(Debug, Deserialize)]
pub(crate) struct Claims {
    /// The user.
    #[serde(default, deserialize_with = "subject")]
    pub(crate) sub: Option<String>,
    pub(crate) exp: f64,
    /// Looked at by the library, which takes it for absent if it is no number.
    #[expect(dead_code, reason = "it must be a number")]
    nbf: Option<f64>,
    #[expect(dead_code, reason = "it must be a number")]
    iat: Option<f64>,
    #[serde(default)]
    pub(crate) socketio: Permit,
    /// All others.
    #[serde(flatten)]
    pub(crate) others: Map<String, Value>,
}

/// What a token says to this server in particular. A field that is not known is a mistake: nobody would hold to what it
/// forbids.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Permit {
    /// Globs of namespaces that may be joined; all, where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespaces: Option<Vec<String>>,
    /// Rooms that are joined at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) rooms: Vec<String>,
    #[serde(skip_serializing_if = "Allow::is_empty")]
    pub(crate) allow: Allow,
    /// What others in a room may know of the user.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(crate) info: Value,
    /// What the application is told with each event.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(crate) session: Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) roles: Vec<String>,
}

/// Globs of what a client may ask for by itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Allow {
    /// Rooms.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) join: Vec<String>,
    /// Events.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) emit: Vec<String>,
}

impl Allow {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Permit {
    /// Whether its rooms can be rooms.
    pub(super) fn has_rooms(&self) -> bool {
        self.rooms.iter().all(|room| !room.is_empty() && !room.starts_with(char::is_control))
    }
}

/// Whether somebody can have this name.
pub(super) fn is_user(name: &str) -> bool {
    !name.is_empty() && !name.contains(char::is_control)
}

/// A text; or a whole number, as some libraries have it.
pub(super) fn subject<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Subject {
        Text(String),
        Unsigned(u64),
        Signed(i64),
    }

    Ok(Option::deserialize(deserializer)?.map(|subject| match subject {
        Subject::Text(text) => text,
        Subject::Unsigned(number) => number.to_string(),
        Subject::Signed(number) => number.to_string(),
    }))
}
