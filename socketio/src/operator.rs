//! What it is: one socket, with flags for what it is sent: volatile, uncompressed, a timeout for its answer.
//! What it is not: a choice of recipients; that is `broadcast`, to which the flags can be taken along.
//! Who calls it: applications, by `Socket::volatile` and the like. `Socket` emits through one without flags.

use std::{sync::Arc, time::Duration};

use engineio::Sent;
use serde::Serialize;

use crate::{
    answer::{Answer, Due},
    args::FromArgs,
    broadcast::Broadcast,
    encoded::EncodedEvent,
    error::EmitError,
    flags::Flags,
    hub::Hub,
    peer::Peer,
    rooms::Room,
    target::Target,
};

/// One socket and how it is emitted to. Each flag gives a new one, so that one can be kept and used many times.
#[derive(Debug, Clone, Copy)]
#[must_use = "nothing is sent before `emit`"]
pub struct SocketOperator<'a> {
    pub(crate) hub: &'a Arc<Hub>,
    pub(crate) peer: &'a Arc<Peer>,
    pub(crate) flags: Flags,
}

impl SocketOperator<'_> {
    /// Drops the event unless the client can take it at once: for what is stale when it is late. It never overtakes
    /// what was emitted before it, and of one with attachments all of it is sent or nothing.
    ///
    /// A client can take it when nothing else waits for it and, over polling, when its GET waits.
    pub fn volatile(self) -> Self {
        Self { flags: Flags { volatile: true, ..self.flags }, ..self }
    }

    /// Whether the event may be compressed where the engine's options would. Default `true`.
    pub fn compress(self, compress: bool) -> Self {
        Self { flags: Flags { uncompressed: !compress, ..self.flags }, ..self }
    }

    /// Gives up on an answer after this time, with [`AckError::Timeout`](crate::AckError::Timeout). Default: it is
    /// waited for until the socket leaves. Of no matter to events that want no answer.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { flags: Flags { timeout: Some(timeout), ..self.flags }, ..self }
    }

    /// Everybody in a room but this socket, with these flags.
    pub fn to(self, room: impl Into<Room>) -> Broadcast {
        self.broadcast().to(room)
    }

    /// Everybody in the namespace but this socket and those in the room, with these flags.
    pub fn except(self, room: impl Into<Room>) -> Broadcast {
        self.broadcast().except(room)
    }

    /// Everybody in the namespace but this socket, with these flags.
    pub fn broadcast(self) -> Broadcast {
        let target = Target { except: vec![self.peer.id().clone().into()], ..Target::default() };
        Broadcast::of(self.hub, target, self.flags)
    }

    /// Emits as [`Socket::emit`](crate::Socket::emit) does, and says whether it was queued or, being
    /// [`volatile`](Self::volatile), dropped. While the connect handler runs, volatile events are dropped.
    ///
    /// # Errors
    /// [`EmitError`]; the client gets nothing then.
    pub fn emit<T: Serialize + ?Sized>(self, event: &str, args: &T) -> Result<Sent, EmitError> {
        let event = self.flags.apply(self.hub.event(event, args, None)?);
        self.hub.send(self.peer, &event, self.flags.volatile)
    }

    /// Emits the event `message`.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    pub fn send<T: Serialize + ?Sized>(self, args: &T) -> Result<Sent, EmitError> {
        self.emit("message", args)
    }

    /// Emits an event that was encoded before, by [`Broadcast::encode`].
    ///
    /// # Errors
    /// [`EmitError::OtherNamespace`], [`EmitError::Disconnected`].
    pub fn emit_encoded(self, event: &EncodedEvent) -> Result<Sent, EmitError> {
        self.hub.send(self.peer, &self.flags.apply(event.within(self.hub)?), self.flags.volatile)
    }

    /// Emits an event and asks for an answer, as [`Socket::emit_with_ack`](crate::Socket::emit_with_ack) does.
    ///
    /// # Errors
    /// [`EmitError`]; the client gets nothing then.
    pub fn emit_with_ack<R: FromArgs>(
        self,
        event: &str,
        args: &(impl Serialize + ?Sized),
    ) -> Result<Answer<R>, EmitError> {
        let id = self.hub.next_ack();
        let event = self.flags.apply(self.hub.event(event, args, Some(id))?);
        match self.hub.ask(self.peer, id, &event, self.flags.volatile)? {
            Some(receiver) => Ok(Answer::new(Due::new(self.peer.clone(), id, receiver), self.flags.timeout)),
            None => Err(EmitError::NotReady),
        }
    }
}
