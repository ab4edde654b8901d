//! What it is: a namespace, or a family of them, as the application writes it: its name, who may join, its handlers.
//! What it is not: being served; that is `served`.
//! Who calls it: applications build it; `namespaces` takes it apart.

use std::{collections::HashMap, fmt, pin::Pin, sync::Arc, time::Duration};

use serde::de::DeserializeOwned;

use crate::{
    data::Values,
    error::DisconnectReason,
    event::{Connect, Disconnect, Event, Kind, Message, Middleware, Outgoing},
    extract::{Auth, Rejection},
    handler::{Handler, Running},
    lanes::Lane,
    pattern::Pattern,
    presence::{Presence, PresenceRules},
    room_history::{HistoryRules, RoomHistory},
    rooms::RoomChange,
    socket::Socket,
    throttle::{Throttle, ThrottleRules},
};

/// A handler whose arguments are no longer part of its type.
pub(crate) type Erased<K> = Arc<dyn Fn(&Event<'_, K>) -> Result<Running<K>, Rejection> + Send + Sync>;

/// Called with the name of a namespace and what happened to a room of it.
pub(crate) type OnRoom = Arc<dyn Fn(&str, &RoomChange) + Send + Sync>;

/// Called with a socket that never joined.
pub(crate) type OnAbandoned = Arc<dyn Fn(&Socket, DisconnectReason) + Send + Sync>;

/// Decides about a client that asks for this name with this `auth`.
pub(crate) type OnlyIf = Arc<dyn Fn(&str, &str) -> Option<Pin<Box<dyn Future<Output = bool> + Send>>> + Send + Sync>;

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
#[must_use = "a namespace is there once `SocketIo::new` was given it"]
pub struct Namespace {
    pub(crate) name: Name,
    pub(crate) only_if: Option<OnlyIf>,
    pub(crate) handlers: Handlers,
}

/// How a namespace is named.
#[derive(Debug, Clone)]
pub(crate) enum Name {
    /// By this name; it is always there.
    Fixed(String),
    /// By any that matches; each is there while somebody is in it.
    Pattern(Pattern),
}

/// What is called for the sockets of a namespace.
#[derive(Default)]
pub(crate) struct Handlers {
    pub(crate) middlewares: Vec<Erased<Connect>>,
    pub(crate) event_middlewares: Vec<Erased<Middleware>>,
    pub(crate) on_connect: Option<Erased<Connect>>,
    pub(crate) on_disconnecting: Option<Erased<Disconnect>>,
    pub(crate) on_disconnect: Option<Erased<Disconnect>>,
    pub(crate) on_any: Option<Erased<Message>>,
    pub(crate) on_any_outgoing: Option<Erased<Outgoing>>,
    pub(crate) on_fallback: Option<Erased<Message>>,
    pub(crate) on_room: Option<OnRoom>,
    pub(crate) on_abandoned: Option<OnAbandoned>,
    pub(crate) state: Values,
    pub(crate) history: Arc<HistoryRules>,
    pub(crate) throttle: Arc<ThrottleRules>,
    pub(crate) presence: Arc<PresenceRules>,
    /// Set when one event of a socket is handled at a time.
    pub(crate) lane: Option<Lane>,
    /// Set when it is not that of the server.
    pub(crate) flush_delay: Option<Duration>,
    pub(crate) events: HashMap<String, Erased<Message>>,
}

impl Namespace {
    /// A namespace of this name; a missing leading slash is added, so `""` is `/`.
    pub fn new(name: &str) -> Self {
        Self::named(Name::Fixed(with_slash(name)))
    }

    /// A family of namespaces (the reference's dynamic namespaces, `io.of(/regex/)`): one for each name that is asked
    /// for and matches, with the same handlers and with sockets and rooms of its own.
    ///
    /// `{id}` is a parameter: it matches one or more characters other than `/`, up to where the text behind it is found
    /// first. `{*rest}` at the end matches any characters, one or more. All other text stands for itself, and names
    /// match as a whole. Handlers read the parameters as [`Params`](crate::Params).
    ///
    /// A namespace of a family comes into being when somebody joins it, and goes when the last one has left, unless
    /// [`cleanup_empty_child_namespaces`](crate::Config::cleanup_empty_child_namespaces) is off. Of several families
    /// that match, the first one that lets the client in counts. [`SocketIo::family`](crate::SocketIo::family) emits
    /// to all at once.
    ///
    /// A [fixed](Self::new) namespace whose name matches keeps its own handlers; the family's broadcasts reach it.
    ///
    /// ```
    /// use socketio::{Auth, Namespace};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct User {
    ///     teams: Vec<String>,
    /// }
    ///
    /// let teams = Namespace::pattern("/team-{id}").only_if(async |name: String, Auth(user): Auth<User>| {
    ///     name.strip_prefix("/team-").is_some_and(|id| user.teams.iter().any(|team| team == id))
    /// });
    /// ```
    ///
    /// # Panics
    /// When a brace has no partner, a parameter has no name, two have the same, two follow each other without text
    /// between them, or something follows `{*rest}`.
    pub fn pattern(pattern: &str) -> Self {
        let text = with_slash(pattern);
        match Pattern::parse(&text) {
            Ok(pattern) => Self::named(Name::Pattern(pattern)),
            Err(wrong) => panic!("the namespace pattern `{pattern}`: {wrong}"),
        }
    }

    fn named(name: Name) -> Self {
        Self { name, only_if: None, handlers: Handlers::default() }
    }

    /// Decides who may know of the namespace, by its name and what the client sent as `auth`
    /// (`io.of((name, auth, next) => ..)`). To others it is as if there were none: other families that match are tried,
    /// then the client is told `Invalid namespace`. To say why, refuse in [`on_connect`](Self::on_connect) instead.
    ///
    /// It is asked about every client, unlike in the reference, which asks only while the namespace does not exist yet.
    /// An `auth` that is no `T`, and a panic, are a no. A second one replaces the first.
    pub fn only_if<T, F>(mut self, decide: impl Fn(String, Auth<T>) -> F + Send + Sync + 'static) -> Self
    where
        T: DeserializeOwned,
        F: Future<Output = bool> + Send + 'static,
    {
        self.only_if = Some(Arc::new(move |name, auth| Some(Box::pin(decide(name.to_owned(), Auth::read(auth)?)))));
        self
    }

    /// Adds a middleware (`namespace.use`): called when a client asks to join, before the [connect
    /// handler](Self::on_connect) and after the middlewares added before, each when the one before has ended. It does
    /// what a connect handler does: an error refuses the client, and the rest is not called; nor is it when the client
    /// has gone meanwhile. What it keeps with the socket, and the rooms it joins, are there for those behind it.
    ///
    /// ```
    /// use socketio::{Auth, ConnectError, Namespace, Socket};
    ///
    /// struct User(String);
    ///
    /// async fn log_in(socket: Socket, Auth(auth): Auth<serde_json::Value>) -> Result<(), ConnectError> {
    ///     let name = auth["name"].as_str().ok_or_else(|| ConnectError::new("who are you?"))?;
    ///     socket.set(User(name.to_owned()));
    ///     Ok(())
    /// }
    ///
    /// let chat = Namespace::new("/chat").middleware(log_in).on_connect(async |socket: Socket| {
    ///     let user = socket.get::<User>().expect("log_in has set it");
    ///     let _left = socket.broadcast().emit("came", &user.0);
    /// });
    /// ```
    pub fn middleware<A>(mut self, middleware: impl Handler<Connect, A>) -> Self {
        self.handlers.middlewares.push(erase(middleware));
        self
    }

    /// Adds a middleware for events (`socket.use`): called for each event of a client, with a handler or without,
    /// before it comes to its handler and after the middlewares added before. It sees what a handler sees, and says by
    /// its [`Next`](crate::Next) what becomes of the event; `()` lets it pass. An error refuses it: the rest is not
    /// called, [`Hooks::on_failure`](crate::Hooks::on_failure) is told, and the client if
    /// [`error_acks`](crate::Config::error_acks) is on. So it is when the middleware wants an argument that is not
    /// there.
    ///
    /// One that waits lets later events overtake this one.
    ///
    /// ```
    /// use socketio::{EventError, EventName, Namespace, Socket};
    ///
    /// struct Muted;
    ///
    /// let chat = Namespace::new("/chat").event_middleware(async |socket: Socket, event: EventName| {
    ///     let is_muted = socket.get::<Muted>().is_some();
    ///     if is_muted && &*event == "say" { Err(EventError::new("you are muted")) } else { Ok(()) }
    /// });
    /// ```
    pub fn event_middleware<A>(mut self, middleware: impl Handler<Middleware, A>) -> Self {
        self.handlers.event_middlewares.push(erase(middleware));
        self
    }

    /// Called when a client asks to join, after its middlewares; an error refuses it. What the handler emits to the
    /// client is sent, and the rooms it joins count, once it has let the client in. Events that come meanwhile wait,
    /// 16 at most ([`max_waiting_events`](crate::Limits::max_waiting_events)).
    ///
    /// A client that comes back and is recovered asks, too: [`Socket::recovered`](crate::Socket::recovered) tells it,
    /// its rooms and data are there already, and what it missed is sent before all else. It may still be refused, and
    /// then is new the next time.
    ///
    /// Without a handler everybody is let in. A second one replaces the first.
    pub fn on_connect<A>(mut self, handler: impl Handler<Connect, A>) -> Self {
        self.handlers.on_connect = Some(erase(handler));
        self
    }

    /// Called for each event of this name. The return value is the ack ([`Reply`](crate::Reply)).
    ///
    /// Events of one socket are begun in the order of arrival; a handler that waits lets the next one begin, unless it
    /// is [`Sequential`](crate::Sequential).
    /// Events without a handler are ignored. A second handler for the same event replaces the first.
    pub fn on<A>(mut self, event: &str, handler: impl Handler<Message, A>) -> Self {
        self.handlers.events.insert(event.to_owned(), erase(handler));
        self
    }

    /// Gives handlers something to share, by its type: they ask for it as a [`State`](crate::State). Another value of
    /// the same type replaces it. Namespaces that share it are given clones.
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.handlers.state.set(Arc::new(value));
        self
    }

    /// Lets the events of one socket be handled one at a time, each from its first middleware to the end of its
    /// handler; the disconnect handler comes behind them. Sockets do not wait for each other. For single handlers there
    /// is [`Sequential`](crate::Sequential).
    ///
    /// Without it, events are begun in the order of arrival, and one that waits lets the next one begin.
    pub fn sequential(mut self) -> Self {
        self.handlers.lane = Some(Lane::draw());
        self
    }

    /// Lets broadcasts to this namespace and its rooms wait for more, for this time or, with zero, not at all; see
    /// [`Config::flush_delay`](crate::Config::flush_delay). Default: as that says.
    pub fn flush_delay(mut self, delay: Duration) -> Self {
        self.handlers.flush_delay = Some(delay);
        self
    }

    /// Called for each event of a client as it came, with a handler or without, before the event middlewares and its
    /// handler (`socket.onAny`). Of several that answer the first counts. A second one replaces the first.
    pub fn on_any<A>(mut self, handler: impl Handler<Message, A>) -> Self {
        self.handlers.on_any = Some(erase(handler));
        self
    }

    /// Called for each event that has no handler under its name, behind the event middlewares. A second one replaces
    /// the first.
    ///
    /// Without it such events are ignored.
    pub fn on_fallback<A>(mut self, handler: impl Handler<Message, A>) -> Self {
        self.handlers.on_fallback = Some(erase(handler));
        self
    }

    /// Called for each event that is emitted to a socket, alone or by a broadcast, before it is sent
    /// (`socket.onAnyOutgoing`); answers are no events. It must not emit to its own namespace before it waits for
    /// something, or it is called for that again, and so on without end. A second one replaces the first.
    ///
    /// What is replayed of a [history](Self::room_history) was told when it was emitted, and is not told again.
    ///
    /// It costs a little for each recipient; without it, emitting costs nothing more.
    pub fn on_any_outgoing<A>(mut self, handler: impl Handler<Outgoing, A>) -> Self {
        self.handlers.on_any_outgoing = Some(erase(handler));
        self
    }

    /// Called once for each socket that had joined and leaves, whoever wants that, while it is still in its rooms
    /// (`disconnecting`). Its part before the first wait is over before the socket leaves them; events of its client
    /// are handled no more. A second one replaces the first.
    pub fn on_disconnecting<A>(mut self, handler: impl Handler<Disconnect, A>) -> Self {
        self.handlers.on_disconnecting = Some(erase(handler));
        self
    }

    /// Called once for each socket that had joined, after it has left all its rooms; at once, also if its client
    /// may come back.
    /// A second handler replaces the first.
    pub fn on_disconnect<A>(mut self, handler: impl Handler<Disconnect, A>) -> Self {
        self.handlers.on_disconnect = Some(erase(handler));
        self
    }

    /// Called for each socket whose client went, or was sent away, while it was being let in, with the reason of that,
    /// once the handler that ran has let it in nevertheless: what a connect handler or a middleware has begun for it
    /// elsewhere can be ended here. So of each socket that is let in by all handlers it is either this that is called,
    /// or the disconnect handlers in the end. A second one replaces the first.
    ///
    /// A handler that waits for long can ask [`Socket::has_left`](crate::Socket::has_left) whether it still has to.
    pub fn on_abandoned(mut self, listener: impl Fn(&Socket, DisconnectReason) + Send + Sync + 'static) -> Self {
        self.handlers.on_abandoned = Some(Arc::new(listener));
        self
    }

    /// Lets rooms keep what is emitted to them, and sends it to a socket when it joins one: before all that is emitted
    /// to the room later, each event once, with the same name and arguments as it was emitted. `rooms` is a name, or a
    /// glob in which `*` stands for any characters; of several rules that match a room, the first one counts.
    ///
    /// ```
    /// use socketio::{Data, JoinError, Namespace, RoomHistory, Socket};
    ///
    /// let chat = Namespace::new("/chat")
    ///     .room_history("room:*", RoomHistory { replay: Some(20), ..RoomHistory::default() })
    ///     .on("join", async |socket: Socket, Data(room): Data<String>| -> Result<(), JoinError> {
    ///         socket.join(format!("room:{room}")) // its last 20 events come before this returns
    ///     });
    /// ```
    ///
    /// Kept is what a [`Broadcast`](crate::Broadcast) emits to a room, whether somebody is in it or not. An event for
    /// several rooms is in the history of each, and comes once if they are joined at once. Not kept are volatile
    /// events, those that ask for an answer, and those to single sockets; so a glob matches no name that could be the
    /// id of a socket: 20 letters, digits, `-` and `_`. Whom an event was not for, by
    /// [`except`](crate::Broadcast::except), is not sent it later.
    ///
    /// Rooms that a connect handler joins are replayed once the client is let in, behind what that handler emitted. A
    /// client that is [recovered](crate::Socket::recovered) has what was in its rooms, so it gets no replay of them.
    /// Who leaves a room and joins it again gets one.
    ///
    /// [`Broadcast::history`](crate::Broadcast::history) reads what is kept. All of it is in memory, bounded for each
    /// room by its [`RoomHistory`] and for the whole server by
    /// [`max_history_bytes`](crate::Config::max_history_bytes); it goes with its namespace. Emits to such rooms of one
    /// namespace wait for each other.
    pub fn room_history(mut self, rooms: &str, history: RoomHistory) -> Self {
        rules(&mut self.handlers.history).add_room(rooms, history.into());
        self
    }

    /// Lets the namespace keep what is emitted to all of it, and sends it to each socket that is let in. It is as of
    /// [`room_history`](Self::room_history). A second one replaces the first.
    pub fn history(mut self, history: RoomHistory) -> Self {
        rules(&mut self.handlers.history).set_namespace(history.into());
        self
    }

    /// Sends events of one name to one room no more often than an interval: what is emitted sooner waits, and of what
    /// waits the latest is sent. So the last one is always sent, and who emits needs no timer. `rooms` is a name, or a
    /// glob in which `*` stands for any characters; of several rules that match a room, the first one counts.
    ///
    /// ```
    /// use std::time::Duration;
    /// use socketio::{Namespace, Throttle};
    ///
    /// let progress = Throttle { interval: Duration::from_millis(250), events: vec!["progress".into()] };
    /// let jobs = Namespace::new("/jobs").room_throttle("job:*", progress);
    /// ```
    ///
    /// It is for what a [`Broadcast`](crate::Broadcast) emits without asking for an answer, and not for single sockets:
    /// a glob matches no name that could be the id of one, as of [`room_history`](Self::room_history). Who emitted is
    /// of no matter: where several say different things under one name, give them rooms or names of their own. An event
    /// for several rooms is held back by the first rule among those of its rooms, apart from events for other rooms.
    ///
    /// [`emit`](crate::Broadcast::emit) returns 0 for an event that waits. It is sent to those who are in the room when
    /// its time comes, or sooner, ahead of the next event of another name that is sent to the same rooms: so events of
    /// one room come in the order in which they were emitted, and `done` behind the last `progress`. Rooms keep what is
    /// sent. A listener for [outgoing events](Self::on_any_outgoing) hears of what has waited once it is sent. When the
    /// server [closes](crate::SocketIo::close), what waits is sent at once. It costs memory for each room and name of
    /// which something was emitted within the interval, up to 10,000 in a namespace; what is more is not held back.
    pub fn room_throttle(mut self, rooms: &str, throttle: Throttle) -> Self {
        rules(&mut self.handlers.throttle).add_room(rooms, throttle.into());
        self
    }

    /// The same for what is emitted to the whole namespace. A second one replaces the first.
    pub fn throttle(mut self, throttle: Throttle) -> Self {
        rules(&mut self.handlers.throttle).set_namespace(throttle.into());
        self
    }

    /// Lets rooms tell their members who is in them. A socket that joins is sent the event `presence_state`, with all
    /// who are there; those others are sent `presence_diff` when somebody comes or goes. Both have one argument:
    ///
    /// ```text
    /// {"room":"game:1","members":{"ann":{"info":{"color":"red"},"count":2}}}
    /// {"room":"game:1","joins":{"bob":{"info":null,"count":1}},"leaves":{}}
    /// ```
    ///
    /// Who somebody is, [`Socket::identify`](crate::Socket::identify) says before the socket joins; else it is by its
    /// id. Several sockets of a user are one member. Who has left is told to be gone after [`Presence::grace`], unless
    /// it is back by then. A state is always whole, and replaces what was known before; each change behind it comes
    /// once. A client that is [recovered](crate::Socket::recovered) is sent one, too.
    ///
    /// ```
    /// use socketio::{Auth, JoinError, Namespace, Presence, Socket};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct User {
    ///     name: String,
    ///     color: String,
    /// }
    ///
    /// let game = Namespace::new("/game").presence("game:*", Presence::default()).on_connect(
    ///     async |socket: Socket, Auth(user): Auth<User>| -> Result<(), JoinError> {
    ///         socket.identify(user.name, serde_json::json!({ "color": user.color }));
    ///         socket.join("game:1")
    ///     },
    /// );
    /// ```
    ///
    /// `rooms` is a name, or a glob in which `*` stands for any characters; of several rules that match a room, the
    /// first one counts. [`Broadcast::presence`](crate::Broadcast::presence) reads who is there. All members see `info`
    /// and the names of users, of which each joining socket is sent all: it is for rooms of hundreds, not of thousands.
    /// In a [cluster](crate::SocketIo::join_cluster) it is of all servers, each of which knows of all members; those of
    /// a server that says nothing any more are gone with it.
    pub fn presence(mut self, rooms: &str, presence: Presence) -> Self {
        rules(&mut self.handlers.presence).add_room(rooms, presence);
        self
    }

    /// Called with the name of the namespace when a room comes or goes in it, and when a socket joins or leaves one
    /// (`create-room`, `delete-room`, `join-room`, `leave-room` of the reference's adapter): to subscribe elsewhere to
    /// what somebody wants to hear.
    ///
    /// It is told after the fact, one change at a time and in the order in which they happened, on whatever thread
    /// brought one, or in a task where many wait; so it should not wait. A second one replaces the first.
    pub fn on_room(mut self, listener: impl Fn(&str, &RoomChange) + Send + Sync + 'static) -> Self {
        self.handlers.on_room = Some(Arc::new(listener));
        self
    }
}

fn rules<T>(rules: &mut Arc<T>) -> &mut T {
    Arc::get_mut(rules).expect("they are shared once the namespace is served")
}

/// A missing leading slash is added, also to what is asked for.
pub(crate) fn with_slash(name: &str) -> String {
    if name.starts_with('/') { name.to_owned() } else { format!("/{name}") }
}

fn erase<K: Kind, A>(handler: impl Handler<K, A>) -> Erased<K> {
    Arc::new(move |event| handler.call(event))
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("name", &self.name)
            .field("events", &self.handlers.events.keys())
            .finish_non_exhaustive()
    }
}
