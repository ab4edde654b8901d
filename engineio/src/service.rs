//! What it is: HTTP in front of the engine: which request goes where, and what a refused one is answered.
//! What it is not: a server with a port (`serve`), nor a router for other paths.
//! Who calls it: hyper, or a server that keeps Engine.IO beside other routes.

use std::{error, io, net::SocketAddr, pin::Pin};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Body,
    header::{self, HeaderValue},
    upgrade::{self, OnUpgrade},
};
use hyper_util::rt::TokioIo;

use crate::{
    config::Config,
    engine::Engine,
    jsonp,
    packet::Message,
    polling::{self, PostError},
    protocol::{Encoding, Revision, Transport},
    query::Query,
    reason::HandshakeError,
    socket::{Opening, Socket, Stream},
    websocket::{self, Refusal},
};

/// An answer to a request. Its body is whole at once.
pub type Answer = Response<Full<Bytes>>;

/// The address of the peer. Whoever accepts connections may put it among the extensions of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteAddr(pub SocketAddr);

/// Answers the HTTP requests of Engine.IO clients, upgrades included. Clones are the same service.
#[derive(Debug, Clone)]
pub struct Service {
    engine: Engine,
}

impl Service {
    /// A service in front of this engine.
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// Whether a request with this path belongs here. The whole path has to match.
    pub fn matches(&self, path: &str) -> bool {
        path == self.engine.config().path
    }

    /// Answers one request; a path that does not belong here with 404.
    ///
    /// A waiting GET is answered when there is something to say. Dropped before, it ends its session, because
    /// that is what hyper does when the client goes away.
    pub async fn answer<B>(&self, request: Request<B>) -> Answer
    where
        B: Body,
        B::Error: Into<Box<dyn error::Error + Send + Sync>>,
    {
        if !self.matches(request.uri().path()) {
            return empty(StatusCode::NOT_FOUND);
        }
        let upgrade = websocket::is_upgrade(request.headers());
        let mut answer = self.route(request, upgrade).await.unwrap_or_else(refuse);
        if upgrade && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            // What follows a refused upgrade may be frames: it is not to be read as a request.
            close_after(&mut answer);
        }
        answer
    }

    async fn route<B>(&self, request: Request<B>, upgrade: bool) -> Result<Answer, HandshakeError>
    where
        B: Body,
        B::Error: Into<Box<dyn error::Error + Send + Sync>>,
    {
        let text = request.uri().query().unwrap_or_default().to_owned();
        let query = Query::parse(&text)?;
        let config = self.engine.config();
        if !config.serves(query.transport) {
            return Err(HandshakeError::UnknownTransport);
        }
        match &query.sid {
            Some(sid) => {
                let socket = self.engine.find(sid).ok_or(HandshakeError::UnknownSid)?;
                // A WebSocket is asked for by both the headers and the query, or by neither.
                if query.revision != Some(socket.encoding().revision)
                    || upgrade != (query.transport == Transport::WebSocket)
                {
                    return Err(HandshakeError::BadRequest);
                }
                if upgrade { self.upgrade(request, &socket) } else { poll(request, &socket, &query, config).await }
            }
            None => {
                if request.method() != Method::GET {
                    return Err(HandshakeError::BadMethod);
                }
                if upgrade != (query.transport == Transport::WebSocket) {
                    return Err(HandshakeError::BadRequest);
                }
                let encoding = match query.revision {
                    Some(Revision::V4) => Encoding::V4,
                    Some(Revision::V3) if config.allow_eio3 => Encoding { base64: query.base64, ..Encoding::V3 },
                    _ => return Err(HandshakeError::UnsupportedRevision),
                };
                self.open(request, &query, encoding).await
            }
        }
    }

    /// A handshake.
    async fn open<B>(
        &self,
        mut request: Request<B>,
        query: &Query<'_>,
        encoding: Encoding,
    ) -> Result<Answer, HandshakeError> {
        let remote = request.extensions().get::<RemoteAddr>().map(|remote| remote.0);
        let text = request.uri().query().unwrap_or_default().to_owned();
        if query.transport == Transport::WebSocket {
            let answer = match switch(request.headers()) {
                Ok(answer) => answer,
                Err(refusal) => return refuse_upgrade(refusal),
            };
            self.engine.open(&text, encoding, remote, Some(opening(upgrade::on(&mut request))));
            return Ok(answer);
        }
        let socket = self.engine.open(&text, encoding, remote, None);
        polling::get(&socket).await.map(|body| polled(body, query))
    }

    /// A WebSocket for a session that polls.
    fn upgrade<B>(&self, mut request: Request<B>, socket: &Socket) -> Result<Answer, HandshakeError> {
        if request.method() != Method::GET {
            return Err(HandshakeError::BadMethod);
        }
        if !self.engine.config().upgrades_from(Transport::Polling) {
            return Err(HandshakeError::BadRequest);
        }
        let answer = match switch(request.headers()) {
            Ok(answer) => answer,
            Err(refusal) => return refuse_upgrade(refusal),
        };
        if let Err(opening) = socket.probe(opening(upgrade::on(&mut request))) {
            // As in the reference, a WebSocket that the session does not want is accepted and closed.
            let max_payload = self.engine.config().max_payload;
            tokio::spawn(async move {
                if let Ok(stream) = opening.await {
                    websocket::Io::new(stream, max_payload).finish(None).await;
                }
            });
        }
        Ok(answer)
    }
}

/// A GET or POST of a session that polls.
async fn poll<B>(
    request: Request<B>,
    socket: &Socket,
    query: &Query<'_>,
    config: &Config,
) -> Result<Answer, HandshakeError>
where
    B: Body,
    B::Error: Into<Box<dyn error::Error + Send + Sync>>,
{
    match *request.method() {
        Method::GET => polling::get(socket).await.map(|body| polled(body, query)),
        Method::POST => {
            let (parts, body) = request.into_parts();
            match polling::post(socket, &parts.headers, body, query.jsonp.is_some(), config.max_payload).await {
                Ok(()) => Ok(uncached("ok".into(), "text/html")),
                Err(PostError::Refused(error)) => Err(error),
                Err(PostError::TooLarge) => {
                    let mut answer = empty(StatusCode::PAYLOAD_TOO_LARGE);
                    // What is left of the body is not read.
                    close_after(&mut answer);
                    Ok(answer)
                }
            }
        }
        _ => {
            let mut answer = empty(StatusCode::METHOD_NOT_ALLOWED);
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
            Ok(answer)
        }
    }
}

impl<B> hyper::service::Service<Request<B>> for Service
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn error::Error + Send + Sync>>,
{
    type Response = Answer;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Self::Error>> + Send>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}

/// The stream of an upgraded request, once its 101 answer is out.
fn opening(on_upgrade: OnUpgrade) -> Opening {
    Box::pin(async move {
        let upgraded = on_upgrade.await.map_err(io::Error::other)?;
        Ok(Box::pin(TokioIo::new(upgraded)) as Stream)
    })
}

/// The 101 answer.
fn switch(headers: &HeaderMap) -> Result<Answer, Refusal> {
    let key = HeaderValue::try_from(websocket::accept_key(headers)?).expect("base64 is a header value");
    let mut answer = empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
    Ok(answer)
}

fn refuse_upgrade(refusal: Refusal) -> Result<Answer, HandshakeError> {
    match refusal {
        Refusal::Malformed => Err(HandshakeError::BadRequest),
        // RFC 6455, section 4.4: 426 with the version that is understood.
        Refusal::Version => {
            let mut answer = empty(StatusCode::UPGRADE_REQUIRED);
            answer.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            Ok(answer)
        }
    }
}

/// The official error body.
fn refuse(error: HandshakeError) -> Answer {
    let body = format!(r#"{{"code":{},"message":"{}"}}"#, error.code(), error.message());
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = StatusCode::from_u16(error.status()).expect("the table has valid statuses");
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// The answer to a GET.
fn polled(body: Message, query: &Query<'_>) -> Answer {
    match (body, &query.jsonp) {
        (Message::Binary(body), _) => uncached(body, "application/octet-stream"),
        (Message::Text(body), Some(index)) => {
            uncached(jsonp::wrap(&body, index).into(), "text/javascript; charset=UTF-8")
        }
        (Message::Text(body), None) => uncached(body.into_bytes(), "text/plain; charset=UTF-8"),
    }
}

fn uncached(body: Bytes, content_type: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(body));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn close_after(answer: &mut Answer) {
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}

fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}
