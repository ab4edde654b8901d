//! What it is: the namespaces that are configured, and what happens to those who join, emit and leave there.
//! What it is not: the playground, which has events of its own.
//! Who calls it: `serve`, once.

use std::{sync::Arc, time::Instant};

use prometheus::IntGauge;
use serde_json::{Value, json};
use socketio::{Ack, Args, Auth, ConnectError, EventName, Namespace, RoomChange, Socket};
use tracing::warn;

use crate::{
    auth::{self, Gate, Tokens},
    config::{self, Unhandled},
    member::{self, Member},
    metrics::Metrics,
    pace::Pace,
    rooms,
    rules::{self, Happened, Rules},
    seats::{Seat, Seats},
    slots::Values,
    sockets::Sockets,
};

/// Longest name of an event in the log, in characters.
const MAX_LOGGED: usize = 64;

/// One entry of the configuration: a namespace, or all those that its glob means.
struct Space {
    options: config::Namespace,
    sockets: Arc<Sockets>,
    metrics: Arc<Metrics>,
    gate: Gate,
    rules: Rules,
    seats: Seats,
    /// Those of each user in each namespace.
    of_users: Seats,
    pace: Pace,
}

/// The place of a socket among those of its user.
struct OfUser(#[expect(dead_code, reason = "only its drop matters")] Seat);

/// Why a client is not let in.
struct Refused {
    /// What it counts as.
    label: &'static str,
    error: ConnectError,
    /// Whether it loses its connection instead of being told, so that it comes back as somebody new.
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

/// The namespaces of this configuration.
pub(crate) fn of(config: &config::Config, sockets: &Arc<Sockets>, tokens: &Tokens) -> Vec<Namespace> {
    config.namespaces().iter().flat_map(|options| of_one(config, options, sockets, tokens)).collect()
}

fn of_one(
    config: &config::Config,
    options: &config::Namespace,
    sockets: &Arc<Sockets>,
    tokens: &Tokens,
) -> Vec<Namespace> {
    let metrics = sockets.metrics.clone();
    let (taken, seats) = metrics.of_namespace(&options.name.0);
    let space = Arc::new(Space {
        options: options.clone(),
        sockets: sockets.clone(),
        metrics,
        gate: Gate::new(options.auth.unwrap_or(config.auth.mode), tokens.clone(), options),
        rules: Rules::new(&options.rule.0),
        seats: Seats::new(options.max_connections, Some(seats)),
        of_users: Seats::new(options.max_per_user, None),
        pace: Pace::default(),
    });
    let namespaces = match options.name.0.strip_suffix('*') {
        None => vec![Namespace::new(&options.name.0)],
        // A parameter stands for one character at least.
        Some("") => vec![Namespace::new("/"), Namespace::pattern("/{*name}")],
        Some(prefix) => vec![Namespace::pattern(&format!("{prefix}{{*name}}"))],
    };
    let configure = |namespace| rooms::configure(space.serve(namespace, taken.clone()), config, &options.name.0);
    namespaces.into_iter().map(configure).collect()
}

impl Space {
    fn serve(self: &Arc<Self>, namespace: Namespace, rooms: IntGauge) -> Namespace {
        let [connecting, leaving, counting, handling] = [(); 4].map(|()| self.clone());
        namespace
            .on_connect(move |socket: Socket, Auth(auth): Auth<Value>| {
                let space = connecting.clone();
                async move { space.connect(&socket, &auth).await }
            })
            // Behind this the next client may come, even if this one comes back and is recovered.
            .on_disconnecting(move |socket: Socket| {
                leaving.leave(&socket);
                async {}
            })
            .on_any(move |_: Socket, event: EventName| {
                counting.metrics.event(&counting.options.name.0, &event);
                async {}
            })
            .on_fallback(move |socket: Socket, event: EventName, args: Args, ack: Ack| {
                handling.handle(&Happened { socket: &socket, event: &event, args: &args }, ack);
                async {}
            })
            .on_room(move |_, change| match change {
                RoomChange::Create(room) if !member::is_of_user(room.as_str()) => rooms.inc(),
                RoomChange::Delete(room) if !member::is_of_user(room.as_str()) => rooms.dec(),
                _ => {}
            })
    }

    /// A client asks to join that has sent this with its CONNECT.
    async fn connect(&self, socket: &Socket, auth: &Value) -> Result<(), ConnectError> {
        self.sockets.insert(socket);
        let joined = self.join(socket, auth).await;
        self.metrics
            .connect(&self.options.name.0, joined.as_ref().map_or_else(|refused| refused.label, |()| "accepted"));
        joined.map_err(|refused| {
            self.leave(socket);
            if refused.is_cut {
                socket.close();
            }
            refused.error
        })
    }

    /// Gives the socket its user, its seat and its rooms.
    async fn join(&self, socket: &Socket, auth: &Value) -> Result<(), Refused> {
        self.gate.check(socket, auth)?;
        let namespace = socket.namespace_name();
        let full = || Refused::new("limit", "Too many connections");
        socket.set(Some(self.seats.take(namespace).ok_or_else(full)?));
        let user = Member::of(socket).user();
        if self.options.require_user && user.is_none() {
            return Err(Refused::new("unauthorized", "User required"));
        }
        if let Some(user) = user.filter(|_| self.of_users.are_bounded()) {
            let full = || Refused::new("limit", "Too many connections of this user");
            socket.set(Some(OfUser(self.of_users.take(&format!("{namespace}\n{user}")).ok_or_else(full)?)));
        }
        let values = Values::new(socket, None);
        let rooms = self.options.auto_join.iter().filter_map(|room| room.0.fill(|slot| values.text(slot)).ok());
        for room in rooms {
            // A room whose name is too long, or one too many, is one that cannot be filled.
            let _left_out = socket.join(room);
        }
        Ok(())
    }

    /// It leaves, or is refused.
    fn leave(&self, socket: &Socket) {
        socket.set(None::<Seat>);
        socket.set(None::<OfUser>);
        Gate::forget(socket);
        self.sockets.remove(socket);
    }

    /// A client emitted an event.
    fn handle(&self, happened: &Happened<'_>, ack: Ack) {
        let Happened { socket, event, .. } = *happened;
        if let Some(rule) = self.rules.find(event) {
            if let Err(error) = rules::carry_out(rule, happened, ack, &self.sockets) {
                self.tell_error(socket, event, error.code(), &error.to_string());
            }
            return;
        }
        self.metrics.unhandled(&self.options.name.0);
        self.report(socket, event);
    }

    /// Nobody handles this event.
    fn report(&self, socket: &Socket, event: &str) {
        if self.options.unhandled == Unhandled::Ignore {
            return;
        }
        if self.pace.is_due(Instant::now()) {
            let shown: String = event.chars().take(MAX_LOGGED).collect();
            warn!(namespace = socket.namespace_name(), event = shown.as_str(), "nobody handles this event");
        }
        if self.options.unhandled == Unhandled::Error {
            self.tell_error(socket, event, "unhandled", "nobody handles this event");
        }
    }

    /// Tells a client what is wrong with its event, where it is to be told.
    fn tell_error(&self, socket: &Socket, event: &str, code: &str, message: &str) {
        if !self.options.error_event.is_empty() {
            let error = json!({ "message": message, "event": event, "code": code });
            // A client that has gone meanwhile needs no word.
            let _gone = socket.emit(&self.options.error_event, &error);
        }
    }
}
