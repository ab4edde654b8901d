//! What it is: the namespaces that are configured, and what happens to those who join and emit there.
//! What it is not: the playground, which has events of its own.
//! Who calls it: `serve`, once.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use prometheus::IntGauge;
use serde_json::json;
use socketio::{ConnectError, EventName, Namespace, RoomChange, Socket};
use tracing::warn;

use crate::{
    config::{self, Unhandled},
    metrics::Metrics,
};

/// Longest name of an event in the log, in characters.
const MAX_LOGGED: usize = 64;

/// Events that nobody handles are logged this often in each namespace, and counted always.
const BETWEEN_LINES: Duration = Duration::from_secs(1);

/// The namespaces of this configuration; `/` when it has none.
pub(crate) fn of(config: &config::Config, metrics: &Arc<Metrics>) -> Vec<Namespace> {
    let default = [config::Namespace::default()];
    let configured = if config.namespace.0.is_empty() { &default[..] } else { &config.namespace.0 };
    configured.iter().map(|namespace| of_one(namespace.clone(), metrics)).collect()
}

fn of_one(options: config::Namespace, metrics: &Arc<Metrics>) -> Namespace {
    let name = options.name.0.clone();
    let (rooms, sockets) = metrics.of_namespace(&name);
    let (taken, options) = (Arc::new(AtomicUsize::new(0)), Arc::new(options));
    let max = options.max_connections;
    let sit = Arc::new(move || Seat::take(&taken, max, &sockets));
    let (joining, counting, reporting) = (options.clone(), metrics.clone(), options);
    let (events, unhandled, pace) = (metrics.clone(), metrics.clone(), Pace::default());
    Namespace::new(&name)
        .on_connect(move |socket: Socket| {
            let joined = join(&socket, &joining, &*sit);
            counting.connect(&joining.name.0, if joined.is_ok() { "accepted" } else { "limit" });
            async move { joined }
        })
        // Behind this the next client may come, even if this one comes back and is recovered.
        .on_disconnecting(async |socket: Socket| socket.set(None::<Seat>))
        .on_any(move |socket: Socket, event: EventName| {
            events.event(socket.namespace_name(), &event);
            async {}
        })
        .on_fallback(move |socket: Socket, event: EventName| {
            unhandled.unhandled(socket.namespace_name());
            report(&socket, &event, &reporting, &pace);
            async {}
        })
        .on_room(move |_, change| match change {
            RoomChange::Create(_) => rooms.inc(),
            RoomChange::Delete(_) => rooms.dec(),
            _ => {}
        })
}

/// Gives the socket its seat and its rooms.
fn join(socket: &Socket, options: &config::Namespace, sit: impl Fn() -> Option<Seat>) -> Result<(), ConnectError> {
    let full = || ConnectError::new("Too many connections").with_data(json!({ "code": "limit" }));
    socket.set(Some(sit().ok_or_else(full)?));
    let handshake = socket.handshake();
    let query = |name: &str| handshake.params().find(|(other, _)| other == name).map(|(_, value)| value.into_owned());
    for room in options.auto_join.iter().filter_map(|template| template.fill(socket.id().as_str(), query)) {
        // A room whose name is too long, or one too many, is one that cannot be filled.
        let _left_out = socket.join(room);
    }
    Ok(())
}

/// Nobody handles this event.
fn report(socket: &Socket, event: &str, options: &config::Namespace, pace: &Pace) {
    if options.unhandled == Unhandled::Ignore {
        return;
    }
    if pace.is_due(Instant::now()) {
        let shown: String = event.chars().take(MAX_LOGGED).collect();
        warn!(namespace = socket.namespace_name(), event = shown.as_str(), "nobody handles this event");
    }
    if options.unhandled == Unhandled::Error && !options.error_event.is_empty() {
        let error = json!({ "message": "nobody handles this event", "event": event, "code": "unhandled" });
        // A client that has gone meanwhile needs no word.
        let _gone = socket.emit(&options.error_event, &error);
    }
}

/// When something was logged last. The lock is taken for each event that nobody handles.
#[derive(Default)]
struct Pace(Mutex<Option<Instant>>);

impl Pace {
    /// Whether it may be logged again: clients decide how often it happens.
    fn is_due(&self, now: Instant) -> bool {
        let mut last = self.0.lock().expect("not poisoned: nobody panics while it is held");
        let is_due = last.is_none_or(|last| now.duration_since(last) >= BETWEEN_LINES);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

/// One of those in a namespace, from before it is let in; given up when it is dropped.
struct Seat {
    taken: Arc<AtomicUsize>,
    sockets: IntGauge,
}

impl Seat {
    /// One of `max`, where 0 is no bound; `None` when all are taken.
    fn take(taken: &Arc<AtomicUsize>, max: usize, sockets: &IntGauge) -> Option<Self> {
        let one_more = |count| (max == 0 || count < max).then_some(count + 1);
        taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        sockets.inc();
        Some(Self { taken: taken.clone(), sockets: sockets.clone() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.sockets.dec();
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }
}
