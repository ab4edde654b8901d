//! What it is: an accept loop with hyper: a listener, a service per connection, a clean end.
//! What it is not: needed; any hyper server can call the `Service`.
//! Who calls it: applications and `socketio-server`, which serve nothing else on the port or route by themselves.

use std::{convert::Infallible, error, io, time::Duration};

use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::watch};

use crate::service::RemoteAddr;

/// Time a client has to send the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Size of the head of a request, and of what is read of a body at a time, in bytes.
const BUFFER_BYTES: usize = 16 * 1024;

/// Pause after `accept` failed, for instance for want of descriptors, which do not come back at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long connections may take to finish their last answers once the end was asked for.
const GOODBYE: Duration = Duration::from_secs(5);

/// Accepts connections and answers their requests with `answer` until `shutdown` is done; then stops accepting,
/// runs `close`, which should end what still waits, and lets connections finish.
///
/// Each request has the peer's address among its extensions, as [`RemoteAddr`].
pub async fn serve<A, F, B>(
    listener: TcpListener,
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
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(_) => {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Small frames should leave at once. A connection that is gone already shows that when it is read.
        let _gone = stream.set_nodelay(true);
        let answer = answer.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(RemoteAddr(remote));
            let answered = answer(request);
            async move { Ok::<_, Infallible>(answered.await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(BUFFER_BYTES)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut closing = connections.clone();
        tokio::spawn(async move {
            let mut connection = std::pin::pin!(connection);
            // Broken connections are the client's business; their sessions learn of it by themselves.
            tokio::select! {
                _broken = &mut connection => return,
                _ = closing.changed() => connection.as_mut().graceful_shutdown(),
            }
            let _broken = connection.await;
        });
    }
    drop(listener);
    close.await;
    // Whoever does not take the last answer in time is cut off.
    drop(connections);
    closing.send_replace(());
    let _late = tokio::time::timeout(GOODBYE, closing.closed()).await;
}

/// Errors that the next `accept` does not share.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}
