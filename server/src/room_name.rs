//! What it is: names of rooms as other servers write them: texts, or numbers, which their applications may use as well.
//! What it is not: names in ops, which are texts (`op`).
//! Who calls it: `pubsub` and `redis` read messages with them.

use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Number;

use crate::op;

/// The name of a room. A number is the same room as its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoomName(pub(crate) String);

/// One name or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum RoomNames {
    One(RoomName),
    Many(Vec<RoomName>),
}

impl RoomNames {
    pub(crate) fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name.0],
            Self::Many(names) => names.into_iter().map(|name| name.0).collect(),
        }
    }
}

impl<'de> Deserialize<'de> for RoomName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            Number(Number),
        }

        let name = match Written::deserialize(deserializer)? {
            Written::Text(text) => text,
            Written::Number(number) => number.to_string(),
        };
        // The names that nobody outside may use are nobody's room.
        if name.is_empty() || op::is_room(&name) { Ok(Self(name)) } else { Err(D::Error::custom("no name of a room")) }
    }
}
