//! What it is: the namespaces that are configured, and what happens to those who join, emit and leave there.
//! What it is not: the playground, which has events of its own.
//! Who calls it: `serve`, once.

use std::{sync::Arc, time::Instant};

use dashmap::{DashMap, Entry};
use prometheus::IntGauge;
use serde_json::json;
use socketio::{Args, ConnectError, EventName, Namespace, RoomChange, Socket};
use tracing::warn;

use crate::{
    config::{self, Unhandled},
    member::{self, Member},
    metrics::Metrics,
    pace::Pace,
    rooms,
    sockets::Sockets,
};

/// Longest name of an event in the log, in characters.
const MAX_LOGGED: usize = 64;

/// One entry of the configuration: a namespace, or all those that its glob means.
struct Space {
    options: config::Namespace,
    sockets: Arc<Sockets>,
    metrics: Arc<Metrics>,
    seats: Seats,
    pace: Pace,
}

/// The namespaces of this configuration.
pub(crate) fn of(config: &config::Config, sockets: &Arc<Sockets>) -> Vec<Namespace> {
    config.namespaces().iter().flat_map(|options| of_one(config, options, sockets)).collect()
}

fn of_one(config: &config::Config, options: &config::Namespace, sockets: &Arc<Sockets>) -> Vec<Namespace> {
    let metrics = sockets.metrics.clone();
    let (taken, seats) = metrics.of_namespace(&options.name.0);
    let space = Arc::new(Space {
        options: options.clone(),
        sockets: sockets.clone(),
        metrics,
        seats: Seats { taken: Arc::default(), max: options.max_connections, gauge: seats },
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
            .on_connect(move |socket: Socket| {
                let space = connecting.clone();
                async move { space.connect(&socket).await }
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
            .on_fallback(move |socket: Socket, event: EventName, args: Args| {
                handling.handle(&socket, &event, &args);
                async {}
            })
            .on_room(move |_, change| match change {
                RoomChange::Create(room) if !member::is_of_user(room.as_str()) => rooms.inc(),
                RoomChange::Delete(room) if !member::is_of_user(room.as_str()) => rooms.dec(),
                _ => {}
            })
    }

    /// A client asks to join.
    async fn connect(&self, socket: &Socket) -> Result<(), ConnectError> {
        self.sockets.insert(socket);
        let joined = self.join(socket).await;
        if joined.is_err() {
            self.leave(socket);
        }
        self.metrics.connect(&self.options.name.0, if joined.is_ok() { "accepted" } else { "limit" });
        joined
    }

    /// Gives the socket its seat and its rooms.
    async fn join(&self, socket: &Socket) -> Result<(), ConnectError> {
        let full = || ConnectError::new("Too many connections").with_data(json!({ "code": "limit" }));
        socket.set(Some(self.seats.take(socket.namespace_name()).ok_or_else(full)?));
        Member::of(socket);
        let handshake = socket.handshake();
        let query =
            |name: &str| handshake.params().find(|(other, _)| other == name).map(|(_, value)| value.into_owned());
        for room in self.options.auto_join.iter().filter_map(|room| room.fill(socket.id().as_str(), query)) {
            // A room whose name is too long, or one too many, is one that cannot be filled.
            let _left_out = socket.join(room);
        }
        Ok(())
    }

    /// It leaves, or is refused.
    fn leave(&self, socket: &Socket) {
        socket.set(None::<Seat>);
        self.sockets.remove(socket);
    }

    /// A client emitted an event.
    fn handle(&self, socket: &Socket, event: &str, _args: &Args) {
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

/// How many are in each namespace, those included who are about to be let in.
struct Seats {
    taken: Arc<DashMap<String, usize>>,
    /// Most in one; 0 is no bound.
    max: usize,
    gauge: IntGauge,
}

impl Seats {
    /// One of them; `None` when all are taken.
    fn take(&self, namespace: &str) -> Option<Seat> {
        let mut taken = self.taken.entry(namespace.to_owned()).or_default();
        if self.max > 0 && *taken >= self.max {
            return None;
        }
        *taken += 1;
        self.gauge.inc();
        Some(Seat { taken: self.taken.clone(), namespace: namespace.into(), gauge: self.gauge.clone() })
    }
}

/// A place in a namespace, from before its client is let in; given up when it is dropped.
struct Seat {
    taken: Arc<DashMap<String, usize>>,
    namespace: Box<str>,
    gauge: IntGauge,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.gauge.dec();
        if let Entry::Occupied(mut taken) = self.taken.entry(self.namespace.to_string()) {
            *taken.get_mut() -= 1;
            if *taken.get() == 0 {
                taken.remove();
            }
        }
    }
}
