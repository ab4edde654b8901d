//! What it is: what is printed when the server has started, and how; what an operator may not have meant.
//! What it is not: the log.
//! Who calls it: `serve`; `main` for `check-config`.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};

use crate::{
    config::{About, AllowedOrigin, Config, Settled, Upstream},
    listeners::Bound,
    redis::Address,
};

/// Secrets of fewer bytes are weaker than the algorithms for which they are.
const SHORT_SECRET: usize = 32;

/// Fewer open files than this are soon used up.
const FEW_FILES: u64 = 4096;

/// Prints by a thread of its own, as the log is written: a reader that has gone, or stalls, must keep the server
/// neither from its start nor from its end. What waits to be printed is printed when this is dropped.
pub(crate) struct Printer(NonBlocking, #[expect(dead_code, reason = "only its drop matters")] WorkerGuard);

impl Printer {
    pub(crate) fn new() -> Self {
        let (writer, guard) = tracing_appender::non_blocking(io::stdout());
        Self(writer, guard)
    }

    pub(crate) fn print(&mut self, text: &str) {
        // What finds no room is lost.
        let _lost = self.0.write_all(format!("{text}\n").as_bytes());
    }
}

/// Tells of addresses, limits, and what an operator may not have meant.
pub(crate) fn started(settled: &Settled, clients: &[Bound], operators: &[Bound], files: u64) -> String {
    let config = &settled.config;
    if settled.is_playground { playground(config, clients) } else { server(config, clients, operators, files) }
}

fn server(config: &Config, clients: &[Bound], operators: &[Bound], files: u64) -> String {
    let mut text = format!("socketio-server {}\n", env!("CARGO_PKG_VERSION"));
    let mut line = |name: &str, value: &str| {
        let _infallible = write!(text, "\n  {name} {value}");
    };
    for bound in clients {
        line("listening on", &bound.url());
    }
    let prefix = &config.admin.prefix.0;
    for bound in operators {
        line("admin on", &format!("{}{prefix}", bound.url()));
    }
    if config.proxy.upstream != Upstream::Nowhere {
        line("all else from", &config.proxy.upstream.to_string());
    }
    for backend in &config.backend.0 {
        line("hooks to", &backend.url.to_string());
    }
    let paths: Vec<_> = config.server.path.iter().map(|path| path.0.as_str()).collect();
    line("paths", &paths.join(", "));
    let namespaces = config.namespaces();
    let names: Vec<_> = namespaces.iter().map(|namespace| namespace.name.0.as_str()).collect();
    line("namespaces", &names.join(", "));
    let redis = Address::parse(&config.redis.url.0);
    if let Some(redis) = &redis {
        line("redis on", &redis.to_string());
    }
    if config.cluster.enabled {
        line("cluster on", &config.cluster.channel);
    }
    let of_files = [
        (files < FEW_FILES, "the limit on open files is low, and so is that on connections"),
        (config.limits.max_connections as u64 >= files, "limits.max_connections is more than open files allow"),
    ];
    for warning in warnings(config).chain(of_files.into_iter().filter_map(if_so)) {
        line("warning:", warning);
    }
    line("open files", &files.to_string());
    text
}

/// What an operator of a server may not have meant, by the configuration alone.
pub(crate) fn warnings(config: &Config) -> impl Iterator<Item = &'static str> + use<> {
    let asks_backends = config.backend.0.iter().any(|backend| backend.connect != About::Nobody);
    let warnings = [
        (
            config.api.keys.0.is_empty() && !config.admin.listen.is_empty(),
            "there is no API key: all programs on this machine may use the API",
        ),
        (!config.wants_tokens() && !asks_backends, "auth.mode is \"none\": whoever reaches the server may join"),
        (
            config.auth.jwt.secret.iter().any(|secret| secret.0.len() < SHORT_SECRET),
            "auth.jwt.secret has less than 32 bytes, and may be guessed",
        ),
        (
            config.has_daring_rule(),
            "a rule with check = \"open\" joins rooms that clients name, in a namespace that has tokens: whoever knows \
             a name hears what is for its room",
        ),
        (
            config.backend.0.iter().any(|backend| backend.secret.0.is_empty() && !backend.url.is_local()),
            "a backend elsewhere has no secret: it cannot tell the hooks of this server from those of others",
        ),
        (config.cors.origins.contains(&AllowedOrigin::Any), "pages of all origins are let in"),
        (
            Address::parse(&config.redis.url.0).is_some_and(|redis| redis.is_open()),
            "Redis is on another machine, without TLS or without a password: who can read or write on the way can emit",
        ),
    ];
    warnings.into_iter().filter_map(if_so)
}

fn if_so((is_so, warning): (bool, &'static str)) -> Option<&'static str> {
    is_so.then_some(warning)
}

fn playground(config: &Config, clients: &[Bound]) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let bundle = config.server.serve_client.is_some();
    let client = if bundle { "\n  The official client is served at /socket.io/socket.io.js." } else { "" };
    let url = clients[0].url();
    format!(
        r#"socketio-server {version}, playground: for this machine only, everybody on it is let in

  listening on {url}
{client}
  Open it in two browser tabs, join the same room in both, and chat.
  Every packet is shown as it passes. Then say something from a terminal:

    curl {url}/api/v1/emit -d '{{"room":"lobby","event":"said","args":[{{"room":"lobby","from":"curl","text":"hello"}}]}}'

  Any Socket.IO client, version 3 or 4, can connect to the same address.
  Ctrl-C ends it."#
    )
}
