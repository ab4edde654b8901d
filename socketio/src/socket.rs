//! What it is: the handle of one client in one namespace, as handlers and applications hold it.
//! What it is not: the connection; one connection may carry sockets of several namespaces.
//! Who calls it: applications. Clones are the same socket.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use engineio::{Handshake, Revision};
use serde::Serialize;
use tokio::{sync::oneshot, time::Sleep};

use crate::{
    args::{Args, FromArgs},
    broadcast::Broadcast,
    error::{AckError, DisconnectReason, EmitError},
    hub::{Hub, Target},
    id::SocketId,
    peer::Peer,
    rooms::Room,
};

/// One client in one namespace.
#[derive(Clone)]
pub struct Socket {
    pub(crate) hub: Arc<Hub>,
    pub(crate) peer: Arc<Peer>,
}

impl Socket {
    /// The id, which the client knows as `socket.id`. It may be shown to others, but for clients of revision 3, see
    /// [`SocketId`].
    pub fn id(&self) -> SocketId {
        self.peer.id.clone()
    }

    /// Name of the namespace, with its leading slash.
    pub fn namespace_name(&self) -> &str {
        &self.hub.path
    }

    /// Whether the socket is in its namespace: not yet while its connect handler runs, no more once it left.
    pub fn is_connected(&self) -> bool {
        self.peer.is_connected()
    }

    /// The request that opened the connection.
    pub fn handshake(&self) -> &Handshake {
        self.peer.engine.handshake()
    }

    /// The revision of Engine.IO that the client speaks, and with it the protocol of Socket.IO: 4 above
    /// [`Revision::V3`], 5 above [`Revision::V4`].
    pub fn revision(&self) -> Revision {
        self.peer.revision()
    }

    /// Emits an event to this client. It is queued and leaves with whatever else waits. A tuple or an array is
    /// several arguments, `()` none, any other type one; what serde calls bytes (such as `bytes::Bytes`) is binary.
    ///
    /// In a connect handler it waits until the client has joined, and is dropped if that is refused.
    ///
    /// # Errors
    /// [`EmitError`]; the client gets nothing then.
    pub fn emit<T: Serialize + ?Sized>(&self, event: &str, args: &T) -> Result<(), EmitError> {
        self.hub.emit(&self.peer, self.hub.event(event, args, None)?)
    }

    /// Emits an event and asks for an answer, read as `R` by the rules of [`Args::read`].
    ///
    /// ```no_run
    /// # async fn ask(socket: socketio::Socket) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// let answer: String = socket.emit_with_ack("question", "ready?")?.timeout(Duration::from_secs(5)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A connect handler must not await it: nothing is sent before that handler has let the client in.
    ///
    /// # Errors
    /// [`EmitError`]; the client gets nothing then.
    pub fn emit_with_ack<R: FromArgs>(
        &self,
        event: &str,
        args: &(impl Serialize + ?Sized),
    ) -> Result<Answer<R>, EmitError> {
        let id = self.hub.next_ack();
        let event = self.hub.event(event, args, Some(id))?;
        let receiver = self.peer.expect_ack(id);
        let answer = Answer { peer: self.peer.clone(), id, receiver, timeout: None, read: PhantomData };
        // On an error the answer is dropped, and with it what was expected.
        self.hub.emit(&self.peer, event)?;
        Ok(answer)
    }

    /// Joins a room. A socket that has left joins nothing.
    pub fn join(&self, room: impl Into<Room>) {
        self.hub.join(&self.peer, room.into());
    }

    /// Leaves a room; one it is not in is no matter.
    pub fn leave(&self, room: impl AsRef<str>) {
        self.hub.leave(&self.peer, room.as_ref());
    }

    /// The rooms it is in, in the order of joining; in a disconnect handler those it was in.
    /// The room of its own id, in which every socket is alone, is not among them.
    pub fn rooms(&self) -> Vec<Room> {
        self.peer.state().rooms.clone()
    }

    /// Keeps a value with this socket, in place of another one of the same type (`socket.data`). It is there until the
    /// last handle of the socket is dropped, so also in its disconnect handler; clients do not see it.
    ///
    /// ```
    /// use socketio::{Auth, Namespace, Reply, Socket};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct User {
    ///     name: String,
    /// }
    ///
    /// let chat = Namespace::new("/chat")
    ///     .on_connect(async |socket: Socket, Auth(user): Auth<User>| socket.set(user))
    ///     .on("who am i", async |socket: Socket| Reply(socket.get::<User>().map(|user| user.name.clone())));
    /// ```
    pub fn set<T: Send + Sync + 'static>(&self, value: T) {
        let value = Arc::new(value);
        // Dropped after the lock is free: its type is the application's.
        let _before = self.peer.state().data.set(value);
    }

    /// The value of this type that was [`set`](Self::set) last. To change one in place, keep a `Mutex` or an atomic.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.peer.state().data.get()
    }

    /// Everybody in a room but this socket. Also takes a socket id. Each further `to` adds recipients.
    pub fn to(&self, room: impl Into<Room>) -> Broadcast {
        self.broadcast().to(room)
    }

    /// Everybody in the namespace but this socket and those in the room.
    pub fn except(&self, room: impl Into<Room>) -> Broadcast {
        self.broadcast().except(room)
    }

    /// Everybody in the namespace but this socket.
    pub fn broadcast(&self) -> Broadcast {
        self.namespace().except(self.id())
    }

    /// Everybody in the namespace, this socket too.
    pub fn namespace(&self) -> Broadcast {
        Broadcast { hub: self.hub.clone(), target: Target::default() }
    }

    /// Makes the socket leave its namespace with a DISCONNECT packet: the client does not come back by itself.
    /// The connection and its other namespaces stay.
    pub fn disconnect(&self) {
        self.hub.remove(&self.peer, DisconnectReason::ServerNamespaceDisconnect, true);
    }

    /// Closes the connection, with all its namespaces, once what was sent has left. The client comes back by itself.
    pub fn close(&self) {
        self.peer.engine.close();
    }
}

/// Here and not beside `Broadcast`, which is in a lower layer and knows no `Socket`.
impl Broadcast {
    /// The sockets that are meant at this moment.
    pub fn sockets(&self) -> Vec<Socket> {
        let peers = self.hub.peers(&self.target);
        peers.into_iter().map(|peer| Socket { hub: self.hub.clone(), peer }).collect()
    }
}

impl PartialEq for Socket {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.peer, &other.peer)
    }
}

impl Eq for Socket {}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("id", &self.id()).field("namespace", &self.namespace_name()).finish()
    }
}

/// The answer to an event, to be awaited. Without a [`timeout`](Self::timeout) it waits until the socket leaves.
#[must_use = "the answer comes when this is awaited; dropped, nobody waits for it"]
pub struct Answer<R> {
    peer: Arc<Peer>,
    id: u64,
    receiver: oneshot::Receiver<Args>,
    timeout: Option<Pin<Box<Sleep>>>,
    read: PhantomData<fn() -> R>,
}

impl<R> Answer<R> {
    /// Gives up after this time, with [`AckError::Timeout`].
    pub fn timeout(mut self, after: Duration) -> Self {
        self.timeout = Some(Box::pin(tokio::time::sleep(after)));
        self
    }
}

impl<R: FromArgs> Future for Answer<R> {
    type Output = Result<R, AckError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(args) = Pin::new(&mut self.receiver).poll(cx) {
            return Poll::Ready(match args {
                Ok(args) => R::from_args(args).map_err(AckError::Decode),
                Err(_) => Err(AckError::Disconnected),
            });
        }
        match &mut self.timeout {
            Some(timeout) => timeout.as_mut().poll(cx).map(|()| Err(AckError::Timeout)),
            None => Poll::Pending,
        }
    }
}

impl<R> Drop for Answer<R> {
    fn drop(&mut self) {
        self.peer.forget_ack(self.id);
    }
}

impl<R> fmt::Debug for Answer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("id", &self.id).finish_non_exhaustive()
    }
}
