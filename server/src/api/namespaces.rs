//! What it is: the namespaces that are there.
//! What it is not: those that are configured, of which some are there only while somebody is in them.
//! Who calls it: `api`.

use serde::Serialize;

use super::{
    page::Page,
    route::{Answered, Call, shown},
};
use crate::op::is_room;

#[derive(Serialize)]
struct Namespaces {
    namespaces: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    namespace: Box<str>,
    sockets: usize,
    rooms: usize,
}

/// `GET /api/v1/namespaces`.
pub(super) fn list(call: &Call<'_>) -> Answered {
    let mut page = Page::of(&call.query)?;
    call.namespaces()?.iter().for_each(|name| page.offer(name, || ()));
    let (names, cursor) = page.end();
    // One that has gone meanwhile is left out.
    let namespaces = names.into_keys().filter_map(|namespace| {
        let everybody = call.api.sockets.io().of(&namespace)?;
        let rooms = everybody.rooms().iter().filter(|(room, _)| is_room(room.as_str())).count();
        Some(Shown { namespace, sockets: everybody.ids().len(), rooms })
    });
    shown(&Namespaces { namespaces: namespaces.collect(), cursor })
}
