//! What it is: connections to applications, by TCP, with TLS or without, or by a Unix socket.
//! What it is not: what is sent on them.
//! Who calls it: the HTTP clients of `upstream` and `backend`.

use std::{
    error,
    io::{self, IoSlice},
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use hyper::{Uri, body::Body};
use hyper_util::{
    client::legacy::{
        Client, Error,
        connect::{Connected, Connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};
use tower_service::Service;

/// Time that a connection is kept without a request. Applications close theirs after 2 s (Gunicorn), 5 s (Node,
/// Uvicorn) and more; who closes first must not be them, just when a request is on its way.
const IDLE: Duration = Duration::from_secs(1);

/// Size of the buffers of a connection, and of the head of an answer, in bytes.
const MAX_BUFFER: usize = 64 << 10;

/// Where an application listens.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

/// Whom TLS connections trust, and which name the other side has to prove.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) connector: TlsConnector,
    pub(crate) name: ServerName<'static>,
}

/// Opens connections.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) target: Arc<Target>,
    /// Set where TCP connections speak TLS.
    pub(crate) tls: Option<Tls>,
    /// Time that it may take.
    pub(crate) patience: Duration,
}

impl Connector {
    /// An HTTP client that keeps these connections for a while.
    pub(crate) fn pool<B>(self) -> Client<Self, B>
    where
        B: Body + Send,
        B::Data: Send,
    {
        Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http1_max_buf_size(MAX_BUFFER)
            .build(self)
    }

    async fn connect(self) -> io::Result<TokioIo<Line>> {
        let connected = async {
            Ok::<Box<dyn Stream>, io::Error>(match &*self.target {
                Target::Tcp { host, port } => {
                    let stream = TcpStream::connect((host.as_str(), *port)).await?;
                    stream.set_nodelay(true)?;
                    match self.tls {
                        Some(Tls { connector, name }) => Box::new(connector.connect(name, stream).await?),
                        None => Box::new(stream),
                    }
                }
                Target::Unix(path) => Box::new(UnixStream::connect(path).await?),
            })
        };
        let stream = timeout(self.patience, connected).await??;
        Ok(TokioIo::new(Line { stream, used: Used::default() }))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Line>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Line>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// There is one target, whatever the URI says.
    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}

/// Whether a connection has carried an answer; among the extensions of each answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Used(Arc<AtomicBool>);

impl Used {
    pub(crate) fn mark(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the connection on which this went wrong had carried an answer before. The application may have closed
    /// it just when it was to be used again.
    pub(crate) fn before(error: &Error) -> bool {
        let mut extras = hyper::http::Extensions::new();
        if let Some(connected) = error.connect_info() {
            connected.get_extras(&mut extras);
        }
        extras.get::<Self>().is_some_and(|used| used.0.load(Ordering::Relaxed))
    }
}

/// A connection.
pub(crate) struct Line {
    stream: Box<dyn Stream>,
    used: Used,
}

/// Bytes both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Connection for Line {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.used.clone())
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What is behind an error, which in itself says little.
pub(crate) fn innermost<'a>(error: &'a (dyn error::Error + 'static)) -> &'a (dyn error::Error + 'static) {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner
}
