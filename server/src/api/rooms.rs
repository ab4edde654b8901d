//! What it is: the rooms of a namespace, and one of them.
//! What it is not: a list of members; that is one of sockets, with `room` in its query.
//! Who calls it: `api`.

use serde::Serialize;

use super::{
    ApiError,
    page::Page,
    route::{Answered, Call, shown},
};
use crate::{op::is_room, rooms::meant};

#[derive(Serialize)]
struct Rooms {
    rooms: Vec<Member>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Member {
    room: Box<str>,
    members: usize,
}

#[derive(Serialize)]
struct Room<'a> {
    room: &'a str,
    namespace: &'a str,
    members: usize,
    /// How many events it keeps.
    history: usize,
}

/// `GET /api/v1/rooms`.
pub(super) fn list(call: &Call<'_>) -> Answered {
    let mut page = Page::of(&call.query)?;
    let prefix = call.query.get("prefix").unwrap_or_default();
    let (_, everybody) = call.space()?;
    let rooms = everybody.map(|everybody| everybody.rooms()).unwrap_or_default();
    for (room, members) in &rooms {
        if room.as_str().starts_with(prefix) && is_room(room.as_str()) {
            page.offer(room.as_str(), || *members);
        }
    }
    let (rooms, cursor) = page.end();
    let rooms = rooms.into_iter().map(|(room, members)| Member { room, members }).collect();
    shown(&Rooms { rooms, cursor })
}

/// `GET /api/v1/rooms/{room}`. A room that nobody is in is as good as any.
pub(super) fn show(call: &Call<'_>) -> Answered {
    let room = named(call)?;
    let (namespace, everybody) = call.space()?;
    let room_of = everybody.map(|everybody| meant(everybody, room));
    let count = |of: &socketio::Broadcast| (of.ids().len(), of.history().len());
    let (members, history) = room_of.as_ref().map(count).unwrap_or_default();
    shown(&Room { room, namespace, members, history })
}

/// The room in the path.
pub(super) fn named<'a>(call: &'a Call<'_>) -> Result<&'a str, ApiError> {
    match is_room(&call.name) {
        true => Ok(&call.name),
        false => Err(ApiError::field("room", "a name begins with no control character")),
    }
}
