//! What it is: a namespace: its name, its handlers, and how events reach them. Frozen once it is served.
//! What it is not: who is in it; that is its `hub`.
//! Who calls it: applications build it; `client` brings it what clients send.

use std::{collections::HashMap, fmt, sync::Arc};

use engineio::Revision;

use crate::{
    changes::Listener,
    decoder::Incoming,
    error::{ConnectError, DisconnectReason},
    event::{Connect, Disconnect, Event, Kind, Message},
    handler::{self, Ended, Handler, Running},
    hub::Hub,
    id::SocketId,
    limits::Limits,
    peer::{Arrival, Peer},
    recovery::Recoverable,
    rooms::RoomChange,
    socket::Socket,
    tasks::Tasks,
};

/// A handler whose arguments are no longer part of its type.
type Erased<K> = Box<dyn Fn(&Event<'_, K>) -> Option<Running<K>> + Send + Sync>;

/// A namespace and what happens in it.
///
/// ```
/// use socketio::{Auth, ConnectError, Data, Namespace, Reply, Socket};
///
/// let chat = Namespace::new("/chat")
///     .on_connect(async |socket: Socket, Auth(user): Auth<serde_json::Value>| -> Result<(), ConnectError> {
///         if user["name"].is_null() {
///             return Err(ConnectError::new("who are you?"));
///         }
///         socket.join("lobby")?;
///         Ok(())
///     })
///     .on("say", async |socket: Socket, Data(text): Data<String>| {
///         let heard = socket.to("lobby").emit("said", &text).unwrap_or(0);
///         Reply(heard)
///     });
/// ```
pub struct Namespace {
    path: String,
    on_connect: Option<Erased<Connect>>,
    on_disconnect: Option<Erased<Disconnect>>,
    on_room: Option<Listener>,
    events: HashMap<String, Erased<Message>>,
}

impl Namespace {
    /// A namespace of this name; a missing leading slash is added, so `""` is `/`.
    pub fn new(name: &str) -> Self {
        let path = if name.starts_with('/') { name.to_owned() } else { format!("/{name}") };
        Self { path, on_connect: None, on_disconnect: None, on_room: None, events: HashMap::new() }
    }

    /// Called when a client asks to join; an error refuses it. What the handler emits to the client is sent, and
    /// the rooms it joins count, once it has let the client in. Events that come meanwhile wait, 16 at most
    /// ([`max_waiting_events`](crate::Limits::max_waiting_events)).
    ///
    /// A client that comes back and is recovered asks, too: [`Socket::recovered`] tells it, its rooms and data are
    /// there already, and what it missed is sent before all else. It may still be refused, and then is new the next
    /// time.
    ///
    /// Without a handler everybody is let in. A second one replaces the first.
    pub fn on_connect<A>(mut self, handler: impl Handler<Connect, A>) -> Self {
        self.on_connect = Some(erase(handler));
        self
    }

    /// Called for each event of this name. The return value is the ack ([`Reply`](crate::Reply)).
    ///
    /// Events of one socket are begun in the order of arrival; a handler that waits lets the next one begin.
    /// Events without a handler are ignored. A second handler for the same event replaces the first.
    pub fn on<A>(mut self, event: &str, handler: impl Handler<Message, A>) -> Self {
        self.events.insert(event.to_owned(), erase(handler));
        self
    }

    /// Called once for each socket that had joined, after it has left all its rooms; at once, also if its client
    /// may come back.
    /// A second handler replaces the first.
    pub fn on_disconnect<A>(mut self, handler: impl Handler<Disconnect, A>) -> Self {
        self.on_disconnect = Some(erase(handler));
        self
    }

    /// Called when a room comes or goes, and when a socket joins or leaves one (`create-room`, `delete-room`,
    /// `join-room`, `leave-room` of the reference's adapter): to subscribe elsewhere to what somebody wants to hear.
    ///
    /// It is told after the fact, one change at a time and in the order in which they happened, on whatever thread
    /// brought one; so it should not wait. A second one replaces the first.
    pub fn on_room(mut self, listener: impl Fn(&RoomChange) + Send + Sync + 'static) -> Self {
        self.on_room = Some(Box::new(listener));
        self
    }

    /// Freezes the namespace.
    pub(crate) fn serve(self, limits: Arc<Limits>, tasks: Arc<Tasks>, recovery: Option<Recoverable>) -> Served {
        let Self { path, on_connect, on_disconnect, on_room, events } = self;
        let hub = Hub::new(path, limits, tasks, on_room, recovery, move |hub, peer, reason| {
            if let Some(on_disconnect) = &on_disconnect {
                let socket = Socket { hub: hub.clone(), peer: peer.clone() };
                call(&socket, on_disconnect, &reason, |_| {});
            }
        });
        Served(Arc::new(Inner { hub: Arc::new(hub), on_connect, events }))
    }
}

fn erase<K: Kind, A>(handler: impl Handler<K, A>) -> Erased<K> {
    Box::new(move |event| handler.call(event))
}

fn call<K: Kind>(
    socket: &Socket,
    handler: &Erased<K>,
    data: &K::Data,
    done: impl FnOnce(Ended<K::Outcome>) + Send + 'static,
) {
    handler::run::<K>(&socket.hub.tasks, || handler(&Event { socket, data }), done);
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("path", &self.path)
            .field("events", &self.events.keys())
            .finish_non_exhaustive()
    }
}

/// A namespace that is being served. Clones are the same.
#[derive(Clone)]
pub(crate) struct Served(Arc<Inner>);

struct Inner {
    hub: Arc<Hub>,
    on_connect: Option<Erased<Connect>>,
    events: HashMap<String, Erased<Message>>,
}

impl Served {
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.0.hub
    }

    /// A client asks to join. `joined` is told whether it may, perhaps later and in another task.
    pub(crate) fn connect(
        &self,
        engine: engineio::Socket,
        auth: &str,
        joined: impl FnOnce(Result<(), ConnectError>) + Send + 'static,
    ) -> Arc<Peer> {
        let peer = self.hub().restore(&engine, auth).unwrap_or_else(|| {
            let id = match engine.encoding().revision {
                Revision::V3 => SocketId::derive(engine.sid(), &self.hub().path),
                Revision::V4 => SocketId::draw(),
            };
            Arc::new(Peer::new(id, engine, auth))
        });
        let socket = Socket { hub: self.0.hub.clone(), peer: peer.clone() };
        match &self.0.on_connect {
            None => self.admit(&socket, joined),
            Some(on_connect) => {
                let (served, admitted) = (self.clone(), socket.clone());
                call(&socket, on_connect, &(), move |ended| match ended {
                    Ended::Returned(Ok(())) => served.admit(&admitted, joined),
                    Ended::Returned(Err(error)) => served.refuse(&admitted, error, joined),
                    Ended::NotCalled | Ended::Panicked => served.refuse(&admitted, ConnectError::refused(), joined),
                });
            }
        }
        peer
    }

    fn admit(&self, socket: &Socket, joined: impl FnOnce(Result<(), ConnectError>)) {
        // A client that is gone meanwhile never joined.
        if self.0.hub.admit(&socket.peer) {
            joined(Ok(()));
            while let Some(event) = socket.peer.next_waiting() {
                self.handle(socket, &event);
            }
        }
    }

    fn refuse(&self, socket: &Socket, error: ConnectError, joined: impl FnOnce(Result<(), ConnectError>)) {
        if !socket.peer.is_gone() {
            self.0.hub.remove(&socket.peer, DisconnectReason::ServerNamespaceDisconnect, false);
            joined(Err(error));
        }
    }

    /// A client of this namespace emitted an event. Says whether it may go on.
    pub(crate) fn dispatch(&self, peer: &Arc<Peer>, event: Incoming) -> bool {
        match peer.arrive(event, &self.0.hub.limits) {
            Arrival::Handle(event) => {
                self.handle(&Socket { hub: self.0.hub.clone(), peer: peer.clone() }, &event);
                true
            }
            Arrival::Kept => true,
            Arrival::TooMany => false,
        }
    }

    fn handle(&self, socket: &Socket, event: &Incoming) {
        if let Some(handler) = self.0.events.get(&*event.name) {
            let panicked = socket.clone();
            call(socket, handler, event, move |ended| {
                // The bug may have left half of something done: the client should begin anew.
                if ended == Ended::Panicked {
                    panicked.disconnect();
                }
            });
        }
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").field("hub", &self.0.hub).finish_non_exhaustive()
    }
}
