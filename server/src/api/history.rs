//! What it is: what a room keeps of what was emitted to it.
//! What it is not: what is configured of that (`crate::rooms`).
//! Who calls it: `api`.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::value::RawValue;
use socketio::{Broadcast, HistoryEntry};

use super::{
    ApiError, page, rooms,
    route::{Answered, Call, shown},
    seconds,
    sockets::Changed,
};
use crate::rooms::meant;

#[derive(Serialize)]
struct History<'a> {
    room: &'a str,
    namespace: &'a str,
    /// How many there are.
    length: usize,
    /// The last ones, oldest first.
    events: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    event: Arc<str>,
    args: Box<RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<String>,
    /// In seconds.
    age: f64,
}

/// `GET /api/v1/rooms/{room}/history`.
pub(super) fn show(call: &Call<'_>) -> Answered {
    let limit = page::limit(&call.query)?;
    let (namespace, kept_by) = of(call)?;
    let entries = kept_by.map(|room| room.history()).unwrap_or_default();
    let events = entries[entries.len().saturating_sub(limit)..].iter().map(Shown::of).collect();
    shown(&History { room: &call.name, namespace, length: entries.len(), events })
}

/// `DELETE /api/v1/rooms/{room}/history`.
pub(super) fn forget(call: &Call<'_>) -> Answered {
    let (_, kept_by) = of(call)?;
    let changed = kept_by.map_or(0, |room| {
        let length = room.history().len();
        room.clear_history();
        length
    });
    shown(&Changed { changed })
}

/// The room in the path, and its namespace.
fn of<'a>(call: &'a Call<'_>) -> Result<(&'a str, Option<Broadcast>), ApiError> {
    let room = rooms::named(call)?;
    let (namespace, everybody) = call.space()?;
    Ok((namespace, everybody.map(|everybody| meant(everybody, room))))
}

impl Shown {
    fn of(entry: &HistoryEntry) -> Self {
        Self {
            event: entry.event.clone(),
            args: RawValue::from_string(entry.args.to_json()).expect("arguments are JSON"),
            attachments: entry.args.attachments().iter().map(|bytes| STANDARD.encode(bytes)).collect(),
            age: seconds(entry.at.elapsed()),
        }
    }
}
