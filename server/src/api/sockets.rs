//! What it is: sockets: a list of them, and one, which may be changed and disconnected.
//! What it is not: ops, which mean many at a time (`ops`), nor those of other servers (`elsewhere`).
//! Who calls it: `api`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use socketio::{Glob, JoinError, Room, Socket};

use super::{
    ApiError,
    page::Page,
    portrait::Portrait,
    route::{Answered, Call, shown},
};
use crate::{
    member::{Member, MemberError},
    op,
    perform::{PerformError, can_leave},
    sockets::Audience,
};

#[derive(Serialize)]
struct Sockets {
    sockets: Vec<Portrait>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// For how many something was changed.
#[derive(Serialize)]
pub(super) struct Changed {
    pub(super) changed: usize,
}

/// What is to be changed; what is left out stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change<'a> {
    #[serde(default, borrow, deserialize_with = "op::present")]
    user: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "op::present")]
    session: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "op::names")]
    join: Option<Vec<String>>,
    #[serde(default, deserialize_with = "op::names")]
    leave: Option<Vec<String>>,
}

/// `GET /api/v1/sockets`.
pub(super) fn list(call: &Call<'_>) -> Answered {
    let mut page = Page::of(&call.query)?;
    let (room, user) = (call.query.get("room"), call.query.get("user"));
    let names = |name: Option<&str>| name.map(str::to_owned).into_iter().collect();
    if room.is_none() && user.is_none() {
        let namespace = call.query.get("namespace").map(|_| call.space()).transpose()?.map(|(namespace, _)| namespace);
        call.api.sockets.for_each(|socket| {
            let name = socket.namespace_name();
            if namespace.map_or_else(|| call.grant.is_for(name), |namespace| name == namespace) {
                page.offer(socket.id().as_str(), || socket.clone());
            }
        });
    } else {
        let is_of = |socket: &Socket| user.is_none_or(|user| Member::of(socket).user().as_deref() == Some(user));
        let meant = match room {
            Some(_) => Audience { rooms: names(room), ..Audience::default() },
            None => Audience { users: names(user), ..Audience::default() },
        };
        for namespace in call.namespaces()? {
            // A namespace that has gone meanwhile has nobody in it.
            let found = call.api.sockets.select(&namespace, &meant, &Audience::default()).unwrap_or_default();
            for socket in found.iter().filter(|socket| is_of(socket)) {
                page.offer(socket.id().as_str(), || socket.clone());
            }
        }
    }
    let (sockets, cursor) = page.end();
    let sockets = sockets.values().map(|socket| Portrait::of(socket, call.api)).collect();
    shown(&Sockets { sockets, cursor })
}

/// `GET /api/v1/sockets/{sid}`.
pub(super) fn show(call: &Call<'_>, _body: &[u8]) -> Answered {
    shown(&Portrait::whole(&named(call)?, call.api))
}

/// `PATCH /api/v1/sockets/{sid}`. Rooms come last, as they alone may be refused for what the socket is in.
pub(super) fn change(call: &Call<'_>, body: &[u8]) -> Answered {
    let change: Change<'_> = op::parse(body).map_err(ApiError::Op)?;
    let user = change.user.map(|user| serde_json::from_str::<Option<String>>(user.get())).transpose();
    let user = user.map_err(|_| ApiError::field("user", "a text, or null for nobody"))?;
    let join = op::checked(change.join.unwrap_or_default(), "join").map_err(ApiError::Op)?;
    let leave: Vec<Glob> = change.leave.iter().flatten().map(|glob| Glob::new(glob)).collect();
    let socket = named(call)?;
    let member = Member::of(&socket);
    if let Some(user) = user {
        member.set_user(&socket, user.as_deref()).map_err(|error| of_member(error, "user"))?;
    }
    if let Some(session) = change.session {
        member.set_session(session.to_owned()).map_err(|error| of_member(error, "session"))?;
    }
    let leaves = |room: &Room| leave.iter().any(|glob| can_leave(glob, room));
    socket.move_to_all(join, leaves).map_err(|error| match error {
        JoinError::Disconnected => call.no_socket(),
        error => ApiError::field("join", error.to_string()),
    })?;
    shown(&Portrait::whole(&socket, call.api))
}

fn of_member(error: MemberError, field: &str) -> ApiError {
    match error {
        MemberError::Gone => ApiError::Perform(PerformError::UnknownSocket),
        error => ApiError::field(field, PerformError::Member(error).to_string()),
    }
}

/// `DELETE /api/v1/sockets/{sid}`.
pub(super) fn disconnect(call: &Call<'_>, _body: &[u8]) -> Answered {
    let is_transport = match call.query.get("transport") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(ApiError::field("transport", "true or false")),
    };
    let socket = named(call)?;
    if is_transport {
        socket.close();
    } else {
        socket.disconnect();
    }
    shown(&Changed { changed: 1 })
}

/// The socket in the path; one of a namespace that the key is not for is as good as none.
fn named(call: &Call<'_>) -> Result<Socket, ApiError> {
    let found = call.api.sockets.get(&call.name).filter(|socket| call.grant.is_for(socket.namespace_name()));
    found.ok_or_else(|| call.no_socket())
}
