//! What it is: the operators of a whole server, which are those of its main namespace `/`.
//! What it is not: another choice of recipients; each of these is `of("/")` and one step.
//! Who calls it: applications.

use std::{sync::Arc, time::Duration};

use serde::Serialize;

use crate::{
    answer::Answers,
    args::FromArgs,
    broadcast::Broadcast,
    encoded::EncodedEvent,
    error::EmitError,
    hub::{Extras, Hub, Observer, Terms},
    remote::RemoteSocket,
    replies::Partial,
    rooms::Room,
    server::SocketIo,
    socket::Socket,
};

/// Whom an empty namespace tells of its sockets.
struct Nobody;

impl Observer for Nobody {}

/// All in the namespace `/`; where that is not served there is nobody.
impl SocketIo {
    /// Everybody in `/`.
    fn root(&self) -> Broadcast {
        self.of("/").unwrap_or_else(|| {
            let (path, params) = ("/".into(), Box::default());
            Broadcast::new(Arc::new(Hub::new(path, params, Terms::default(), Extras::default(), Box::new(Nobody))))
        })
    }

    /// The members of a room of `/`, see [`Broadcast::to`].
    pub fn to(&self, room: impl Into<Room>) -> Broadcast {
        self.root().to(room)
    }

    /// Everybody in `/` but the members of a room, see [`Broadcast::except`].
    pub fn except(&self, room: impl Into<Room>) -> Broadcast {
        self.root().except(room)
    }

    /// Everybody in `/` on this server, see [`Broadcast::local`].
    pub fn local(&self) -> Broadcast {
        self.root().local()
    }

    /// Everybody in `/` who is ready, see [`Broadcast::volatile`].
    pub fn volatile(&self) -> Broadcast {
        self.root().volatile()
    }

    /// Everybody in `/`, see [`Broadcast::compress`].
    pub fn compress(&self, compress: bool) -> Broadcast {
        self.root().compress(compress)
    }

    /// Everybody in `/`, with a limited time for their answers, see [`Broadcast::timeout`].
    pub fn timeout(&self, timeout: Duration) -> Broadcast {
        self.root().timeout(timeout)
    }

    /// Emits to everybody in `/`, see [`Broadcast::emit`].
    ///
    /// # Errors
    /// [`EmitError`]; nobody gets anything then.
    pub fn emit<T: Serialize + ?Sized>(&self, event: &str, args: &T) -> Result<usize, EmitError> {
        self.root().emit(event, args)
    }

    /// Emits the event `message` to everybody in `/`.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    pub fn send<T: Serialize + ?Sized>(&self, args: &T) -> Result<usize, EmitError> {
        self.root().send(args)
    }

    /// Emits an event that was encoded before to everybody in `/`.
    ///
    /// # Errors
    /// [`EmitError::OtherNamespace`].
    pub fn emit_encoded(&self, event: &EncodedEvent) -> Result<usize, EmitError> {
        self.root().emit_encoded(event)
    }

    /// An event of `/` that is encoded once, see [`Broadcast::encode`].
    ///
    /// # Errors
    /// [`EmitError`].
    pub fn encode<T: Serialize + ?Sized>(&self, event: &str, args: &T) -> Result<EncodedEvent, EmitError> {
        self.root().encode(event, args)
    }

    /// Emits to everybody in `/` and asks each for an answer, see [`Broadcast::emit_with_ack`].
    ///
    /// # Errors
    /// [`EmitError`]; nobody gets anything then.
    pub fn emit_with_ack<R: FromArgs>(
        &self,
        event: &str,
        args: &(impl Serialize + ?Sized),
    ) -> Result<Answers<R>, EmitError> {
        self.root().emit_with_ack(event, args)
    }

    /// Everybody in `/`, see [`Broadcast::sockets`].
    pub fn sockets(&self) -> Vec<Socket> {
        self.root().sockets()
    }

    /// Everybody in `/`, of all servers of a cluster, see [`Broadcast::fetch_sockets`].
    ///
    /// # Errors
    /// [`Partial`], when a server went away or gave no answer in time.
    pub async fn fetch_sockets(&self) -> Result<Vec<RemoteSocket>, Partial<RemoteSocket>> {
        self.root().fetch_sockets().await
    }

    /// Lets everybody in `/` join a room, see [`Broadcast::sockets_join`].
    pub fn sockets_join(&self, room: impl Into<Room>) -> usize {
        self.root().sockets_join(room)
    }

    /// Lets everybody in `/` leave a room.
    pub fn sockets_leave(&self, room: impl AsRef<str>) {
        self.root().sockets_leave(room);
    }

    /// Disconnects everybody in `/`, see [`Broadcast::disconnect_sockets`].
    pub fn disconnect_sockets(&self, close: bool) {
        self.root().disconnect_sockets(close);
    }
}
