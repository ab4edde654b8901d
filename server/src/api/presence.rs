//! What it is: who is in a room that tells its members so.
//! What it is not: its sockets; a user has one or several, or had one a moment ago.
//! Who calls it: `api`.

use std::collections::BTreeMap;

use serde::Serialize;
use socketio::PresentUser;

use super::{
    page::Page,
    rooms,
    route::{Answered, Call, shown},
};

#[derive(Serialize)]
struct Presence<'a> {
    room: &'a str,
    namespace: &'a str,
    members: BTreeMap<Box<str>, PresentUser>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// `GET /api/v1/presence/{room}`.
pub(super) fn show(call: &Call<'_>) -> Answered {
    let mut page = Page::of(&call.query)?;
    let room = rooms::named(call)?;
    let (namespace, everybody) = call.space()?;
    for (user, present) in everybody.map(|everybody| everybody.to(room).presence()).unwrap_or_default() {
        page.offer(&user, || present);
    }
    let (members, cursor) = page.end();
    shown(&Presence { room, namespace, members, cursor })
}
