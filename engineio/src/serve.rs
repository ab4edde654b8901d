//! What it is: an accept loop with hyper: a listener, an answer to each request, a clean end.
//! What it is not: needed; any hyper server can call the `Service`.
//! Who calls it: applications and `socketio-server`, which serve nothing else on the port or route by themselves.

use std::{convert::Infallible, error, io, net::SocketAddr, panic, sync::Arc, time::Duration};

use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};

use crate::{connection::Connection, service::RemoteAddr};

/// Pause after `accept` failed, for instance for want of descriptors, which do not come back at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// More than any connection lasts; hyper adds what it is given to the present, which must not overflow.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The least that hyper takes for its buffer, in bytes.
const MIN_BUFFER: usize = 8192;

/// How connections are served. All options are *ours*; the reference leaves them to Node, which has
/// `headersTimeout`, `maxHeaderSize`, `maxHeadersCount` and `maxConnections` for the first four.
///
/// A connection whose client takes nothing of what is written to it for a minute ends, be it HTTP or a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serve {
    /// Time that a client has to send the head of a request, from its connection or its last answer on. Default 10 s.
    pub header_timeout: Duration,
    /// Size that the head of a request may have, in bytes; a larger one is answered 431. Less than 8192 counts as
    /// that. Default 16 KiB.
    pub max_header_bytes: usize,
    /// Headers that a request may have; one with more is answered 431. Default 100.
    pub max_headers: usize,
    /// Connections at a time, WebSockets among them. Those beyond wait, not accepted and at no cost, in the system's
    /// queue until one ends; the system drops what is too much for that. Default: no bound.
    pub max_connections: Option<usize>,
    /// Time that connections have, once the end was asked for, to take their last answers. Default 5 s.
    pub goodbye: Duration,
}

impl Default for Serve {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            max_header_bytes: 16 * 1024,
            max_headers: 100,
            max_connections: None,
            goodbye: Duration::from_secs(5),
        }
    }
}

/// What connections come from: a TCP or a Unix socket.
pub trait Listener: Send + Sync + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for the next connection; returns it with its peer's address, if it has one.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Option<SocketAddr>)>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Option<SocketAddr>)> {
        let (stream, remote) = self.accept().await?;
        // Small frames should leave at once. A connection that is gone already shows that when it is read.
        let _gone = stream.set_nodelay(true);
        Ok((stream, Some(remote)))
    }
}

#[cfg(unix)]
impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, Option<SocketAddr>)> {
        let (stream, _) = self.accept().await?;
        Ok((stream, None))
    }
}

impl Serve {
    /// Accepts connections and answers their requests with `answer` until `shutdown` is done; then stops accepting,
    /// runs `close`, which should end what still waits, and lets connections finish.
    ///
    /// Each request has the peer's address among its extensions, as [`RemoteAddr`].
    pub async fn run<A, F, B>(
        &self,
        listener: impl Listener,
        answer: A,
        shutdown: impl Future<Output = ()>,
        close: impl Future<Output = ()>,
    ) where
        A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: hyper::body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn error::Error + Send + Sync>>,
    {
        // Told of the end; and as each connection holds a receiver, it also tells when the last one is gone.
        let (closing, connections) = watch::channel(());
        // In a task of its own: whoever calls this from `main` is no worker, and would wake one for each connection.
        let mut accepting = JoinSet::new();
        accepting.spawn(self.clone().accept(listener, answer, connections));
        tokio::select! {
            () = shutdown => accepting.shutdown().await,
            // It does not end by itself.
            Some(Err(ended)) = accepting.join_next() => {
                if let Ok(panic) = ended.try_into_panic() {
                    panic::resume_unwind(panic);
                }
            }
        }
        close.await;
        // Whoever does not take the last answer in time is cut off.
        closing.send_replace(());
        let _late = tokio::time::timeout(self.goodbye, closing.closed()).await;
    }

    async fn accept<A, F, B>(self, listener: impl Listener, answer: A, closing: watch::Receiver<()>)
    where
        A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: hyper::body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn error::Error + Send + Sync>>,
    {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout.min(FOREVER))
            .max_buf_size(self.max_header_bytes.max(MIN_BUFFER))
            .max_headers(self.max_headers);
        let permits = self.max_connections.map(|max| Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS))));
        loop {
            let permit = match &permits {
                Some(permits) => Some(permits.clone().acquire_owned().await.expect("is never closed")),
                None => None,
            };
            let (stream, remote) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) if is_of_one_connection(&error) => continue,
                Err(_) => {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let answer = answer.clone();
            let service = service_fn(move |mut request: Request<Incoming>| {
                if let Some(remote) = remote {
                    request.extensions_mut().insert(RemoteAddr(remote));
                }
                // In a box: hyper has room for it as long as the connection lasts.
                let answered = Box::pin(answer(request));
                async move { Ok::<_, Infallible>(answered.await) }
            });
            let stream = TokioIo::new(Connection::new(stream, permit));
            // In a box, as a task keeps two copies of what it is given and then pins.
            let mut connection = Box::pin(http.serve_connection(stream, service).with_upgrades());
            let mut closing = closing.clone();
            tokio::spawn(async move {
                // Broken connections are the client's business; their sessions learn of it by themselves.
                tokio::select! {
                    biased;
                    _broken = &mut connection => return,
                    _ = closing.changed() => connection.as_mut().graceful_shutdown(),
                }
                let _broken = connection.await;
            });
        }
    }
}

/// Errors that the next `accept` does not share.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::Bytes;
    use http_body_util::Full;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
        time::Instant,
    };

    use super::*;

    /// What there is to accept, last first.
    struct Given(Mutex<Vec<DuplexStream>>);

    impl Listener for Given {
        type Stream = DuplexStream;

        async fn accept(&self) -> io::Result<(DuplexStream, Option<SocketAddr>)> {
            let next = self.0.lock().expect("no panic").pop();
            match next {
                Some(stream) => Ok((stream, None)),
                None => std::future::pending().await,
            }
        }
    }

    /// It makes room for the next one, which reads.
    #[tokio::test(start_paused = true)]
    async fn m3_a_connection_whose_answer_nobody_reads_ends_after_a_minute() {
        let [(mut first, served_first), (mut second, served_second)] = [(); 2].map(|()| tokio::io::duplex(1000));
        for client in [&mut first, &mut second] {
            client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("there is room");
        }
        let listener = Given(Mutex::new(vec![served_second, served_first]));
        let serve = Serve { max_connections: Some(1), ..Serve::default() };
        let answer = |_| async { Response::new(Full::new(Bytes::from(vec![b'a'; 100_000]))) };
        let never = std::future::pending();
        let (mut read, before) = (Vec::new(), Instant::now());
        tokio::select! {
            () = serve.run(listener, answer, never, async {}) => panic!("nobody ended it"),
            read = tokio::time::timeout(Duration::from_secs(600), second.read_to_end(&mut read)) => {
                read.expect("the first is over").expect("an answer");
            }
        }
        assert!(read.ends_with(b"aaa") && read.len() > 100_000);
        assert_eq!(before.elapsed().as_secs(), 60);
    }
}
