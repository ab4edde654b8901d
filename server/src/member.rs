//! What it is: what the server knows of a socket beside its rooms: whose it is, and what its application keeps with it.
//! What it is not: the socket.
//! Who calls it: `namespaces` when a client comes; ops change it; `api` and webhooks show it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime},
};

use engineio::Revision;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use socketio::{JoinError, Room, Socket};

/// What the names of the rooms begin with that hold the sockets of one user. Nobody can name them: names from outside
/// that begin with a control character are refused.
const USER: &str = "\u{1}user:";

/// Most bytes of what an application keeps with a socket.
pub(crate) const MAX_SESSION: usize = 16 << 10;

/// What is known of a socket. It stays when its client is recovered.
#[derive(Debug)]
pub(crate) struct Member {
    /// When its client came first.
    pub(crate) since: SystemTime,
    /// Taken for a few steps.
    state: Mutex<State>,
    /// How much backends were told of it.
    seq: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    user: Option<Arc<str>>,
    /// What others may know of it.
    info: Value,
    session: Option<Arc<RawValue>>,
    /// Since when its backend knows of it, if it does.
    known_since: Option<Instant>,
}

/// Why the user or the session of a socket cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MemberError {
    /// The name of the user is empty, too long, or has control characters.
    User,
    /// The session has more than [`MAX_SESSION`] bytes.
    Session,
    /// The name of the room is too long, or is the id of another socket.
    Room,
    /// It is in too many rooms already.
    TooManyRooms,
    Gone,
}

impl Member {
    /// That of a socket; a new one, if it is a client's first time.
    pub(crate) fn of(socket: &Socket) -> Arc<Self> {
        if let Some(member) = socket.get::<Self>() {
            return member;
        }
        socket.set(Self { since: SystemTime::now(), state: Mutex::default(), seq: AtomicU64::new(0) });
        socket.get::<Self>().expect("just set")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned: nobody panics while it is held")
    }

    pub(crate) fn user(&self) -> Option<Arc<str>> {
        self.state().user.clone()
    }

    /// Says whose socket it is; nobody's with `None`. Rooms with presence that it joins from now on name it so.
    pub(crate) fn set_user(&self, socket: &Socket, user: Option<&str>) -> Result<(), MemberError> {
        if user.is_some_and(|user| !can_be_user(user)) {
            return Err(MemberError::User);
        }
        let room = user.map(room_of);
        socket.move_to_all(&room, |room| is_of_user(room.as_str())).map_err(|error| match error {
            JoinError::NameTooLong => MemberError::User,
            error => error.into(),
        })?;
        self.state().user = user.map(Into::into);
        self.identify(socket);
        Ok(())
    }

    /// Says what others may know of it in rooms with presence that it joins from now on.
    pub(crate) fn set_info(&self, socket: &Socket, info: Value) {
        self.state().info = info;
        self.identify(socket);
    }

    fn identify(&self, socket: &Socket) {
        let state = self.state();
        let (user, info) = (state.user.as_deref().map(str::to_owned), state.info.clone());
        drop(state);
        socket.identify(user.unwrap_or_else(|| name_of_nobody(socket)), info);
    }

    /// What its application keeps with it, as JSON.
    pub(crate) fn session(&self) -> Option<Arc<RawValue>> {
        self.state().session.clone()
    }

    /// Its backend knows of it, or may.
    pub(crate) fn note_known(&self) {
        self.state().known_since.get_or_insert_with(Instant::now);
    }

    /// Since when its backend has known of it, which is to be told that it is gone.
    pub(crate) fn forget_known(&self) -> Option<Instant> {
        self.state().known_since.take()
    }

    /// The number of what a backend is told next: 1 is the first one.
    pub(crate) fn next_seq(&self) -> u64 {
        self.seq.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn set_session(&self, session: Box<RawValue>) -> Result<(), MemberError> {
        if session.get().len() > MAX_SESSION {
            return Err(MemberError::Session);
        }
        self.state().session = (session.get() != "null").then(|| session.into());
        Ok(())
    }
}

impl From<JoinError> for MemberError {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::NameTooLong | JoinError::OtherSocket => Self::Room,
            JoinError::TooManyRooms => Self::TooManyRooms,
            _ => Self::Gone,
        }
    }
}

/// What a socket without a user goes by: its id, unless that is a credential.
fn name_of_nobody(socket: &Socket) -> String {
    if socket.revision() == Revision::V4 {
        return socket.id().to_string();
    }
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the system has randomness, as the ids of sockets need it, too");
    format!("{:032x}", u128::from_ne_bytes(random))
}

/// Whether a user can have this name, unless it is too long.
pub(crate) fn can_be_user(name: &str) -> bool {
    !name.is_empty() && !name.contains(char::is_control)
}

/// The room of all sockets of a user.
pub(crate) fn room_of(user: &str) -> Room {
    format!("{USER}{user}").into()
}

/// Whether a room is that of a user, or another one of ours.
pub(crate) fn is_of_user(room: &str) -> bool {
    user_of(room).is_some()
}

/// The user whose room this is.
pub(crate) fn user_of(room: &str) -> Option<&str> {
    room.strip_prefix(USER)
}

/// The rooms of a socket that have names for others.
pub(crate) fn rooms(socket: &Socket) -> Vec<Room> {
    let mut rooms = socket.rooms();
    rooms.retain(|room| !is_of_user(room.as_str()));
    rooms
}
