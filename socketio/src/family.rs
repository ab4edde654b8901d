//! What it is: a choice of recipients in all namespaces of a family, and an event emitted to them.
//! What it is not: a list of sockets: the reference's parent namespace cannot fetch any either.
//! Who calls it: applications, by `SocketIo::family`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    broadcast::Broadcast, error::EmitError, flags::Flags, namespaces::Namespaces, rooms::Room, target::Target,
};

/// The sockets that are meant in the namespaces of a family (the reference's parent namespace): all, or those in some
/// rooms, less those excepted.
///
/// Which namespaces there are is looked up by each `emit`.
#[derive(Debug, Clone)]
#[must_use = "nothing is sent before `emit`"]
pub struct Family {
    pub(crate) namespaces: Arc<Namespaces>,
    pub(crate) pattern: String,
    pub(crate) target: Target,
}

impl Family {
    /// Adds the members of a room of this name in each namespace, or the socket with this id.
    pub fn to(mut self, room: impl Into<Room>) -> Self {
        self.target.rooms.push(room.into());
        self
    }

    /// Leaves out the members of a room of this name in each namespace, or the socket with this id.
    pub fn except(mut self, room: impl Into<Room>) -> Self {
        self.target.except.push(room.into());
        self
    }

    /// Emits an event to all who are meant, and returns to how many. It is encoded once for each namespace; arguments
    /// are those of [`Socket::emit`](crate::Socket::emit).
    ///
    /// # Errors
    /// [`EmitError`]; nobody gets anything then.
    pub fn emit<T: Serialize + ?Sized>(&self, event: &str, args: &T) -> Result<usize, EmitError> {
        let hubs = self.namespaces.hubs(&self.pattern).into_iter();
        hubs.map(|hub| Broadcast::of(&hub, self.target.clone(), Flags::default()).emit(event, args)).sum()
    }
}
