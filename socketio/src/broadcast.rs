//! What it is: a choice of recipients in a namespace, and an event emitted to them.
//! What it is not: stored anywhere; each step gives a new choice, which can be used many times.
//! Who calls it: applications, by `SocketIo::of` or from a socket.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    error::EmitError,
    hub::{Hub, Target},
    rooms::Room,
};

/// The sockets of a namespace that are meant: all, or those in some rooms, less those excepted.
#[derive(Debug, Clone)]
#[must_use = "nothing is sent before `emit`"]
pub struct Broadcast {
    pub(crate) hub: Arc<Hub>,
    pub(crate) target: Target,
}

impl Broadcast {
    /// Adds the members of a room, or the socket with this id. Nobody is meant twice.
    pub fn to(mut self, room: impl Into<Room>) -> Self {
        self.target.rooms.push(room.into());
        self
    }

    /// Leaves out the members of a room, or the socket with this id.
    pub fn except(mut self, room: impl Into<Room>) -> Self {
        self.target.except.push(room.into());
        self
    }

    /// Emits an event to all who are meant, and returns to how many. It is encoded once; arguments are those of
    /// [`Socket::emit`](crate::Socket::emit).
    ///
    /// # Errors
    /// [`EmitError`]; nobody gets anything then.
    pub fn emit<T: Serialize + ?Sized>(&self, event: &str, args: &T) -> Result<usize, EmitError> {
        Ok(self.hub.deliver(&self.target, &self.hub.event(event, args, None)?))
    }
}
