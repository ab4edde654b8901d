//! What it is: all sockets by their ids, also those whose client is not let in yet, and who of them is meant.
//! What it is not: what is done with them (`perform`).
//! Who calls it: `namespaces` when clients come and go; whatever is aimed at sockets.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use dashmap::{DashMap, Entry};
use serde::{Deserialize, Serialize};
use socketio::{Args, Broadcast, EmitError, Sent, Socket, SocketId, SocketIo};

use crate::{
    config, member,
    member::Member,
    metrics::Metrics,
    op::Emit,
    redis::{Emitter, Standing},
    tail::Tail,
    users::Users,
};

/// All sockets. An application may aim at one as soon as it has heard of it, which is before its client is let in.
pub(crate) struct Sockets {
    /// Set once, before there is any.
    io: OnceLock<SocketIo>,
    by_id: DashMap<SocketId, Socket>,
    /// Names, or globs, of namespaces that clients may join.
    namespaces: Vec<socketio::Glob>,
    /// Whether there may be other servers that have clients, too.
    has_cluster: bool,
    /// Set once, where servers of other kinds are told what is emitted.
    emitter: OnceLock<Emitter>,
    /// Set once, where others are heard by Redis.
    hearing: OnceLock<Arc<Standing>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) users: Users,
    /// Hears what is emitted, and who comes and goes.
    pub(crate) tail: Tail,
}

/// Who is meant in a namespace; everybody, if nobody is named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Audience {
    /// Names of rooms; that of a socket's own is its id.
    pub(crate) rooms: Vec<String>,
    pub(crate) users: Vec<String>,
    /// Ids of sockets.
    pub(crate) sids: Vec<String>,
}

/// How an event is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Manner {
    /// Dropped for those who cannot take it at once.
    pub(crate) volatile: bool,
    /// Kept by no room.
    pub(crate) unkept: bool,
    /// Never compressed, whatever the engine's options say.
    pub(crate) uncompressed: bool,
}

/// Whose clients get it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Those of this server.
    Here,
    /// Those of all servers of the cluster.
    Everywhere,
    /// Those of all but this one.
    Elsewhere,
}

/// There is no such namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnknownNamespace;

/// Why an event was not sent.
#[derive(Debug)]
pub(crate) enum SendError {
    UnknownNamespace,
    Emit(EmitError),
}

impl Audience {
    /// Whether nobody is named.
    pub(crate) fn is_everybody(&self) -> bool {
        self.rooms.is_empty() && self.users.is_empty() && self.sids.is_empty()
    }

    pub(crate) fn room(room: impl Into<String>) -> Self {
        Self { rooms: vec![room.into()], ..Self::default() }
    }

    pub(crate) fn sid(sid: impl Into<String>) -> Self {
        Self { sids: vec![sid.into()], ..Self::default() }
    }

    /// Whether this socket is named, by itself, as its user's or as one in a room.
    fn names(&self, socket: &Socket) -> bool {
        let id = socket.id();
        let is_id = |name: &String| name == id.as_str();
        if self.sids.iter().chain(&self.rooms).any(is_id) {
            return true;
        }
        let user = Member::of(socket).user();
        if user.is_some_and(|user| self.users.iter().any(|name| **name == *user)) {
            return true;
        }
        !self.rooms.is_empty() && socket.rooms().iter().any(|room| self.rooms.iter().any(|name| name == room.as_str()))
    }
}

impl Sockets {
    pub(crate) fn new(namespaces: &[config::Namespace], has_cluster: bool, metrics: Arc<Metrics>) -> Self {
        let globs = namespaces.iter().map(|namespace| socketio::Glob::new(&namespace.name.0)).collect();
        let (users, tail) = (Users::new(metrics.users.clone()), Tail::default());
        Self {
            io: OnceLock::new(),
            by_id: DashMap::new(),
            namespaces: globs,
            has_cluster,
            emitter: OnceLock::new(),
            hearing: OnceLock::new(),
            metrics,
            users,
            tail,
        }
    }

    /// The server is there; from now on clients may come.
    pub(crate) fn open(&self, io: SocketIo) {
        assert!(self.io.set(io).is_ok(), "there is one server");
    }

    pub(crate) fn io(&self) -> &SocketIo {
        self.io.get().expect("opened before anybody comes")
    }

    /// Whether this server is one of a cluster.
    pub(crate) fn have_cluster(&self) -> bool {
        self.has_cluster
    }

    /// From now on servers of other kinds are told what this one emits.
    pub(crate) fn publish_by(&self, emitter: Emitter) {
        assert!(self.emitter.set(emitter).is_ok(), "there is one Redis");
    }

    /// Tells servers of other kinds of an event, if they are to be told.
    pub(crate) fn publish(&self, namespace: &str, emit: &Emit) {
        if let Some(emitter) = self.emitter.get() {
            emitter.publish(namespace, emit, |name| self.is_socket(name));
        }
    }

    /// From now on other servers are heard by this connection, whenever it is there.
    pub(crate) fn hear_by(&self, standing: Arc<Standing>) {
        assert!(self.hearing.set(standing).is_ok(), "there is one Redis");
    }

    /// Whether other servers would be heard now.
    pub(crate) fn hear_others(&self) -> bool {
        self.hearing.get().is_some_and(|standing| standing.away().is_none())
    }

    /// A client asks to join.
    pub(crate) fn insert(&self, socket: &Socket) {
        // So that it is known how long it has been there.
        Member::of(socket);
        self.by_id.insert(socket.id(), socket.clone());
    }

    /// It was refused, or leaves. One that is recovered meanwhile is another socket with the same id, and stays.
    pub(crate) fn remove(&self, socket: &Socket) {
        if let Entry::Occupied(entry) = self.by_id.entry(socket.id())
            && entry.get() == socket
        {
            entry.remove();
        }
    }

    /// Whether the client of a socket that has left is back, if only to ask whether it may be. Then its backend is told
    /// when that one leaves, or is refused, as it has not been told of this one.
    pub(crate) fn take_over(&self, left: &Socket) -> bool {
        // With the lock of the table: who leaves is taken out of it first.
        self.by_id.get(&left.id()).map(|back| Member::of(&back).note_known()).is_some()
    }

    /// The socket with this id, in whatever namespace.
    pub(crate) fn get(&self, id: &str) -> Option<Socket> {
        self.by_id.get(id).map(|socket| socket.clone())
    }

    /// Whether a name is the id of a socket, here or on another server.
    pub(crate) fn is_socket(&self, name: &str) -> bool {
        self.by_id.contains_key(name) || self.io().is_elsewhere(name)
    }

    /// Calls `each` with all of them, in no order. A lock of the table is held meanwhile.
    pub(crate) fn for_each(&self, mut each: impl FnMut(&Socket)) {
        self.by_id.iter().for_each(|socket| each(socket.value()));
    }

    /// Everybody in a namespace; `None` in one that is not there because nobody is in it.
    pub(crate) fn of(&self, namespace: &str) -> Result<Option<Broadcast>, UnknownNamespace> {
        let known = |glob: &socketio::Glob| glob.matches(namespace);
        match self.io().of(namespace) {
            Some(everybody) => Ok(Some(everybody)),
            None if self.namespaces.iter().any(known) => Ok(None),
            None => Err(UnknownNamespace),
        }
    }

    /// Those of a namespace that are named by their ids. They may be about to be let in.
    pub(crate) fn named(&self, namespace: &str, audience: &Audience) -> HashMap<SocketId, Socket> {
        let found = audience.sids.iter().chain(&audience.rooms).filter_map(|id| self.get(id));
        found.filter(|socket| socket.namespace_name() == namespace).map(|socket| (socket.id(), socket)).collect()
    }

    /// Everybody who is named otherwise than by the id of a socket of this server, if anybody is.
    fn broadcast(
        &self,
        namespace: &str,
        to: &Audience,
        named: &HashMap<SocketId, Socket>,
        reach: Reach,
    ) -> Result<Option<Broadcast>, UnknownNamespace> {
        let Some(mut broadcast) = self.of(namespace)? else { return Ok(None) };
        broadcast = match reach {
            Reach::Here => broadcast.local(),
            Reach::Everywhere => broadcast,
            Reach::Elsewhere => broadcast.elsewhere(),
        };
        // Elsewhere an id is a room; what is none might be the name of one.
        let sids = to.sids.iter().filter(|sid| reach != Reach::Here && self.io().is_elsewhere(sid));
        let mut rooms = to.rooms.iter().chain(sids).filter(|room| !named.contains_key(room.as_str())).peekable();
        if rooms.peek().is_none() && to.users.is_empty() && !to.is_everybody() {
            return Ok(None);
        }
        for room in rooms {
            broadcast = broadcast.to(room);
        }
        for user in &to.users {
            broadcast = broadcast.to(member::room_of(user));
        }
        Ok(Some(broadcast))
    }

    /// All who are meant, each once. `except` may be empty.
    pub(crate) fn select(
        &self,
        namespace: &str,
        to: &Audience,
        except: &Audience,
    ) -> Result<Vec<Socket>, UnknownNamespace> {
        let mut named = self.named(namespace, to);
        let others = self.broadcast(namespace, to, &named, Reach::Here)?.map(|broadcast| broadcast.sockets());
        named.extend(others.into_iter().flatten().map(|socket| (socket.id(), socket)));
        let mut sockets: Vec<_> = named.into_values().collect();
        if !except.is_everybody() {
            sockets.retain(|socket| !except.names(socket));
        }
        Ok(sockets)
    }

    /// The same less those who are `named` or excepted, and in the manner in which they are emitted to.
    pub(crate) fn others(
        &self,
        namespace: &str,
        (to, except): (&Audience, &Audience),
        named: &HashMap<SocketId, Socket>,
        (manner, reach): (Manner, Reach),
    ) -> Result<Option<Broadcast>, UnknownNamespace> {
        let Some(broadcast) = self.broadcast(namespace, to, named, reach)? else { return Ok(None) };
        let mut broadcast = broadcast.compress(!manner.uncompressed);
        for id in named.keys() {
            broadcast = broadcast.except(id.clone());
        }
        for room in except.rooms.iter().chain(&except.sids) {
            broadcast = broadcast.except(room);
        }
        for user in &except.users {
            broadcast = broadcast.except(member::room_of(user));
        }
        if manner.volatile {
            broadcast = broadcast.volatile();
        }
        if manner.unkept {
            broadcast = broadcast.unkept();
        }
        Ok(Some(broadcast))
    }

    /// Emits to all who are meant, and returns to how many of this server. One that is about to be let in gets it then.
    pub(crate) fn emit(
        &self,
        namespace: &str,
        who: (&Audience, &Audience),
        (event, args): (&str, &Args),
        (manner, reach): (Manner, Reach),
    ) -> Result<usize, SendError> {
        let (to, except) = who;
        let named = self.named(namespace, to);
        let others = self.others(namespace, who, &named, (manner, reach)).map_err(|_| SendError::UnknownNamespace)?;
        let mut sent = 0;
        for socket in named.values().filter(|socket| except.is_everybody() || !except.names(socket)) {
            let operator = socket.compress(!manner.uncompressed);
            let operator = if manner.volatile { operator.volatile() } else { operator };
            match operator.emit(event, args) {
                Ok(outcome) => sent += usize::from(outcome == Sent::Queued),
                // It has just gone.
                Err(EmitError::Disconnected) => {}
                Err(error) => return Err(SendError::Emit(error)),
            }
        }
        let others = others.map(|others| others.emit(event, args)).transpose().map_err(SendError::Emit)?;
        Ok(sent + others.unwrap_or_default())
    }
}
