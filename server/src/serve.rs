//! What it is: the life of the process: bind, say so, serve, end on a signal.
//! What it is not: what is served (`front`).
//! Who calls it: `main`.

use std::{fmt, io, net::SocketAddr, process};

use engineio::Serve;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::{
    bundle::{Bundle, BundleError},
    config::Config,
    front::Front,
    playground,
};

/// The status of a process that was told to end twice.
const ENDED_AT_ONCE: i32 = 130;

/// Why the server did not start.
#[derive(Debug)]
pub(crate) enum ServeError {
    Bind(SocketAddr, io::Error),
    Bundle(BundleError),
    Signals(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(address, error) => {
                write!(f, "cannot listen on {address}: {error}; --listen 127.0.0.1:0 takes any free port")
            }
            Self::Bundle(error) => error.fmt(f),
            Self::Signals(error) => write!(f, "cannot watch for signals: {error}"),
        }
    }
}

impl std::error::Error for ServeError {}

/// Serves until the process is asked to end, then closes all connections.
pub(crate) async fn serve(config: Config) -> Result<(), ServeError> {
    let bundle = config.serve_client.as_deref().map(Bundle::load).transpose().map_err(ServeError::Bundle)?;
    let mut signals = Signals::watch().map_err(ServeError::Signals)?;
    let listener = TcpListener::bind(config.listen).await.map_err(|error| ServeError::Bind(config.listen, error))?;
    let address = listener.local_addr().map_err(|error| ServeError::Bind(config.listen, error))?;
    announce(address, bundle.is_some());
    let io = playground::server();
    let front = Front::new(io.clone(), bundle);
    let answer = move |request| {
        let front = front.clone();
        async move { front.answer(request).await }
    };
    let shutdown = async move {
        signals.next().await;
        println!("closing; once more ends at once");
        tokio::spawn(async move {
            signals.next().await;
            process::exit(ENDED_AT_ONCE);
        });
    };
    Serve::default().run(listener, answer, shutdown, io.close()).await;
    Ok(())
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn watch() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn announce(address: SocketAddr, bundle: bool) {
    let version = env!("CARGO_PKG_VERSION");
    let client = if bundle { "\n  The official client is served at /socket.io/socket.io.js." } else { "" };
    println!(
        r#"socketio-server {version}, playground: for this machine only, everybody on it is let in

  listening on http://{address}
{client}
  Open it in two browser tabs, join the same room in both, and chat.
  Every packet is shown as it passes. Then say something from a terminal:

    curl http://{address}/api/v1/emit -d '{{"room":"lobby","event":"said","args":[{{"room":"lobby","from":"curl","text":"hello"}}]}}'

  Any Socket.IO client, version 3 or 4, can connect to the same address.
  Ctrl-C ends it."#
    );
}
