//! What it is: ops carried out for the clients of this server.
//! What it is not: the judge of who may have them carried out (`keyring`), nor for those of other servers (`cluster`).
//! Who calls it: `cluster`, with what is this server's part.

use std::{cell::Cell, fmt};

use socketio::{EmitError, Glob, JoinError, Room, Socket};

use crate::{
    emitted::{Emitted, Source},
    member::{self, Member, MemberError},
    op::{Action, Emit, Op},
    sockets::{Audience, Reach, SendError, Sockets, UnknownNamespace},
};

/// What came of an op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// To so many sockets an event was sent.
    Sent(usize),
    /// So many sockets were changed.
    Changed(usize),
}

/// Why an op could not be carried out.
#[derive(Debug)]
pub(crate) enum PerformError {
    UnknownNamespace,
    /// There is no socket with this id in the namespace.
    UnknownSocket,
    /// Of those who were to answer there is none.
    Nobody,
    /// No server that has answered has it, and not all have.
    Unheard,
    /// No socket can join a room of this name.
    RoomName,
    Emit(EmitError),
    Member(MemberError),
}

impl fmt::Display for PerformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownNamespace => f.write_str("there is no such namespace"),
            Self::UnknownSocket => f.write_str("there is no such socket"),
            Self::Nobody => f.write_str("nobody is there to answer"),
            Self::Unheard => f.write_str("a server of the cluster, which may have the socket, gave no answer"),
            Self::RoomName => f.write_str("the name of a room is too long"),
            Self::Emit(error) => error.fmt(f),
            Self::Member(MemberError::User) => f.write_str("the name of the user is not possible"),
            Self::Member(MemberError::Session) => write!(f, "a session has {} bytes at most", member::MAX_SESSION),
            Self::Member(MemberError::Room) => f.write_str("the name of the room is not possible"),
            Self::Member(MemberError::TooManyRooms) => f.write_str("the socket is in too many rooms"),
            Self::Member(MemberError::Gone) => f.write_str("the socket has left"),
        }
    }
}

impl From<UnknownNamespace> for PerformError {
    fn from(_: UnknownNamespace) -> Self {
        Self::UnknownNamespace
    }
}

impl From<MemberError> for PerformError {
    fn from(error: MemberError) -> Self {
        Self::Member(error)
    }
}

impl Sockets {
    /// Carries out one op for clients of this server, and an emit for those of others as far as it reaches.
    ///
    /// # Errors
    /// [`PerformError`]; nothing was done then.
    pub(crate) fn perform_here(&self, op: &Op, source: Source, reach: Reach) -> Result<Done, PerformError> {
        let namespace = &*op.namespace;
        match &op.action {
            Action::Emit(emit) => self.perform_emit(namespace, emit, source, reach),
            Action::Join { target, except, rooms, leave } => {
                let is_too_long = Cell::new(false);
                let joined = self.each(namespace, (target, except), |socket| {
                    let leaves = |room: &Room| leave.as_ref().is_some_and(|glob| can_leave(glob, room));
                    let joined = socket.move_to_all(rooms, leaves);
                    is_too_long.set(is_too_long.get() || joined == Err(JoinError::NameTooLong));
                    joined.is_ok()
                });
                // It is so for every socket.
                if is_too_long.get() { Err(PerformError::RoomName) } else { joined }
            }
            Action::Leave { target, except, rooms } => self.each(namespace, (target, except), |socket| {
                let joined = socket.rooms();
                let left = joined.iter().filter(|room| rooms.iter().any(|glob| can_leave(glob, room)));
                left.inspect(|room| socket.leave(room)).count() > 0
            }),
            Action::CloseRoom { room } => {
                self.each(namespace, (&Audience::room(room), &Audience::default()), |socket| {
                    let is_in = socket.rooms().iter().any(|joined| joined.as_str() == room);
                    socket.leave(room);
                    is_in
                })
            }
            Action::Disconnect { target, except, transport } => self.each(namespace, (target, except), |socket| {
                if *transport {
                    socket.close()
                } else {
                    socket.disconnect()
                }
                true
            }),
            Action::Session { sid, session } => {
                Member::of(&self.one(namespace, sid)?).set_session(session.0.clone())?;
                Ok(Done::Changed(1))
            }
            Action::User { sid, user } => {
                let socket = self.one(namespace, sid)?;
                Member::of(&socket).set_user(&socket, user.as_deref())?;
                Ok(Done::Changed(1))
            }
        }
    }

    fn perform_emit(&self, namespace: &str, emit: &Emit, source: Source, reach: Reach) -> Result<Done, PerformError> {
        let (who, what) = ((&emit.to, &emit.except), (&*emit.event, &emit.args));
        let sent = self.emit(namespace, who, what, (emit.manner, reach)).map_err(|error| match error {
            SendError::UnknownNamespace => PerformError::UnknownNamespace,
            SendError::Emit(error) => PerformError::Emit(error),
        })?;
        let Emit { event, args, to, except, .. } = emit;
        self.note_emitted(namespace, &Emitted { source, event, args, to, except, recipients: sent });
        Ok(Done::Sent(sent))
    }

    /// Does something with all who are meant, and counts for whom that changed something.
    fn each(
        &self,
        namespace: &str,
        (target, except): (&Audience, &Audience),
        change: impl Fn(&Socket) -> bool,
    ) -> Result<Done, PerformError> {
        let sockets = self.select(namespace, target, except)?;
        Ok(Done::Changed(sockets.iter().filter(|socket| change(socket)).count()))
    }

    pub(crate) fn one(&self, namespace: &str, sid: &str) -> Result<Socket, PerformError> {
        let found = self.get(sid).filter(|socket| socket.namespace_name() == namespace);
        found.ok_or(PerformError::UnknownSocket)
    }
}

/// Whether a room is meant by a glob of an application's: one that has several names does not mean our own rooms.
pub(crate) fn can_leave(glob: &Glob, room: &Room) -> bool {
    glob.matches(room.as_str()) && !member::is_of_user(room.as_str())
}
