//! What it is: the options of the binary: defaults, then a file, then the environment, then flags.
//! What it is not: the options of the crates below; it only hands those on.
//! Who calls it: `main`, once.

use std::{
    fmt, fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::Parser;
use serde::Deserialize;

/// Where the server listens when nothing else is said.
const LISTEN: &str = "127.0.0.1:8000";

/// What the command line and the environment say.
#[derive(Debug, Default, Parser)]
#[command(
    name = "socketio-server",
    version,
    about = "Holds Socket.IO connections. Without options: a playground on http://127.0.0.1:8000"
)]
pub(crate) struct Options {
    /// Configuration file (TOML); flags and environment go before what it says
    #[arg(short, long, value_name = "FILE", env = "SOCKETIO_CONFIG")]
    config: Option<PathBuf>,
    /// Address to listen on; port 0 takes any free one [default: 127.0.0.1:8000]
    #[arg(long, value_name = "ADDRESS", env = "SOCKETIO_SERVER_LISTEN")]
    listen: Option<SocketAddr>,
    /// Folder of the official client's bundle, such as node_modules/socket.io-client/dist; it is served at
    /// /socket.io/socket.io.js
    #[arg(long, value_name = "DIR", env = "SOCKETIO_SERVER_SERVE_CLIENT")]
    serve_client: Option<PathBuf>,
}

/// What a configuration file may say.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    server: Server,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Server {
    listen: Option<SocketAddr>,
    serve_client: Option<PathBuf>,
}

/// All options, settled.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) serve_client: Option<PathBuf>,
}

/// Why the server cannot start with these options.
#[derive(Debug)]
pub(crate) enum ConfigError {
    Read(PathBuf, io::Error),
    Parse(PathBuf, Box<toml::de::Error>),
    /// The playground answers everybody who reaches it.
    NotLoopback(SocketAddr),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::Parse(path, error) => write!(f, "{}: {error}", path.display()),
            Self::NotLoopback(address) => write!(
                f,
                "{address} can be reached from other machines, and the playground lets everybody in: \
                 it listens on loopback addresses only, such as {LISTEN}"
            ),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Settles the options.
    pub(crate) fn load(options: Options) -> Result<Self, ConfigError> {
        let file = options.config.as_deref().map(read).transpose()?.unwrap_or_default();
        let default = || LISTEN.parse().expect("the default is an address");
        let listen = options.listen.or(file.server.listen).unwrap_or_else(default);
        if !listen.ip().is_loopback() {
            return Err(ConfigError::NotLoopback(listen));
        }
        Ok(Self { listen, serve_client: options.serve_client.or(file.server.serve_client) })
    }
}

fn read(path: &Path) -> Result<File, ConfigError> {
    let text = fs::read_to_string(path).map_err(|error| ConfigError::Read(path.into(), error))?;
    toml::from_str(&text).map_err(|error| ConfigError::Parse(path.into(), Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(flags: &[&str]) -> Options {
        Options::try_parse_from([&["socketio-server"], flags].concat()).expect("valid flags")
    }

    #[test]
    fn without_options_it_listens_on_loopback() {
        let config = Config::load(flags(&[])).expect("defaults");
        assert_eq!(config, Config { listen: ([127, 0, 0, 1], 8000).into(), serve_client: None });
    }

    #[test]
    fn other_machines_are_not_let_into_the_playground() {
        for address in ["0.0.0.0:8000", "192.168.1.1:80", "[::]:8000"] {
            let refused = Config::load(flags(&["--listen", address]));
            assert!(matches!(refused, Err(ConfigError::NotLoopback(_))), "{address}");
        }
        assert!(Config::load(flags(&["--listen", "[::1]:0"])).is_ok());
    }

    #[test]
    fn files_are_read_strictly() {
        let file: File = toml::from_str("[server]\nlisten = '127.0.0.1:9'\nserve_client = 'dist'").expect("valid");
        assert_eq!(file.server.serve_client, Some("dist".into()));
        for text in ["[server]\nlistenn = 'x'", "[sever]", "[server]\nlisten = 80", "listen = 'x'", "["] {
            assert!(toml::from_str::<File>(text).is_err(), "{text}");
        }
    }
}
