//! What it is: answers of backends carried out.
//! What it is not: their acks and errors, which belong to single events.
//! Who calls it: `backend` and `namespaces`, with answers that were read as a whole.

use socketio::Socket;

use super::{answer::Answer, queue::Kind};
use crate::{
    emitted::Source,
    member::{Member, MemberError},
    perform::PerformError,
    sockets::Sockets,
};

/// Does what an answer wants for this socket and others: what is kept with the socket, then the actions, in order. What
/// cannot be done is told, and all else is done nevertheless: the socket may have gone meanwhile, or be in too many
/// rooms. Of a socket that has left only its session can be changed, for when it is recovered.
pub(crate) fn carry_out(
    sockets: &Sockets,
    socket: &Socket,
    kind: Kind,
    answer: &Answer,
    mut failed: impl FnMut(&PerformError),
) {
    let member = Member::of(socket);
    let mut note = |result: Result<(), MemberError>| {
        if let Err(error) = result {
            failed(&error.into());
        }
    };
    if let Some(session) = &answer.session {
        note(member.set_session(session.clone()));
    }
    if kind != Kind::Disconnect {
        if let Some(user) = &answer.user {
            note(member.set_user(socket, user.as_deref()));
        }
        if let Some(info) = &answer.info {
            member.set_info(socket, info.clone());
        }
        for room in &answer.rooms {
            note(socket.join(room).map_err(MemberError::from));
        }
    }
    carry_out_actions(sockets, answer, failed);
}

/// Does what an answer wants that is for no socket of its own.
pub(crate) fn carry_out_actions(sockets: &Sockets, answer: &Answer, mut failed: impl FnMut(&PerformError)) {
    for action in &answer.actions {
        if let Err(error) = sockets.perform(action, Source::Hook) {
            failed(&error);
        }
    }
}
