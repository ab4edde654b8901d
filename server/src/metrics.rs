//! What it is: figures of what happens, in the form that Prometheus reads.
//! What it is not: where things happen: those who know tell it.
//! Who calls it: whoever counts something; `admin` shows. What the server below counts is asked for then.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, PoisonError},
};

use engineio::{CloseReason, Transport};
use hyper::StatusCode;
use prometheus::{
    Encoder, Gauge, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, TextEncoder,
    core::Collector, proto::Metric,
};
use socketio::ServerStats;

use registry::Registry;

mod registry;

/// Events that have no label of their own.
const OTHER: &str = "other";

/// All figures of the process.
pub(crate) struct Metrics {
    registry: Registry,
    connections: IntGaugeVec,
    opened: IntCounterVec,
    closed: IntCounterVec,
    rejected: IntCounterVec,
    upgrades: IntCounterVec,
    packets_received: IntCounter,
    packets_sent: IntCounter,
    bytes_received: ByTransport,
    bytes_sent: ByTransport,
    slow_consumers: IntCounter,
    dropped: IntCounterVec,
    sockets: IntGaugeVec,
    rooms: IntGaugeVec,
    /// Which `users` keeps up to date.
    pub(crate) users: IntGauge,
    connects: IntCounterVec,
    events: IntCounterVec,
    unhandled: IntCounterVec,
    emits: IntCounterVec,
    deliveries: IntCounter,
    ack_latency: Histogram,
    api_requests: IntCounterVec,
    api_duration: HistogramVec,
    proxied: IntCounterVec,
    hooks: IntCounterVec,
    hook_duration: HistogramVec,
    hooks_in_flight: IntGaugeVec,
    hooks_waiting: IntGaugeVec,
    backends_paused: IntGaugeVec,
    hooks_dropped: IntCounterVec,
    pub(crate) draining: IntGauge,
    /// How late the event loop is, which `lag` keeps up to date.
    pub(crate) lag: Gauge,
    redis_connected: IntGaugeVec,
    redis_messages: IntCounterVec,
    redis_rejected: IntCounterVec,
    /// Asked for when figures are shown.
    pub(crate) cluster_servers: IntGauge,
    /// Held while figures are gathered: they have been brought up to date, and by nobody else meanwhile.
    of_server: Mutex<OfServer>,
    /// Names of events that have a label of their own.
    event_labels: HashSet<String>,
}

/// One counter for each transport.
struct ByTransport {
    polling: IntCounter,
    websocket: IntCounter,
}

/// Figures that the server below keeps itself.
struct OfServer {
    send_queue: IntGauge,
    history: IntGauge,
    dropped: IntCounterVec,
    throttled: IntCounter,
    replayed: IntCounter,
    recovery: IntCounterVec,
}

impl Metrics {
    pub(crate) fn new(event_labels: &[String]) -> Self {
        let registry = Registry::new();
        let counter = |name, help| registry.counter(name, help);
        let counters = |name, help, labels: &[&str]| registry.counters(name, help, labels);
        let gauges = |name, help, labels: &[&str]| registry.gauges(name, help, labels);
        let dropped = counters("deliveries_dropped_total", "Events not sent to somebody who was meant.", &["reason"]);
        let metrics = Self {
            connections: gauges("connections", "Connections now.", &["transport"]),
            opened: counters("connections_opened_total", "Connections opened.", &["transport"]),
            closed: counters("connections_closed_total", "Connections ended.", &["reason"]),
            rejected: counters("handshakes_rejected_total", "Requests refused.", &["reason"]),
            upgrades: counters("upgrades_total", "Upgrades to WebSocket.", &["result"]),
            packets_received: counter("packets_received_total", "Messages and heartbeats received."),
            packets_sent: counter("packets_sent_total", "Packets sent."),
            bytes_received: ByTransport::new(&counters(
                "bytes_received_total",
                "Bytes of messages received.",
                &["transport"],
            )),
            bytes_sent: ByTransport::new(&counters(
                "bytes_sent_total",
                "Bytes of packets sent, as frames that are not compressed.",
                &["transport"],
            )),
            dropped: dropped.clone(),
            slow_consumers: counter("slow_consumers_total", "Clients cut off for not reading."),
            sockets: gauges("sockets", "Sockets now.", &["namespace"]),
            rooms: gauges("rooms", "Rooms now, but for each socket's own.", &["namespace"]),
            users: registry.gauge("users", "Users who have a socket now."),
            connects: counters("connects_total", "Clients that asked to join.", &["namespace", "result"]),
            events: counters("events_received_total", "Events of clients.", &["namespace", "event"]),
            unhandled: counters("events_unhandled_total", "Events that nobody handled.", &["namespace"]),
            emits: counters("emits_total", "Events emitted.", &["source"]),
            deliveries: counter("deliveries_total", "Recipients of these, in all."),
            ack_latency: registry.histogram("ack_latency_seconds", "Time that clients took to answer."),
            api_requests: counters("api_requests_total", "Requests of the API.", &["route", "code"]),
            api_duration: registry.histograms(
                "api_duration_seconds",
                "Time that requests of the API took.",
                &["route"],
            ),
            proxied: counters("proxy_requests_total", "Requests for the application.", &["code"]),
            hooks: counters("backend_requests_total", "Hooks that went to backends.", &["backend", "type", "code"]),
            hook_duration: registry.histograms(
                "backend_duration_seconds",
                "Time that these took.",
                &["backend", "type"],
            ),
            hooks_in_flight: gauges("backend_in_flight", "Hooks that backends have now.", &["backend"]),
            hooks_waiting: gauges("backend_queue", "Hooks that wait now.", &["backend"]),
            backends_paused: gauges("backend_paused", "Whether it has failed too often to be asked.", &["backend"]),
            hooks_dropped: counters("backend_dropped_total", "Hooks that came to nothing.", &["backend", "reason"]),
            draining: registry.gauge("draining", "Whether the server closes its connections."),
            lag: registry.quantile("event_loop_lag_seconds", "How late timers are, in the last ten seconds.", "0.99"),
            redis_connected: gauges("redis_connected", "Whether a connection to Redis is there.", &["role"]),
            redis_messages: counters("redis_messages_total", "Messages that came by Redis.", &["kind"]),
            redis_rejected: counters("redis_rejected_total", "Those left out, and answers not published.", &["reason"]),
            cluster_servers: registry.gauge("cluster_servers", "Other servers of the cluster that are there."),
            of_server: Mutex::new(OfServer {
                send_queue: registry.gauge("send_queue_bytes", "Bytes that wait for clients now."),
                history: registry.gauge("history_bytes", "Bytes that rooms keep now."),
                dropped: dropped.clone(),
                throttled: counter("throttled_total", "Events that had to wait for an interval."),
                replayed: counter("replayed_total", "Events that rooms keep, sent to those who joined."),
                recovery: counters("recovery_total", "Clients that came back for their session.", &["result"]),
            }),
            event_labels: event_labels.iter().cloned().collect(),
            registry,
        };
        let build = metrics.registry.counters("build_info", "The version.", &["version"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).inc();
        metrics.dropped.with_label_values(&["oldest"]);
        // Those with few labels are there from the start, so that a rate has something to begin with.
        for transport in [Transport::Polling, Transport::WebSocket] {
            metrics.connections.with_label_values(&[transport.name()]);
            metrics.opened.with_label_values(&[transport.name()]);
        }
        for source in ["api", "hook"] {
            metrics.emits.with_label_values(&[source]);
        }
        metrics
    }

    /// The text that Prometheus fetches. `stats` asks the server below.
    pub(crate) fn text(&self, stats: impl FnOnce() -> ServerStats) -> Vec<u8> {
        let mut text = Vec::new();
        let of_server = self.of_server.lock().unwrap_or_else(PoisonError::into_inner);
        of_server.show(&stats());
        let mut families = self.registry.gather();
        families.extend(prometheus::gather());
        TextEncoder::new().encode(&families, &mut text).expect("what was gathered can be written");
        text
    }

    /// Connections now, by their transports.
    pub(crate) fn transports(&self) -> BTreeMap<String, u64> {
        by_label(&self.connections)
    }

    /// Events emitted, by what they came from.
    pub(crate) fn emits(&self) -> BTreeMap<String, u64> {
        by_label(&self.emits)
    }

    /// Recipients of these, in all.
    pub(crate) fn deliveries(&self) -> u64 {
        self.deliveries.get()
    }

    /// Resident bytes of the process; 0 where the system does not tell.
    pub(crate) fn memory(&self) -> u64 {
        let gathered = prometheus::gather();
        let memory = gathered.iter().find(|family| family.name() == "process_resident_memory_bytes");
        memory.and_then(|family| family.get_metric().first()).map_or(0, |metric| metric.get_gauge().get_value() as u64)
    }

    pub(crate) fn opened(&self, transport: Transport) {
        self.connections.with_label_values(&[transport.name()]).inc();
        self.opened.with_label_values(&[transport.name()]).inc();
    }

    /// A connection goes on by WebSocket.
    pub(crate) fn upgraded(&self, from: Transport, to: Transport) {
        self.connections.with_label_values(&[from.name()]).dec();
        self.connections.with_label_values(&[to.name()]).inc();
        self.upgrades.with_label_values(&["success"]).inc();
    }

    pub(crate) fn upgrade_failed(&self) {
        self.upgrades.with_label_values(&["failure"]).inc();
    }

    pub(crate) fn closed(&self, transport: Transport, reason: CloseReason) {
        self.connections.with_label_values(&[transport.name()]).dec();
        self.closed.with_label_values(&[&reason.to_string()]).inc();
        if reason == CloseReason::SlowConsumer {
            self.slow_consumers.inc();
        }
    }

    /// So many events have made room for newer ones.
    pub(crate) fn dropped_oldest(&self, events: u64) {
        self.dropped.with_label_values(&["oldest"]).inc_by(events);
    }

    /// A request was refused, for a reason of a closed list.
    pub(crate) fn rejected(&self, reason: &str) {
        self.rejected.with_label_values(&[reason]).inc();
    }

    pub(crate) fn received(&self, transport: Transport, bytes: usize) {
        self.packets_received.inc();
        if bytes > 0 {
            self.bytes_received.of(transport).inc_by(bytes as u64);
        }
    }

    pub(crate) fn sent(&self, transport: Transport, packets: u64, bytes: u64) {
        self.bytes_sent.of(transport).inc_by(bytes);
        self.packets_sent.inc_by(packets);
    }

    /// How many rooms and sockets a namespace has.
    pub(crate) fn of_namespace(&self, name: &str) -> (IntGauge, IntGauge) {
        (self.rooms.with_label_values(&[name]), self.sockets.with_label_values(&[name]))
    }

    /// A client asked to join; the result is of a closed list.
    pub(crate) fn connect(&self, namespace: &str, result: &str) {
        self.connects.with_label_values(&[namespace, result]).inc();
    }

    pub(crate) fn event(&self, namespace: &str, event: &str) {
        // Names are the clients' to choose, and each label is kept.
        let label = if self.event_labels.contains(event) { event } else { OTHER };
        self.events.with_label_values(&[namespace, label]).inc();
    }

    pub(crate) fn unhandled(&self, namespace: &str) {
        self.unhandled.with_label_values(&[namespace]).inc();
    }

    pub(crate) fn emitted(&self, source: &str, recipients: usize) {
        self.emits.with_label_values(&[source]).inc();
        self.deliveries.inc_by(recipients as u64);
    }

    /// A client has answered an event.
    pub(crate) fn acked(&self, seconds: f64) {
        self.ack_latency.observe(seconds);
    }

    /// A request for the application was answered, by it or in its place.
    pub(crate) fn proxied(&self, status: u16) {
        self.proxied.with_label_values(&[&status.to_string()]).inc();
    }

    /// Whether a connection to Redis is there; the role is of a closed list.
    pub(crate) fn redis_connected(&self, role: &str) -> IntGauge {
        self.redis_connected.with_label_values(&[role])
    }

    /// A message came by Redis; the kind is of a closed list.
    pub(crate) fn redis_message(&self, kind: &str) {
        self.redis_messages.with_label_values(&[kind]).inc();
    }

    /// It was left out, or an answer was, for a reason of a closed list.
    pub(crate) fn redis_rejected(&self, reason: &str) {
        self.redis_rejected.with_label_values(&[reason]).inc();
    }

    /// How many hooks wait for a backend, how many it has, and whether it has a pause.
    pub(crate) fn of_backend(&self, name: &str) -> [IntGauge; 3] {
        [&self.hooks_waiting, &self.hooks_in_flight, &self.backends_paused]
            .map(|gauges| gauges.with_label_values(&[name]))
    }

    /// A hook went to a backend; the code is a status, or of a closed list.
    pub(crate) fn hook(&self, backend: &str, kind: &str, code: &str, seconds: f64) {
        self.hooks.with_label_values(&[backend, kind, code]).inc();
        self.hook_duration.with_label_values(&[backend, kind]).observe(seconds);
    }

    /// A hook came to nothing, for a reason of a closed list.
    pub(crate) fn hook_dropped(&self, backend: &str, reason: &str) {
        self.hooks_dropped.with_label_values(&[backend, reason]).inc();
    }

    pub(crate) fn api_request(&self, route: &str, status: StatusCode, seconds: f64) {
        self.api_requests.with_label_values(&[route, status.as_str()]).inc();
        self.api_duration.with_label_values(&[route]).observe(seconds);
    }
}

impl ByTransport {
    /// Looked up once, and not for each packet.
    fn new(counters: &IntCounterVec) -> Self {
        let of = |transport: Transport| counters.with_label_values(&[transport.name()]);
        Self { polling: of(Transport::Polling), websocket: of(Transport::WebSocket) }
    }

    fn of(&self, transport: Transport) -> &IntCounter {
        match transport {
            Transport::Polling => &self.polling,
            Transport::WebSocket => &self.websocket,
        }
    }
}

impl OfServer {
    fn show(&self, stats: &ServerStats) {
        self.send_queue.set(stats.outbox_bytes as i64);
        self.history.set(stats.history_bytes as i64);
        let (dropped, recovery) = (&self.dropped, &self.recovery);
        for (counter, count) in [
            (dropped.with_label_values(&["volatile"]), stats.dropped_volatile),
            (dropped.with_label_values(&["slow_consumer"]), stats.dropped_slow),
            (dropped.with_label_values(&["closed"]), stats.dropped_closed),
            (recovery.with_label_values(&["recovered"]), stats.recovered),
            (recovery.with_label_values(&["unknown_session"]), stats.unknown_sessions),
            (recovery.with_label_values(&["missed_too_much"]), stats.missed_too_much),
            (self.throttled.clone(), stats.throttled),
            (self.replayed.clone(), stats.replayed),
        ] {
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }
}

/// The values of figures with one label.
fn by_label(figures: &dyn Collector) -> BTreeMap<String, u64> {
    let families = figures.collect();
    let metrics = families.iter().flat_map(|family| family.get_metric());
    let value = |metric: &Metric| metric.get_counter().get_value() + metric.get_gauge().get_value();
    metrics.map(|metric| (metric.get_label()[0].value().to_owned(), value(metric) as u64)).collect()
}
