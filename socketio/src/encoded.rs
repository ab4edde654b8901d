//! What it is: an event encoded once by the application, to be emitted many times in its namespace.
//! What it is not: bound to a socket or a room; whoever emits it chooses those.
//! Who calls it: applications; `operator` and `broadcast` send it.

use std::{fmt, sync::Arc};

use serde::Serialize;

use crate::{error::EmitError, hub::Hub, target::Event};

/// An event that is encoded already: what many sockets or rooms are sent one by one costs no more than a broadcast.
/// Clones share the bytes.
///
/// ```no_run
/// # fn tell(io: socketio::SocketIo, winners: Vec<String>) -> Result<(), socketio::EmitError> {
/// let Some(game) = io.of("/game") else { return Ok(()) };
/// let over = game.encode("over", &winners)?;
/// for room in ["north", "south"] {
///     game.clone().to(room).emit_encoded(&over)?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct EncodedEvent {
    hub: Arc<Hub>,
    event: Event,
}

impl EncodedEvent {
    pub(crate) fn new<T: Serialize + ?Sized>(hub: &Arc<Hub>, event: &str, args: &T) -> Result<Self, EmitError> {
        Ok(Self { hub: hub.clone(), event: hub.event(event, args, None)? })
    }

    /// Name of the namespace that it can be emitted in: the bytes say it.
    pub fn namespace_name(&self) -> &str {
        &self.hub.path
    }

    /// The event, for this namespace.
    pub(crate) fn within(&self, hub: &Hub) -> Result<Event, EmitError> {
        if self.hub.path == hub.path { Ok(self.event.clone()) } else { Err(EmitError::OtherNamespace) }
    }
}

impl fmt::Debug for EncodedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncodedEvent").field("namespace", &self.hub.path).finish_non_exhaustive()
    }
}
