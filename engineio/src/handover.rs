//! What it is: how a WebSocket gets the connection on which it was asked for, once its answer is out.
//! What it is not: WebSocket, nor the answer.
//! Who calls it: `service`, for requests from hyper and for those that another HTTP server read.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use hyper::{http::request::Parts, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::oneshot};

use crate::{
    connection::Connection,
    refusal::Context,
    socket::{Compression, Opening, Stream, Upgraded},
};

/// Among the extensions of a request that hyper did not read: where its connection will come from.
#[derive(Clone)]
struct Promised(Arc<Mutex<Option<oneshot::Receiver<Stream>>>>);

/// Promises the connection of this request: it is to be sent behind the 101 answer.
pub(crate) fn promise(request: &mut Parts) -> oneshot::Sender<Stream> {
    let (sender, receiver) = oneshot::channel();
    request.extensions.insert(Promised(Arc::new(Mutex::new(Some(receiver)))));
    sender
}

/// The connection of a request that asked for an upgrade, once its 101 answer is out.
///
/// # Errors
/// When there will be none, as with HTTP/2 or a server that serves without upgrades.
pub(crate) fn opening(request: &mut Parts, compression: Option<Compression>) -> Result<Opening, Context> {
    if let Some(Promised(promised)) = request.extensions.remove() {
        let promised = promised.lock().unwrap_or_else(PoisonError::into_inner).take();
        let promised = promised.ok_or(Context::TransportHandshake)?;
        return Ok(Box::pin(async move {
            let stream = promised.await.map_err(|_| io::ErrorKind::ConnectionAborted)?;
            Ok(Upgraded { stream, compression })
        }));
    }
    let on_upgrade = request.extensions.remove::<OnUpgrade>().ok_or(Context::TransportHandshake)?;
    Ok(Box::pin(async move {
        let upgraded = on_upgrade.await.map_err(io::Error::other)?;
        Ok(Upgraded { stream: unwrap(upgraded), compression })
    }))
}

/// The stream below hyper's two boxes, if it is one of `serve` over TCP: on the way through them each read and write is
/// two calls more.
fn unwrap(upgraded: hyper::upgrade::Upgraded) -> Stream {
    match upgraded.downcast::<TokioIo<Connection<TcpStream>>>() {
        Ok(parts) => Box::pin(parts.io.into_inner().unread(parts.read_buf)),
        Err(other) => Box::pin(TokioIo::new(other)),
    }
}
