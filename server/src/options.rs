//! What it is: the options of the crates below, made of the binary's.
//! What it is not: namespaces (`namespaces`), nor listeners (`listeners`).
//! Who calls it: `serve`, once; `reload` for what may change.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use engineio::{Cors, Http, Origins, PerMessageDeflate, Serve, SessionLimits, SlowConsumer};
use socketio::{Config, EventRate, Hooks, Limits, OnExcess, Recovery, RecoveryMode};
use tracing::warn;

use crate::{
    auth,
    backend::HEADERS,
    config::{self, Mode},
    connect_rate::ConnectRate,
    doctor::NOWHERE,
    journal::{self, shown},
    metrics::Metrics,
    origins,
    pace::Pace,
};

/// Descriptors that are for other things than connections: listeners, files, the admin listener.
const SPARE_FILES: u64 = 64;

/// The options of the Socket.IO server. `files` is the limit on open files.
pub(crate) fn socketio(
    config: &config::Config,
    files: u64,
    connect_rate: ConnectRate,
    metrics: &Arc<Metrics>,
) -> Config {
    let config::Limits {
        max_rooms_per_socket,
        max_event_name,
        max_room_name,
        max_namespaces_per_connection,
        max_attachments,
        ..
    } = config.limits;
    let (observed, pace) = (metrics.clone(), Pace::default());
    Config {
        engine: engineio(config, files),
        http: connect_rate.admit(http(&config.engine, &config.cors, metrics)).kept_headers(kept_headers(config)),
        connect_timeout: config.engine.connect_timeout,
        limits: Limits {
            max_rooms: max_rooms_per_socket,
            max_event_name,
            max_room_name,
            max_namespaces: max_namespaces_per_connection,
            max_attachments,
            event_rate: event_rate(&config.limits),
            ..Limits::default()
        },
        close_timeout: config.drain.timeout,
        flush_delay: config.engine.flush_delay.0,
        max_history_bytes: config.history.total_bytes.0,
        connection_state_recovery: recovery(&config.recovery),
        hooks: Hooks::default()
            .on_connection(move |connection| journal::Connection::open(connection, &observed).tell())
            .on_invalid_namespace(move |name| {
                if !name.starts_with(NOWHERE) && pace.once_a_minute("namespace") {
                    warn!(
                        namespace = shown(name),
                        "a client asks for a namespace that is not there: see [[namespace]]"
                    );
                }
            }),
        ..Config::default()
    }
}

/// How many connections there may be, where the process may have so many open files.
pub(crate) fn session_limits(limits: &config::Limits, files: u64) -> SessionLimits {
    let room = usize::try_from(files.saturating_sub(SPARE_FILES)).unwrap_or(usize::MAX);
    let bound = |limit: usize| (limit > 0).then_some(limit);
    SessionLimits {
        max_sessions: Some(bound(limits.max_connections).unwrap_or(room)),
        max_unused_sessions: bound(limits.max_unused_connections),
        max_sessions_per_ip: bound(limits.max_connections_per_ip),
    }
}

fn engineio(config: &config::Config, files: u64) -> engineio::Config {
    let (engine, limits) = (&config.engine, &config.limits);
    let SessionLimits { max_sessions, max_unused_sessions, max_sessions_per_ip } = session_limits(limits, files);
    engineio::Config {
        path: config.server.path[0].0.clone(),
        add_trailing_slash: false,
        transports: engine.transports.clone(),
        allow_eio3: engine.eio3,
        ping_interval: engine.ping_interval,
        ping_timeout: engine.ping_timeout,
        upgrade_timeout: engine.upgrade_timeout,
        max_payload: engine.max_payload.0,
        max_outbox_bytes: limits.send_queue_bytes.0,
        max_outbox_messages: limits.send_queue_messages,
        slow_consumer: match limits.slow_consumer {
            config::Slow::Disconnect => SlowConsumer::Disconnect,
            config::Slow::DropOldest => SlowConsumer::DropOldest,
        },
        per_message_deflate: engine.ws_compression.then(PerMessageDeflate::default),
        max_sessions,
        max_unused_sessions,
        max_sessions_per_ip,
        ..engineio::Config::default()
    }
}

fn http(engine: &config::Engine, cors: &config::Cors, metrics: &Arc<Metrics>) -> Http {
    let metrics = metrics.clone();
    let mut http = Http::default()
        .compression(engine.http_compression.then_some(engine.compression_threshold.0))
        .on_refused(move |refused| metrics.rejected(refused.context.name()));
    if let Some(cookie) = &engine.cookie.0 {
        http = http.cookie(cookie.clone());
    }
    match origins::of(cors) {
        Origins::Same => http,
        Origins::Any => http.cors(Cors::new(Origins::Any)),
        list if cors.credentials => http.cors(Cors::new(list).credentials().expect("a list may have credentials")),
        list => http.cors(Cors::new(list)),
    }
}

/// How many events a client may send, if that is bounded.
fn event_rate(limits: &config::Limits) -> Option<EventRate> {
    let config::Limits { events_per_second: per_second, events_burst, on_excess, .. } = *limits;
    let burst = if events_burst > 0 { events_burst } else { per_second.saturating_mul(2) };
    let on_excess = match on_excess {
        config::Excess::Drop => OnExcess::Drop,
        config::Excess::Disconnect => OnExcess::Close,
    };
    (per_second > 0).then_some(EventRate { per_second, burst, on_excess })
}

/// Headers of handshakes that somebody asks for later, or may when the configuration is read again: those of tokens
/// where there are keys for these.
pub(crate) fn kept_headers(config: &config::Config) -> BTreeSet<String> {
    let config::Jwt { sources, secret, public_key_file, .. } = &config.auth.jwt;
    let has_keys = !secret.is_empty() || !public_key_file.is_empty();
    let of_tokens = auth::headers(if has_keys { sources } else { &[] });
    of_tokens.map(Into::into).chain(wanted_headers(config)).collect()
}

/// Those of them that somebody asks for.
pub(crate) fn wanted_headers(config: &config::Config) -> BTreeSet<String> {
    let sources = if config.wants_tokens() { &config.auth.jwt.sources[..] } else { &[] };
    let backends = &config.backend.0;
    let forwarded = backends.iter().flat_map(|backend| backend.forward_headers.iter().map(|name| name.0.as_str()));
    let of_backends = forwarded.chain(backends.iter().flat_map(|_| HEADERS));
    auth::headers(sources).chain(of_backends).map(Into::into).collect()
}

fn recovery(recovery: &config::Recovery) -> Option<Recovery> {
    let mode = match recovery.mode {
        Mode::Off => return None,
        Mode::Full => RecoveryMode::Full,
        Mode::Buffer => RecoveryMode::Buffer,
    };
    Some(Recovery {
        mode,
        max_disconnection_duration: recovery.window,
        max_bytes: recovery.max_bytes.0,
        total_bytes: recovery.total_bytes.0,
        max_sessions: recovery.max_sessions,
        ..Recovery::default()
    })
}

/// The options of listeners, whose connections may take their last answers for this long.
pub(crate) fn serve(server: &config::Server, goodbye: Duration) -> Serve {
    Serve {
        header_timeout: server.header_timeout,
        max_header_bytes: server.max_header_bytes.0,
        goodbye,
        ..Serve::default()
    }
}
