//! What it is: the log: where it goes, in what form, and the line for each connection that ends.
//! What it is not: a place for what clients keep secret: no sid, query, header or argument is written.
//! Who calls it: `serve` opens it; `options` has connections told of; whoever logs what clients chose has it cut.

use std::{io, net::IpAddr, sync::Arc, time::Instant};

use engineio::{Event, Message, Socket, Transport};
use tracing::{Level, info};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    reload,
    util::SubscriberInitExt,
};

use crate::{
    config::{self, Format},
    metrics::Metrics,
};

/// What the lines of this binary come from.
const TARGET: &str = "socketio_server";

/// Longest text of a client in a line, in characters.
const MAX_SHOWN: usize = 64;

/// How much is logged, to be changed while the server runs.
pub(crate) struct Journal(reload::Handle<Targets, tracing_subscriber::Registry>);

/// What waits to be written is written when this is dropped.
pub(crate) struct Unwritten(#[expect(dead_code, reason = "only its drop matters")] WorkerGuard);

impl Journal {
    /// Writes to standard error from now on, by a thread of its own: a reader that stalls must not stall the server, so
    /// lines that find no room are lost.
    pub(crate) fn open(log: &config::Log) -> (Self, Unwritten) {
        let (filter, handle) = reload::Layer::new(targets(log.level));
        let (writer, guard) = tracing_appender::non_blocking(io::stderr());
        let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_target(false);
        let registry = tracing_subscriber::registry().with(filter);
        // A second journal in one process would be a mistake of ours, and changes nothing.
        let _once = match log.format {
            Format::Text => registry.with(lines.with_ansi(false)).try_init(),
            Format::Json => registry.with(lines.json().flatten_event(true)).try_init(),
        };
        (Self(handle), Unwritten(guard))
    }

    /// Writes this much from now on.
    pub(crate) fn set(&self, level: config::Level) {
        self.0.reload(targets(level)).expect("the subscriber is there for as long as the process");
    }
}

/// What a client may have chosen, as long as a line of the log has room for.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}

fn targets(level: config::Level) -> Targets {
    let level = match level {
        config::Level::Error => Level::ERROR,
        config::Level::Warn => Level::WARN,
        config::Level::Info => Level::INFO,
        config::Level::Debug => Level::DEBUG,
        config::Level::Trace => Level::TRACE,
    };
    // Below, spans are opened for each connection, which cost memory while it lasts.
    let below = if level >= Level::DEBUG { level } else { level.min(Level::WARN) };
    Targets::new().with_target(TARGET, level).with_target("socketio", below).with_default(LevelFilter::WARN)
}

/// One connection, as figures and log know it.
pub(crate) struct Connection {
    metrics: Arc<Metrics>,
    opened: Instant,
    remote: Option<IpAddr>,
    transport: Transport,
    /// Whether a WebSocket has probed it that did not take it over yet.
    is_probed: bool,
    received: u64,
    sent: u64,
    dropped: u64,
}

impl Connection {
    pub(crate) fn open(socket: &Socket, metrics: &Arc<Metrics>) -> Self {
        let handshake = socket.handshake();
        metrics.opened(handshake.transport);
        Self {
            metrics: metrics.clone(),
            opened: Instant::now(),
            remote: handshake.remote.map(|remote| remote.ip()),
            transport: handshake.transport,
            is_probed: false,
            received: 0,
            sent: 0,
            dropped: 0,
        }
    }

    /// What is told of its events.
    pub(crate) fn tell(mut self) -> impl FnMut(&Event) + Send + 'static {
        move |event| self.handle(event)
    }

    fn handle(&mut self, event: &Event) {
        match event {
            Event::Message(message) => {
                self.received += 1;
                self.metrics.received(self.transport, bytes(message));
            }
            Event::Heartbeat => self.metrics.received(self.transport, 0),
            Event::Flush { packets, bytes } => {
                self.sent += packets;
                self.metrics.sent(self.transport, *packets, *bytes);
            }
            Event::Dropped(messages) => {
                self.dropped += messages;
                self.metrics.dropped_oldest(*messages);
            }
            Event::Upgrading(_) => {
                self.end_probe();
                self.is_probed = true;
            }
            Event::Upgrade(transport) => {
                self.metrics.upgraded(self.transport, *transport);
                (self.transport, self.is_probed) = (*transport, false);
            }
            Event::Close(reason) => {
                self.end_probe();
                self.metrics.closed(self.transport, *reason);
                info!(
                    target: TARGET,
                    reason = %reason,
                    seconds = self.opened.elapsed().as_secs_f64(),
                    transport = self.transport.name(),
                    received = self.received,
                    sent = self.sent,
                    dropped = (self.dropped > 0).then_some(self.dropped),
                    remote = self.remote.map(tracing::field::display),
                    "connection closed",
                );
            }
            _ => {}
        }
    }

    /// A probe that came to nothing.
    fn end_probe(&mut self) {
        if self.is_probed {
            self.metrics.upgrade_failed();
            self.is_probed = false;
        }
    }
}

fn bytes(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) => bytes.len(),
    }
}
