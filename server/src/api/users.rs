//! What it is: a user: all its sockets, and the rooms that these are in.
//! What it is not: a list of users, who are known only by their sockets.
//! Who calls it: `api`.

use std::collections::BTreeSet;

use serde::Serialize;
use socketio::{Room, Socket};

use super::{
    page::Page,
    portrait::Portrait,
    route::{Answered, Call, shown},
};
use crate::{member, sockets::Audience};

#[derive(Serialize)]
struct User<'a> {
    user: &'a str,
    /// Of all its sockets, those in the other parts included.
    rooms: BTreeSet<Place>,
    sockets: Vec<Portrait>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Place {
    namespace: String,
    room: Room,
}

/// `GET /api/v1/users/{user}`. One without a socket is as good as any.
pub(super) fn show(call: &Call<'_>) -> Answered {
    let mut page: Page<Socket> = Page::of(&call.query)?;
    let meant = Audience { users: vec![call.name.clone().into_owned()], ..Audience::default() };
    let mut rooms = BTreeSet::new();
    for namespace in call.namespaces()? {
        // A namespace that has gone meanwhile has nobody in it.
        for socket in call.api.sockets.select(&namespace, &meant, &Audience::default()).unwrap_or_default() {
            let places = member::rooms(&socket).into_iter();
            rooms.extend(places.map(|room| Place { namespace: namespace.clone(), room }));
            page.offer(socket.id().as_str(), || socket.clone());
        }
    }
    let (sockets, cursor) = page.end();
    let sockets = sockets.values().map(|socket| Portrait::with_rooms(socket, call.api)).collect();
    shown(&User { user: &call.name, rooms, sockets, cursor })
}
