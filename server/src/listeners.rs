//! What it is: the sockets that connections come from: TCP, with TLS or without, Unix, or inherited.
//! What it is not: what is answered on them.
//! Who calls it: `serve` binds them, then runs each.

use std::{
    fmt, fs, io,
    net::SocketAddr,
    os::unix,
    path::{Path, PathBuf},
};

use engineio::{Listener, Serve};
use hyper::{Request, body::Incoming};
use listenfd::ListenFd;
use tokio::net::{TcpListener, TcpSocket, UnixListener, UnixStream};

use crate::{
    answer::Answer,
    config::Listen,
    tls::{Tls, TlsListener},
};

/// Connections that may wait until they are accepted; the system may allow fewer. Others try again a second later.
const BACKLOG: u32 = 4096;

/// A socket that listens.
pub(crate) enum Bound {
    Tcp(TcpListener),
    Tls(TlsListener, SocketAddr),
    Unix(PathListener),
}

/// A Unix socket with its file, which goes first: were it there for a moment without anybody who listens, the next
/// server could replace it, and lose its own.
pub(crate) struct PathListener {
    path: UnixPath,
    listener: UnixListener,
}

impl Listener for PathListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, Option<SocketAddr>)> {
        Listener::accept(&self.listener).await
    }
}

/// Where a Unix socket is; the file goes when this is dropped, unless somebody else made it.
struct UnixPath {
    path: PathBuf,
    is_ours: bool,
}

impl Drop for UnixPath {
    fn drop(&mut self) {
        if self.is_ours {
            // Whoever took it away already has done what is to be done.
            let _gone = fs::remove_file(&self.path);
        }
    }
}

/// Why nothing listens.
#[derive(Debug)]
pub(crate) enum BindError {
    /// It, and the flag that names another one.
    Address(Listen, &'static str, io::Error),
    Inherited(io::Error),
    /// Nobody handed over a socket.
    NoneInherited,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(listen @ Listen::Tcp(_), flag, error) => {
                write!(f, "cannot listen on {listen}: {error}; {flag} 127.0.0.1:0 takes any free port")
            }
            Self::Address(listen, _, error) => write!(f, "cannot listen on {listen}: {error}"),
            Self::Inherited(error) => write!(f, "cannot listen on a socket of socket activation: {error}"),
            Self::NoneInherited => {
                f.write_str("server.listen is \"systemd\", and no socket was handed over (LISTEN_FDS)")
            }
        }
    }
}

/// Listens on all of these, which the flag names, with TLS where it is for TCP.
pub(crate) fn bind(addresses: &[Listen], flag: &'static str, tls: Option<&Tls>) -> Result<Vec<Bound>, BindError> {
    let mut bound = Vec::new();
    let secure = |listener: TcpListener| -> io::Result<Bound> {
        Ok(match tls {
            Some(tls) => {
                let address = listener.local_addr()?;
                Bound::Tls(tls.over(listener), address)
            }
            None => Bound::Tcp(listener),
        })
    };
    for listen in addresses {
        let failed = |error| BindError::Address(listen.clone(), flag, error);
        match listen {
            Listen::Tcp(address) => {
                let listener = bind_tcp(*address).map_err(failed)?;
                bound.push(secure(listener).map_err(failed)?);
            }
            Listen::Unix(path) => {
                let listener = bind_unix(path).map_err(failed)?;
                let path = UnixPath { path: path.clone(), is_ours: true };
                bound.push(Bound::Unix(PathListener { path, listener }));
            }
            Listen::Inherited => bound.extend(inherited(&secure)?),
        }
    }
    Ok(bound)
}

/// As [`TcpListener::bind`], but with room for more who come at once.
fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // So that a server can follow another one at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A socket file that nobody listens on any more is replaced.
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let is_stale =
        || unix::net::UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale() => {
            fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }
}

fn inherited(secure: &dyn Fn(TcpListener) -> io::Result<Bound>) -> Result<Vec<Bound>, BindError> {
    let mut handed = ListenFd::from_env();
    let mut bound = Vec::new();
    for index in 0..handed.len() {
        let taken = match handed.take_tcp_listener(index) {
            Ok(Some(listener)) => {
                listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener)).and_then(secure)
            }
            // It is no TCP socket.
            _ => handed.take_unix_listener(index).and_then(|listener| {
                let listener = listener.ok_or(io::ErrorKind::NotFound)?;
                listener.set_nonblocking(true)?;
                let path = listener.local_addr()?.as_pathname().unwrap_or("".as_ref()).to_owned();
                let path = UnixPath { path, is_ours: false };
                Ok(Bound::Unix(PathListener { path, listener: UnixListener::from_std(listener)? }))
            }),
        };
        bound.push(taken.map_err(BindError::Inherited)?);
    }
    if bound.is_empty() { Err(BindError::NoneInherited) } else { Ok(bound) }
}

impl Bound {
    /// Serves what it accepts; see [`Serve::run`].
    pub(crate) async fn run<A, F>(
        self,
        serve: &Serve,
        answer: A,
        shutdown: impl Future<Output = ()>,
        close: impl Future<Output = ()>,
    ) where
        A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        match self {
            Self::Tcp(listener) => serve.run(listener, answer, shutdown, close).await,
            Self::Tls(listener, _) => serve.run(listener, answer, shutdown, close).await,
            Self::Unix(listener) => serve.run(listener, answer, shutdown, close).await,
        }
    }

    /// Whether clients connect by TLS.
    pub(crate) fn is_secure(&self) -> bool {
        matches!(self, Self::Tls(..))
    }

    /// As a URL, but for Unix sockets.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Tcp(listener) => {
                listener.local_addr().map_or_else(|_| "?".into(), |address| format!("http://{address}"))
            }
            Self::Tls(_, address) => format!("https://{address}"),
            Self::Unix(listener) => format!("unix:{}", listener.path.path.display()),
        }
    }
}
