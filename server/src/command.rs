//! What it is: the command line: subcommands, and flags that go before file and environment.
//! What it is not: the options themselves, which are `config`'s.
//! Who calls it: `main` parses it; `config` takes the flags.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::config;

/// What the command line says.
#[derive(Debug, Parser)]
#[command(
    name = "socketio-server",
    version,
    about = "Holds Socket.IO connections. Without configuration: a playground on http://127.0.0.1:8000"
)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) flags: Flags,
}

/// What is to be done; without a word, `serve`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve until the process is asked to end (the default)
    Serve,
    /// Say what is wrong with the configuration; the status is 1 if something is
    CheckConfig,
    /// Print all options with their defaults, as a configuration file
    DefaultConfig {
        /// As environment variables instead
        #[arg(long)]
        env: bool,
    },
    /// Ask the server with this configuration whether it takes clients; the status is 0 if it does
    Healthcheck,
    /// Print the version
    Version,
    /// Emit an event to the clients of the server with this configuration
    Emit(Emit),
    /// Print a token for a client, signed with the secret of this configuration
    Token(Token),
    /// Connect to a Socket.IO server as clients do, through whatever stands between, and say what is to be changed;
    /// the status is 1 if something does not work
    Doctor(Doctor),
}

/// What is to be in a token.
#[derive(Debug, Args)]
pub(crate) struct Token {
    /// The user
    #[arg(long, value_name = "USER")]
    pub(crate) sub: Option<String>,
    /// How long it is good for, such as 30m [default: 1h]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) ttl: Option<Duration>,
    /// A namespace that may be joined, or a glob; may be repeated [default: all]
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) namespace: Vec<String>,
    /// A room that is joined at once; may be repeated
    #[arg(long)]
    pub(crate) room: Vec<String>,
    /// Rooms that may be joined, by a rule that asks for it; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub(crate) allow_join: Vec<String>,
    /// Events that may be emitted, by a rule that asks for it; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub(crate) allow_emit: Vec<String>,
    /// A role, for rules that ask for it; may be repeated
    #[arg(long)]
    pub(crate) role: Vec<String>,
    /// What others in a room may know of the user, as JSON
    #[arg(long, value_name = "JSON", default_value = "null", value_parser = json)]
    pub(crate) info: serde_json::Value,
    /// What the application is told with each event, as JSON
    #[arg(long, value_name = "JSON", default_value = "null", value_parser = json)]
    pub(crate) session: serde_json::Value,
}

/// Which server to look at, and as whom.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// As clients have it, such as <https://chat.example.com>; what follows the host is a namespace
    pub(crate) url: String,
    /// Path of Socket.IO requests
    #[arg(long, default_value = "/socket.io/")]
    pub(crate) path: String,
    /// Namespace to join
    #[arg(long)]
    pub(crate) namespace: Option<String>,
    /// Origin of other pages that are to connect, such as <https://www.example.com>
    #[arg(long, value_name = "URL")]
    pub(crate) origin: Option<String>,
    /// Time for an answer
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(crate) timeout: Duration,
    /// Take any certificate
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Do not wait for a ping
    #[arg(long)]
    pub(crate) quick: bool,
}

/// What to emit, to whom, and by which server.
#[derive(Debug, Args)]
pub(crate) struct Emit {
    /// Name of the event
    pub(crate) event: String,
    /// Its arguments, each as JSON
    #[arg(value_name = "JSON", allow_negative_numbers = true)]
    pub(crate) args: Vec<String>,
    /// To the members of this room; may be repeated [default: to everybody]
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub(crate) room: Vec<String>,
    /// To the sockets of this user; may be repeated
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub(crate) user: Vec<String>,
    /// To the socket with this id; may be repeated
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub(crate) sid: Vec<String>,
    /// But not to them: room=NAME, user=NAME or sid=ID; may be repeated
    #[arg(long, value_name = "WHO=NAME", value_parser = exception)]
    pub(crate) except: Vec<Exception>,
    /// In this namespace
    #[arg(long, default_value = "/")]
    pub(crate) namespace: String,
    /// The admin listener, such as http://127.0.0.1:8001 [default: that of the configuration; without one that of the
    /// playground, http://127.0.0.1:8000]
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// File with the API key [default: the first key of the configuration]
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

/// Who is not to get it.
#[derive(Debug, Clone)]
pub(crate) enum Exception {
    Room(String),
    User(String),
    Sid(String),
}

/// Flags of all subcommands that read the configuration.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct Flags {
    /// Configuration file (TOML); environment and flags go before what it says
    #[arg(short, long, global = true, value_name = "FILE", env = "SOCKETIO_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// server.listen: address for clients; port 0 takes any free one
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// server.serve_client: folder of the official client's bundle, such as node_modules/socket.io-client/dist; it is
    /// served at /socket.io/socket.io.js
    #[arg(long, global = true, value_name = "DIR")]
    serve_client: Option<String>,
    /// proxy.upstream: the application that has all other requests, such as http://127.0.0.1:5000
    #[arg(long, global = true, value_name = "URL")]
    upstream: Option<String>,
    /// backend: the application that is told what clients do, such as http://127.0.0.1:5000/_socketio
    #[arg(long, global = true, value_name = "URL")]
    backend: Option<String>,
    /// admin.listen: address for health, metrics and API
    #[arg(long, global = true, value_name = "ADDRESS")]
    admin_listen: Option<String>,
    /// redis.url: where applications publish, such as redis://host:6379/0; others see flags, so name a file with a
    /// password by SOCKETIO_REDIS_URL_FILE instead
    #[arg(long, global = true, value_name = "URL")]
    redis: Option<String>,
    /// log.level: error, warn, info, debug or trace
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Any other option, such as engine.ping_interval=10s; may be repeated
    #[arg(long, global = true, value_name = "SECTION.KEY=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
}

impl Flags {
    /// Paths of keys, what is said of them, and by which flag.
    pub(crate) fn options(&self) -> impl Iterator<Item = (&str, &str, &'static str)> {
        let set = self.set.iter().map(|(path, text)| (path.as_str(), text.as_str(), "--set"));
        let named = [
            ("server.listen", &self.listen, "--listen"),
            ("server.serve_client", &self.serve_client, "--serve-client"),
            ("proxy.upstream", &self.upstream, "--upstream"),
            ("backend", &self.backend, "--backend"),
            ("admin.listen", &self.admin_listen, "--admin-listen"),
            ("redis.url", &self.redis, "--redis"),
            ("log.level", &self.log_level, "--log-level"),
        ];
        set.chain(named.into_iter().filter_map(|(path, text, flag)| Some((path, text.as_deref()?, flag))))
    }
}

fn time(text: &str) -> Result<Duration, &'static str> {
    config::time(text).ok_or("it is no time such as 30m")
}

fn exception(text: &str) -> Result<Exception, &'static str> {
    match text.split_once('=') {
        Some(("room", name)) => Ok(Exception::Room(name.to_owned())),
        Some(("user", name)) => Ok(Exception::User(name.to_owned())),
        Some(("sid", id)) => Ok(Exception::Sid(id.to_owned())),
        _ => Err("it is none of room=NAME, user=NAME and sid=ID"),
    }
}

fn json(text: &str) -> Result<serde_json::Value, serde_json::Error> {
    serde_json::from_str(text)
}

fn assignment(text: &str) -> Result<(String, String), &'static str> {
    let (path, value) = text.split_once('=').ok_or("it has no `=`")?;
    Ok((path.to_owned(), value.to_owned()))
}
