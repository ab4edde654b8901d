//! What it is: the namespaces that are configured, and what happens to those who join, emit and leave there.
//! What it is not: the playground, which has events of its own.
//! Who calls it: `serve`, once.

use std::sync::Arc;

use prometheus::IntGauge;
use serde_json::{Value, json, value::RawValue};
use socketio::{
    Ack, Args, Auth, CloseReason, ConnectError, DisconnectReason, EmitError, EventName, Namespace, Room, RoomChange,
    Socket, SocketId,
};
use tracing::warn;

use crate::{
    auth::{self, Gate, Pass, Tokens},
    backend::{self, Answer, Asked, Backends, Reply, Told},
    config::{self, Check, Unhandled},
    journal::shown,
    member::{self, Member},
    metrics::Metrics,
    pace::Pace,
    rooms,
    rules::{Happened, Prepared, RuleError, Rulebook, Rules},
    seats::{Seat, Seats},
    slots::Values,
    sockets::Sockets,
    tail::Line,
};

/// One entry of the configuration: a namespace, or all those that its glob means.
struct Space {
    options: config::Namespace,
    sockets: Arc<Sockets>,
    metrics: Arc<Metrics>,
    backends: Arc<Backends>,
    gate: Gate,
    rules: Rules,
    seats: Seats,
    /// Those of each user in each namespace.
    of_users: Seats,
    pace: Pace,
}

/// The place of a socket among those of its user.
struct OfUser(#[expect(dead_code, reason = "only its drop matters")] Seat);

/// For what a backend is asked, with the ack that is not given yet.
enum Asker {
    /// An event without a rule.
    Event(Ack),
    /// A rule that is carried out if the backend allows it.
    Rule(Prepared, Ack),
    /// A rule that was carried out.
    Forward(Option<Ack>),
}

/// Why a client is not let in.
struct Refused {
    /// What it counts as.
    label: &'static str,
    error: ConnectError,
    /// Whether it loses its connection instead of being told, so that it comes back by itself.
    is_cut: bool,
}

impl Refused {
    fn new(code: &'static str, message: &str) -> Self {
        Self { label: code, error: ConnectError::new(message).with_data(json!({ "code": code })), is_cut: false }
    }
}

impl From<auth::Refused> for Refused {
    fn from(refused: auth::Refused) -> Self {
        Self { label: refused.label(), error: refused.into(), is_cut: refused == auth::Refused::Stranger }
    }
}

impl From<backend::Refused> for Refused {
    fn from(refused: backend::Refused) -> Self {
        match refused {
            backend::Refused::Rejected(error) => Self { label: "rejected", error, is_cut: false },
            backend::Refused::Unanswered => {
                Self { label: "unanswered", error: ConnectError::new("Backend unavailable"), is_cut: true }
            }
        }
    }
}

/// What all namespaces have in common.
pub(crate) struct Shared<'a> {
    pub(crate) sockets: &'a Arc<Sockets>,
    pub(crate) tokens: &'a Tokens,
    pub(crate) backends: &'a Arc<Backends>,
    pub(crate) rulebook: &'a Rulebook,
}

/// The namespaces of this configuration.
pub(crate) fn of(config: &config::Config, shared: &Shared<'_>) -> Vec<Namespace> {
    config.namespaces().iter().flat_map(|options| of_one(config, options, shared)).collect()
}

fn of_one(config: &config::Config, options: &config::Namespace, shared: &Shared<'_>) -> Vec<Namespace> {
    let Shared { sockets, tokens, backends, rulebook } = *shared;
    let metrics = sockets.metrics.clone();
    let (taken, seats) = metrics.of_namespace(&options.name.0);
    let space = Arc::new(Space {
        options: options.clone(),
        sockets: sockets.clone(),
        metrics,
        backends: backends.clone(),
        gate: Gate::new(tokens.clone()),
        rules: rulebook.of(&options.name.0),
        seats: Seats::new(Some(seats)),
        of_users: Seats::new(None),
        pace: Pace::default(),
    });
    let name = &*options.name.0;
    let has_root = config.namespaces().iter().any(|other| other.name.0 == "/");
    let namespaces = match name.strip_suffix('*') {
        None => vec![(name, Namespace::new(name))],
        // A parameter stands for one character at least, and what has an entry of its own has that.
        Some("") if has_root => vec![(name, Namespace::pattern("/{*name}"))],
        Some("") => vec![("/", Namespace::new("/")), (name, Namespace::pattern("/{*name}"))],
        Some(prefix) => vec![(name, Namespace::pattern(&format!("{prefix}{{*name}}")))],
    };
    let configure = |(name, namespace)| rooms::configure(space.serve(namespace, taken.clone()), config, name);
    namespaces.into_iter().map(configure).collect()
}

impl Space {
    fn serve(self: &Arc<Self>, namespace: Namespace, rooms: IntGauge) -> Namespace {
        let [connecting, abandoning, leaving, counting, handling, changing] = [(); 6].map(|()| self.clone());
        namespace
            .on_connect(move |socket: Socket, Auth(auth): Auth<Box<RawValue>>| {
                let space = connecting.clone();
                async move { space.connect(&socket, auth).await }
            })
            .on_abandoned(move |socket, reason| abandoning.leave(socket, reason))
            // Behind this the next client may come, even if this one comes back and is recovered.
            .on_disconnecting(move |socket: Socket, reason: DisconnectReason| {
                leaving.sockets.tail.tell(|| {
                    let more = json!({ "sid": socket.id(), "reason": reason.to_string() });
                    Line::new("disconnect", socket.namespace_name(), more).in_rooms(member::rooms(&socket))
                });
                leaving.leave(&socket, reason);
                async {}
            })
            .on_any(move |_: Socket, event: EventName| {
                counting.metrics.event(&counting.options.name.0, &event);
                async {}
            })
            .on_fallback(move |socket: Socket, event: EventName, args: Args, ack: Ack| {
                let handled = handling.handle(socket, event, args, ack);
                async move {
                    if let Some(handled) = handled {
                        handled.await;
                    }
                }
            })
            .on_room(move |namespace, change| match change {
                RoomChange::Create(room) if member::is_of_user(room.as_str()) => changing.user_comes(namespace, room),
                RoomChange::Delete(room) if member::is_of_user(room.as_str()) => changing.user_leaves(namespace, room),
                RoomChange::Create(_) => rooms.inc(),
                RoomChange::Delete(_) => rooms.dec(),
                RoomChange::Join(room, sid) => changing.tell_room("join", namespace, room, sid),
                RoomChange::Leave(room, sid) => changing.tell_room("leave", namespace, room, sid),
                _ => {}
            })
    }

    /// Tells those who watch that a socket has joined or left a room.
    fn tell_room(&self, kind: &'static str, namespace: &str, room: &Room, sid: &SocketId) {
        if !member::is_of_user(room.as_str()) {
            let line = || Line::new(kind, namespace, json!({ "room": room, "sid": sid })).in_rooms([room.clone()]);
            self.sockets.tail.tell(line);
        }
    }

    /// The first socket of a user is there.
    fn user_comes(&self, namespace: &str, room: &Room) {
        self.sockets.users.enter(room);
        if let Some(user) = member::user_of(room.as_str()) {
            self.backends.user_comes(namespace, user);
        }
    }

    /// The last one has left.
    fn user_leaves(&self, namespace: &str, room: &Room) {
        self.sockets.users.leave(room);
        if let Some(user) = member::user_of(room.as_str()) {
            self.backends.user_leaves(namespace, user);
        }
    }

    /// A client asks to join that has sent this with its CONNECT.
    async fn connect(&self, socket: &Socket, auth: Box<RawValue>) -> Result<(), ConnectError> {
        self.sockets.insert(socket);
        let joined = self.join(socket, auth).await;
        // Why it has, `on_abandoned` is told.
        let joined = if socket.has_left() { Err(None) } else { joined.map_err(Some) };
        let result = match &joined {
            Ok(()) => "accepted",
            Err(None) => "left",
            Err(Some(refused)) => refused.label,
        };
        self.metrics.connect(&self.options.name.0, result);
        self.sockets.tail.tell(|| {
            let user = Member::of(socket).user();
            let more = json!({ "sid": socket.id(), "result": result, "user": user, "recovered": socket.recovered() });
            Line::new("connect", socket.namespace_name(), more).in_rooms(member::rooms(socket))
        });
        let Err(Some(refused)) = joined else { return Ok(()) };
        let reason = match refused.is_cut {
            true => DisconnectReason::Closed(CloseReason::ForcedClose),
            false => DisconnectReason::ServerNamespaceDisconnect,
        };
        self.leave(socket, reason);
        if refused.is_cut {
            socket.close();
        }
        Err(refused.error)
    }

    /// Gives the socket its user, its seat and its rooms.
    async fn join(&self, socket: &Socket, auth: Box<RawValue>) -> Result<(), Refused> {
        let terms = self.rules.terms();
        self.gate.check(socket, &auth, terms.auth, self.rules.asks_for())?;
        let namespace = socket.namespace_name();
        let full = || Refused::new("limit", "Too many connections");
        socket.set(Some(self.seats.take(namespace, terms.max_connections).ok_or_else(full)?));
        self.backends.connect(socket, auth, socket.get::<Pass>().is_some()).await?;
        let user = Member::of(socket).user();
        if terms.require_user && user.is_none() {
            return Err(Refused::new("unauthorized", "User required"));
        }
        if let Some(user) = user.filter(|_| terms.max_per_user > 0) {
            let full = || Refused::new("limit", "Too many connections of this user");
            let seat = self.of_users.take(&format!("{namespace}\n{user}"), terms.max_per_user);
            socket.set(Some(OfUser(seat.ok_or_else(full)?)));
        }
        let values = Values::new(socket, None);
        let rooms = self.options.auto_join.iter().filter_map(|room| room.0.fill(|slot| values.text(slot)).ok());
        for room in rooms {
            // A room whose name is too long, or one too many, is one that cannot be filled.
            let _left_out = socket.join(room);
        }
        self.backends.enter(socket);
        Ok(())
    }

    /// It leaves, or is refused.
    fn leave(&self, socket: &Socket, reason: DisconnectReason) {
        self.sockets.remove(socket);
        self.backends.leave(socket, reason);
        socket.set(None::<Seat>);
        socket.set(None::<OfUser>);
        Gate::forget(socket);
    }

    /// A client emitted an event: what waits for a backend, if anything does. It has its place in the order of events
    /// already.
    fn handle(
        self: &Arc<Self>,
        socket: Socket,
        event: EventName,
        args: Args,
        ack: Ack,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        self.sockets.tail.tell(|| {
            let more = json!({ "event": &*event, "sid": socket.id(), "wants_ack": ack.is_wanted() });
            Line::new("event", socket.namespace_name(), more).in_rooms(member::rooms(&socket)).with(&args)
        });
        let (asker, asked) = self.begin(&Happened { socket: &socket, event: &event, args: &args }, ack)?;
        let space = self.clone();
        Some(async move {
            let asked = asked.await;
            space.go_on(&Happened { socket: &socket, event: &event, args: &args }, &asked, asker);
        })
    }

    /// What is done of an event at once: all of it, or a backend is asked.
    fn begin(&self, happened: &Happened<'_>, ack: Ack) -> Option<(Asker, impl Future<Output = Asked> + Send + use<>)> {
        let Happened { socket, event, args } = *happened;
        let Some(rule) = self.rules.find(event) else {
            let asked = self.backends.ask(socket, event, args, ack.is_wanted());
            if asked.is_none() {
                self.report(socket, event);
            }
            return Some((Asker::Event(ack), asked?));
        };
        let begun = Prepared::new(&rule, happened, &self.sockets).and_then(|prepared| {
            if rule.check == Check::Backend {
                let asked = self.backends.ask(socket, event, args, ack.is_wanted());
                return asked.map(|asked| Some((Asker::Rule(prepared, ack), asked))).ok_or(RuleError::Nobody);
            }
            let ack = prepared.carry_out(happened, ack, &self.sockets)?;
            if !rule.forward {
                return Ok(None);
            }
            let asked = self.backends.ask(socket, event, args, ack.as_ref().is_some_and(Ack::is_wanted));
            Ok(asked.map(|asked| (Asker::Forward(ack), asked)))
        });
        begun.unwrap_or_else(|error| {
            self.tell_error(socket, event, error.code(), &error.to_string(), None);
            None
        })
    }

    /// What is done once a backend has answered, or has not.
    fn go_on(&self, happened: &Happened<'_>, asked: &Asked, asker: Asker) {
        let Happened { socket, event, .. } = *happened;
        match (&asked.reply, asker) {
            (Ok(Reply::Done(answer)), asker) => self.settle(happened, asked, answer, asker),
            (Ok(Reply::NotFound), Asker::Event(_)) => self.report(socket, event),
            // The rule has handled it.
            (Ok(Reply::NotFound), Asker::Forward(_)) => {}
            (Ok(Reply::NotFound), Asker::Rule(..)) => self.tell_rejected(socket, event, &Told::default()),
            (Ok(Reply::Refused(told)), _) => self.tell_rejected(socket, event, told),
            (Err(why), _) => self.tell_error(socket, event, why.code(), "backend unavailable", None),
        }
    }

    /// A backend has answered to an event.
    fn settle(&self, happened: &Happened<'_>, asked: &Asked, answer: &Answer, asker: Asker) {
        let Happened { socket, event, .. } = *happened;
        self.backends.carry_out(socket, asked, answer);
        let ack = match asker {
            Asker::Event(ack) => Some(ack),
            Asker::Forward(ack) => ack,
            // Who says what is wrong does not allow it.
            Asker::Rule(_, ack) if answer.error.is_some() || answer.disconnect => Some(ack),
            Asker::Rule(prepared, ack) => match prepared.carry_out(happened, ack, &self.sockets) {
                Ok(ack) => ack,
                Err(error) => return self.tell_error(socket, event, error.code(), &error.to_string(), None),
            },
        };
        if let (Some(args), Some(ack)) = (&answer.ack, ack) {
            match ack.send(args) {
                // A client that has gone meanwhile needs no answer.
                Ok(()) | Err(EmitError::Disconnected) => {}
                Err(error) if self.pace.once_a_second("ack") => {
                    warn!(namespace = socket.namespace_name(), %error, "an ack of a backend cannot be sent");
                }
                Err(_) => {}
            }
        }
        if let Some(told) = &answer.error {
            self.tell_rejected(socket, event, told);
        }
        if answer.disconnect {
            socket.disconnect();
        }
    }

    /// Nobody handles this event.
    fn report(&self, socket: &Socket, event: &str) {
        self.metrics.unhandled(&self.options.name.0);
        if self.options.unhandled == Unhandled::Ignore {
            return;
        }
        if self.pace.once_a_second("unhandled") {
            warn!(namespace = socket.namespace_name(), event = shown(event), "nobody handles this event");
        }
        if self.options.unhandled == Unhandled::Error {
            self.tell_error(socket, event, "unhandled", "nobody handles this event", None);
        }
    }

    /// Tells a client that its event was rejected.
    fn tell_rejected(&self, socket: &Socket, event: &str, told: &Told) {
        let message = told.message.as_deref().unwrap_or("Event rejected by server");
        self.tell_error(socket, event, "rejected", message, told.data.as_ref());
    }

    /// Tells a client what is wrong with its event, where it is to be told.
    fn tell_error(&self, socket: &Socket, event: &str, code: &str, message: &str, data: Option<&Value>) {
        if !self.options.error_event.is_empty() {
            let mut error = json!({ "message": message, "event": event, "code": code });
            if let Some(data) = data {
                error["data"] = data.clone();
            }
            // A client that has gone meanwhile needs no word.
            let _gone = socket.emit(&self.options.error_event, &error);
        }
    }
}
