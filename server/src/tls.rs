//! What it is: TLS for connections of clients, with a certificate that may change while the server runs.
//! What it is not: a way to get certificates.
//! Who calls it: `listeners` wraps what it accepts; `serve` has certificates read again.

use std::{
    fmt, fs, io,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, RwLock},
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use engineio::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    Accept, TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::ring,
        pki_types::{
            CertificateDer, PrivateKeyDer,
            pem::{self, PemObject},
        },
    },
    server::TlsStream,
};
use tracing::{error, info};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Why there is no TLS.
#[derive(Debug)]
pub(crate) enum TlsError {
    Read(PathBuf, pem::Error),
    Empty(PathBuf),
    /// What rustls says of certificate and key.
    Refused(rustls::Error),
    Watch(PathBuf, io::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "cannot read {} as PEM: {error}", path.display()),
            Self::Empty(path) => write!(f, "{} holds no certificate", path.display()),
            Self::Refused(error) => write!(f, "server.tls_cert and server.tls_key: {error}"),
            Self::Watch(path, error) => write!(f, "cannot look at {}: {error}", path.display()),
        }
    }
}

/// Certificate and key, as they were read last. Clones are the same. The lock is taken for each connection, and when
/// the files are read again.
#[derive(Clone)]
pub(crate) struct Tls {
    files: [PathBuf; 2],
    acceptor: Arc<RwLock<TlsAcceptor>>,
}

impl Tls {
    pub(crate) fn load(cert: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        let acceptor = Arc::new(RwLock::new(acceptor(&cert, &key)?));
        Ok(Self { files: [cert, key], acceptor })
    }

    /// Reads the files again; what cannot be used changes nothing.
    pub(crate) fn reload(&self) {
        match acceptor(&self.files[0], &self.files[1]) {
            Ok(acceptor) => {
                *self.acceptor.write().expect("not poisoned: nobody panics while it is held") = acceptor;
                info!("certificate read again");
            }
            Err(error) => error!("the certificate stays as it was: {error}"),
        }
    }

    /// Reads the files again whenever one of them changes.
    pub(crate) async fn watch(self) {
        let mut seen = self.modified().ok();
        loop {
            tokio::time::sleep(LOOK).await;
            // A file that is being replaced may be away for a moment.
            let Ok(modified) = self.modified() else { continue };
            if seen.replace(modified) != Some(modified) {
                self.reload();
            }
        }
    }

    fn modified(&self) -> Result<[SystemTime; 2], TlsError> {
        let modified = |path: &PathBuf| {
            let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
            modified.map_err(|error| TlsError::Watch(path.clone(), error))
        };
        Ok([modified(&self.files[0])?, modified(&self.files[1])?])
    }

    /// The connections that this listener accepts, with TLS.
    pub(crate) fn over(&self, listener: TcpListener) -> TlsListener {
        TlsListener { listener, tls: self.clone() }
    }
}

fn acceptor(cert: &PathBuf, key: &PathBuf) -> Result<TlsAcceptor, TlsError> {
    let unreadable = |path: &PathBuf| {
        let path = path.clone();
        move |error| TlsError::Read(path, error)
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect).map_err(unreadable(cert))?;
    if chain.is_empty() {
        return Err(TlsError::Empty(cert.clone()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(unreadable(key))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    let mut config = config.map_err(TlsError::Refused)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config).into())
}

/// A TCP listener whose connections speak TLS.
pub(crate) struct TlsListener {
    listener: TcpListener,
    tls: Tls,
}

impl Listener for TlsListener {
    type Stream = TlsConnection;

    async fn accept(&self) -> io::Result<(TlsConnection, Option<SocketAddr>)> {
        let (stream, remote) = Listener::accept(&self.listener).await?;
        let acceptor = self.tls.acceptor.read().expect("not poisoned: nobody panics while it is held").clone();
        Ok((TlsConnection::Opening(Box::new(acceptor.accept(stream))), remote))
    }
}

/// A connection whose handshake is a part of its first read, so that it holds up nobody else, and has the time that the
/// head of a request has.
///
/// ```text
/// Opening -- handshake --> Open
///         -- error --> Failed
/// ```
pub(crate) enum TlsConnection {
    Opening(Box<Accept<TcpStream>>),
    Open(Box<TlsStream<TcpStream>>),
    /// The handshake has told why; hyper asks again, to say goodbye.
    Failed,
}

impl TlsConnection {
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&mut TlsStream<TcpStream>>> {
        if let Self::Opening(accept) = self {
            match ready!(Pin::new(&mut **accept).poll(cx)) {
                Ok(stream) => *self = Self::Open(Box::new(stream)),
                Err(error) => {
                    *self = Self::Failed;
                    return Poll::Ready(Err(error));
                }
            }
        }
        match self {
            Self::Open(stream) => Poll::Ready(Ok(stream)),
            Self::Opening(_) | Self::Failed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncRead for TlsConnection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(ready!(self.get_mut().poll_open(cx))?).poll_read(cx, buffer)
    }
}

impl AsyncWrite for TlsConnection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(ready!(self.get_mut().poll_open(cx))?).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(ready!(self.get_mut().poll_open(cx))?).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(ready!(self.get_mut().poll_open(cx))?).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            // There is nothing to say goodbye to.
            Self::Opening(_) | Self::Failed => Poll::Ready(Ok(())),
            Self::Open(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
        }
    }
}
