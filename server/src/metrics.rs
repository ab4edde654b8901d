//! What it is: figures of what happens, in the form that Prometheus reads.
//! What it is not: where things happen: those who know tell it.
//! Who calls it: `journal`, `namespaces`, `options`, `api`, `upstream` count; `admin` shows.

use std::collections::{BTreeMap, HashSet};

use engineio::{CloseReason, Transport};
use hyper::StatusCode;
use prometheus::{
    Encoder, Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, core::Collector, proto::Metric,
};

/// What all names begin with, but for those of the process.
const PREFIX: &str = "socketio";

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
    bytes_received: IntCounterVec,
    slow_consumers: IntCounter,
    sockets: IntGaugeVec,
    rooms: IntGaugeVec,
    connects: IntCounterVec,
    events: IntCounterVec,
    unhandled: IntCounterVec,
    emits: IntCounterVec,
    deliveries: IntCounter,
    api_requests: IntCounterVec,
    api_duration: HistogramVec,
    proxied: IntCounterVec,
    hooks: IntCounterVec,
    hook_duration: HistogramVec,
    hooks_in_flight: IntGaugeVec,
    hooks_waiting: IntGaugeVec,
    hooks_dropped: IntCounterVec,
    pub(crate) draining: IntGauge,
    /// How late the event loop is, which `lag` keeps up to date.
    pub(crate) lag: Gauge,
    redis_connected: IntGaugeVec,
    redis_messages: IntCounterVec,
    redis_rejected: IntCounterVec,
    /// Names of events that have a label of their own.
    event_labels: HashSet<String>,
}

impl Metrics {
    pub(crate) fn new(event_labels: &[String]) -> Self {
        let registry = Registry::new_custom(Some(PREFIX.into()), None).expect("the prefix is no empty text");
        let known = |metric: Box<dyn Collector>| registry.register(metric).expect("each name is used once");
        let gauges = |name, help, labels: &[&str]| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels).expect("valid names");
            known(Box::new(gauges.clone()));
            gauges
        };
        let counters = |name, help, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels).expect("valid names");
            known(Box::new(counters.clone()));
            counters
        };
        let counter = |name, help| {
            let counter = IntCounter::new(name, help).expect("a valid name");
            known(Box::new(counter.clone()));
            counter
        };
        let histograms = |name, help, labels: &[&str]| {
            let histograms = HistogramVec::new(HistogramOpts::new(name, help), labels).expect("valid names");
            known(Box::new(histograms.clone()));
            histograms
        };
        let draining = IntGauge::new("draining", "Whether the server closes its connections.").expect("a valid name");
        known(Box::new(draining.clone()));
        let lag = Opts::new("event_loop_lag_seconds", "How late timers are, in the last ten seconds.");
        let lag = Gauge::with_opts(lag.const_label("quantile", "0.99")).expect("a valid name");
        known(Box::new(lag.clone()));
        let metrics = Self {
            connections: gauges("connections", "Connections now.", &["transport"]),
            opened: counters("connections_opened_total", "Connections opened.", &["transport"]),
            closed: counters("connections_closed_total", "Connections ended.", &["reason"]),
            rejected: counters("handshakes_rejected_total", "Requests refused.", &["reason"]),
            upgrades: counters("upgrades_total", "Upgrades to WebSocket.", &["result"]),
            packets_received: counter("packets_received_total", "Messages and heartbeats received."),
            packets_sent: counter("packets_sent_total", "Packets sent."),
            bytes_received: counters("bytes_received_total", "Bytes of messages received.", &["transport"]),
            slow_consumers: counter("slow_consumers_total", "Clients cut off for not reading."),
            sockets: gauges("sockets", "Sockets now.", &["namespace"]),
            rooms: gauges("rooms", "Rooms now, but for each socket's own.", &["namespace"]),
            connects: counters("connects_total", "Clients that asked to join.", &["namespace", "result"]),
            events: counters("events_received_total", "Events of clients.", &["namespace", "event"]),
            unhandled: counters("events_unhandled_total", "Events that nobody handled.", &["namespace"]),
            emits: counters("emits_total", "Events emitted.", &["source"]),
            deliveries: counter("deliveries_total", "Recipients of these, in all."),
            api_requests: counters("api_requests_total", "Requests of the API.", &["route", "code"]),
            api_duration: histograms("api_duration_seconds", "Time that requests of the API took.", &["route"]),
            proxied: counters("proxy_requests_total", "Requests for the application.", &["code"]),
            hooks: counters("backend_requests_total", "Hooks that went to backends.", &["backend", "type", "code"]),
            hook_duration: histograms("backend_duration_seconds", "Time that these took.", &["backend", "type"]),
            hooks_in_flight: gauges("backend_in_flight", "Hooks that backends have now.", &["backend"]),
            hooks_waiting: gauges("backend_queue", "Hooks that wait now.", &["backend"]),
            hooks_dropped: counters("backend_dropped_total", "Hooks that came to nothing.", &["backend", "reason"]),
            draining,
            lag,
            redis_connected: gauges("redis_connected", "Whether a connection to Redis is there.", &["role"]),
            redis_messages: counters("redis_messages_total", "Messages that came by Redis.", &["kind"]),
            redis_rejected: counters("redis_rejected_total", "Those left out, and answers not published.", &["reason"]),
            event_labels: event_labels.iter().cloned().collect(),
            registry: registry.clone(),
        };
        let build = counters("build_info", "The version.", &["version"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).inc();
        // Those with few labels are there from the start, so that a rate has something to begin with.
        for transport in [Transport::Polling, Transport::WebSocket] {
            metrics.connections.with_label_values(&[transport.name()]);
            metrics.opened.with_label_values(&[transport.name()]);
            metrics.bytes_received.with_label_values(&[transport.name()]);
        }
        for source in ["api", "hook"] {
            metrics.emits.with_label_values(&[source]);
        }
        metrics
    }

    /// The text that Prometheus fetches.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
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

    /// A request was refused, for a reason of a closed list.
    pub(crate) fn rejected(&self, reason: &str) {
        self.rejected.with_label_values(&[reason]).inc();
    }

    pub(crate) fn received(&self, transport: Transport, bytes: usize) {
        self.packets_received.inc();
        if bytes > 0 {
            self.bytes_received.with_label_values(&[transport.name()]).inc_by(bytes as u64);
        }
    }

    pub(crate) fn sent(&self, packets: u64) {
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

    /// How many hooks wait for a backend, and how many it has.
    pub(crate) fn of_backend(&self, name: &str) -> (IntGauge, IntGauge) {
        (self.hooks_waiting.with_label_values(&[name]), self.hooks_in_flight.with_label_values(&[name]))
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

/// The values of figures with one label.
fn by_label(figures: &dyn Collector) -> BTreeMap<String, u64> {
    let families = figures.collect();
    let metrics = families.iter().flat_map(|family| family.get_metric());
    let value = |metric: &Metric| metric.get_counter().get_value() + metric.get_gauge().get_value();
    metrics.map(|metric| (metric.get_label()[0].value().to_owned(), value(metric) as u64)).collect()
}
