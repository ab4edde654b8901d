//! What it is: the handle of one client in one namespace, as handlers and applications hold it.
//! What it is not: the connection; one connection may carry sockets of several namespaces.
//! Who calls it: applications. Clones are the same socket.

use std::{fmt, sync::Arc, time::Duration};

use engineio::{Handshake, Revision, Stats, Transport};
use serde::Serialize;

use crate::{
    answer::Answer,
    args::FromArgs,
    broadcast::Broadcast,
    encoded::EncodedEvent,
    error::{DisconnectReason, EmitError, JoinError},
    flags::Flags,
    hub::Hub,
    id::SocketId,
    operator::SocketOperator,
    peer::Peer,
    presence::Identification,
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
        self.peer.id().clone()
    }

    /// The id, unless it is made of the sid, which is a credential.
    pub(crate) fn public_id(&self) -> Option<&SocketId> {
        self.peer.known_id().filter(|_| self.revision() == Revision::V4)
    }

    /// Name of the namespace, with its leading slash.
    pub fn namespace_name(&self) -> &str {
        &self.hub.path
    }

    /// Whether the socket is in its namespace: not yet while its connect handler runs, no more once it left.
    pub fn is_connected(&self) -> bool {
        self.peer.is_connected()
    }

    /// Whether the socket has left its namespace, was refused, or its client went while its connect handler ran. It
    /// never comes back from that; a client that is recovered has another socket of the same id.
    pub fn has_left(&self) -> bool {
        self.peer.is_gone()
    }

    /// Whether the client came back after it had lost its connection, and was recovered: with its id, its rooms and
    /// data, and with what it missed. `false` on its first connection, and without [`Recovery`](crate::Recovery).
    pub fn recovered(&self) -> bool {
        self.peer.is_recovered()
    }

    /// The request that opened the connection.
    pub fn handshake(&self) -> &Handshake {
        self.peer.engine.handshake()
    }

    /// The transport in use now, or in the end.
    pub fn transport(&self) -> Transport {
        self.peer.engine.transport()
    }

    /// Bytes that wait for the client: on its connection, so of all its namespaces.
    pub fn outbox_bytes(&self) -> usize {
        self.peer.engine.outbox_bytes()
    }

    /// How its connection is doing: how much came and was sent, of all its namespaces; what waits, and how fast the
    /// client answers.
    pub fn stats(&self) -> Stats {
        self.peer.engine.stats()
    }

    /// How many answers its client owes to events that were emitted with an ack.
    pub fn pending_acks(&self) -> usize {
        self.peer.pending_acks()
    }

    /// The revision of Engine.IO that the client speaks, and with it the protocol of Socket.IO: 4 above
    /// [`Revision::V3`], 5 above [`Revision::V4`].
    pub fn revision(&self) -> Revision {
        self.peer.revision()
    }

    /// Emits an event to this client. It is queued and leaves with whatever else waits. A tuple or an array is
    /// several arguments, `()` none, any other type one; what serde calls bytes (such as `bytes::Bytes`) is binary.
    ///
    /// In a connect handler it waits until the client has joined, and is dropped if that is refused. With
    /// [`Recovery`](crate::Recovery), what is emitted while the client is away waits for it, and once it is back goes
    /// to it, also by a handle from before.
    ///
    /// # Errors
    /// [`EmitError`]; the client gets nothing then.
    pub fn emit<T: Serialize + ?Sized>(&self, event: &str, args: &T) -> Result<(), EmitError> {
        self.operator().emit(event, args).map(drop)
    }

    /// Emits the event `message`.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    pub fn send<T: Serialize + ?Sized>(&self, args: &T) -> Result<(), EmitError> {
        self.operator().send(args).map(drop)
    }

    /// Emits an event that was encoded before, by [`Broadcast::encode`].
    ///
    /// # Errors
    /// [`EmitError::OtherNamespace`], [`EmitError::Disconnected`].
    pub fn emit_encoded(&self, event: &EncodedEvent) -> Result<(), EmitError> {
        self.operator().emit_encoded(event).map(drop)
    }

    /// Emits an event and asks for an answer, read as `R` by the rules of [`Args::read`](crate::Args::read).
    ///
    /// ```no_run
    /// # async fn ask(socket: socketio::Socket) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// let answer: String = socket.timeout(Duration::from_secs(5)).emit_with_ack("question", "ready?")?.await?;
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
        self.operator().emit_with_ack(event, args)
    }

    /// This socket, sent only what it can take at once; see [`SocketOperator::volatile`].
    pub fn volatile(&self) -> SocketOperator<'_> {
        self.operator().volatile()
    }

    /// This socket, with or without compression; see [`SocketOperator::compress`].
    pub fn compress(&self, compress: bool) -> SocketOperator<'_> {
        self.operator().compress(compress)
    }

    /// This socket, with a limited time for its answer; see [`SocketOperator::timeout`].
    pub fn timeout(&self, timeout: Duration) -> SocketOperator<'_> {
        self.operator().timeout(timeout)
    }

    fn operator(&self) -> SocketOperator<'_> {
        SocketOperator { hub: &self.hub, peer: &self.peer, flags: Flags::default() }
    }

    /// Joins a room. In a connect handler it counts once the client is let in.
    ///
    /// The name may be a client's choice: what could harm others is refused.
    ///
    /// # Errors
    /// [`JoinError`]. A connect handler that returns it refuses the client.
    pub fn join(&self, room: impl Into<Room>) -> Result<(), JoinError> {
        self.hub.join(&self.peer, &[room.into()], false, &[])
    }

    /// Joins several rooms, all or none.
    ///
    /// # Errors
    /// [`JoinError`].
    pub fn join_all(&self, rooms: impl IntoIterator<Item = impl Into<Room>>) -> Result<(), JoinError> {
        let rooms: Vec<Room> = rooms.into_iter().map(Into::into).collect();
        self.hub.join(&self.peer, &rooms, false, &[])
    }

    /// Joins a room even if another socket's id is its name, to hear what that one is sent.
    ///
    /// # Errors
    /// [`JoinError`], but not [`OtherSocket`](JoinError::OtherSocket).
    pub fn force_join(&self, room: impl Into<Room>) -> Result<(), JoinError> {
        self.hub.join(&self.peer, &[room.into()], true, &[])
    }

    /// Joins a room and leaves those for which `leaves` says so, in one step: it is in no moment in none of them.
    ///
    /// ```no_run
    /// # fn turn(socket: socketio::Socket) -> Result<(), socketio::JoinError> {
    /// socket.move_to("page:2", |room| room.as_str().starts_with("page:"))
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`JoinError`]; no room is left then.
    pub fn move_to(&self, room: impl Into<Room>, leaves: impl Fn(&Room) -> bool) -> Result<(), JoinError> {
        self.move_to_all([room], leaves)
    }

    /// Joins several rooms, all or none, and leaves those for which `leaves` says so, in one step.
    ///
    /// # Errors
    /// [`JoinError`]; no room is left then.
    pub fn move_to_all(
        &self,
        rooms: impl IntoIterator<Item = impl Into<Room>>,
        leaves: impl Fn(&Room) -> bool,
    ) -> Result<(), JoinError> {
        let rooms: Vec<Room> = rooms.into_iter().map(Into::into).collect();
        // Asked before: no lock is held while the application's code runs.
        let left: Vec<Room> = self.rooms().into_iter().filter(leaves).collect();
        self.hub.join(&self.peer, &rooms, false, &left)
    }

    /// Leaves a room; one it is not in is no matter.
    ///
    /// ```no_run
    /// # fn close(socket: socketio::Socket) {
    /// for page in socket.rooms().iter().filter(|room| room.as_str().starts_with("page:")) {
    ///     socket.leave(page);
    /// }
    /// # }
    /// ```
    pub fn leave(&self, room: impl AsRef<str>) {
        // Asked for before, as it is the application's code: locks are held while the rooms are looked through.
        let room = room.as_ref();
        self.hub.leave(&self.peer, |joined| joined.as_str() == room);
    }

    /// Leaves all rooms, but for that of its own id.
    pub fn leave_all(&self) {
        self.hub.leave(&self.peer, |_| true);
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

    /// Says who this socket is, for [rooms that tell who is in them](crate::Namespace::presence): a user, whose name
    /// all members see, with anything else that they may know. It counts for rooms that the socket joins from now on,
    /// and stays when the client is [recovered](Self::recovered). Other servers of a cluster are
    /// [told](crate::RemoteSocket::user) it, too.
    pub fn identify(&self, user: impl Into<String>, info: impl Into<serde_json::Value>) {
        self.set(Identification { user: user.into(), info: info.into() });
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
        self.operator().broadcast()
    }

    /// Everybody in the namespace, this socket too.
    pub fn namespace(&self) -> Broadcast {
        Broadcast::new(self.hub.clone())
    }

    /// Makes the socket leave its namespace with a DISCONNECT packet: the client does not come back by itself.
    /// The connection and its other namespaces stay. A client that is away can no longer be recovered.
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
    /// The sockets of this server that are meant at this moment, in no order: their ids, handshakes, rooms and data.
    /// Those of a whole cluster can be [fetched](Self::fetch_sockets).
    pub fn sockets(&self) -> Vec<Socket> {
        let peers = self.peers();
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
        f.debug_struct("Socket").field("id", &self.public_id()).field("namespace", &self.namespace_name()).finish()
    }
}
