//! What it is: HTTP in front of the engine: which request goes where, and who is let in.
//! What it is not: a server with a port (`serve`), nor a router for other paths.
//! Who calls it: hyper, or a server that keeps Engine.IO beside other routes.

use std::{io, net::SocketAddr, pin::Pin, sync::Arc};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{HeaderMap, Method, Request, StatusCode, Version, body::Body, header, http::request::Parts};
#[cfg(feature = "tower")]
use std::task;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::Instant,
};

use crate::{
    answer::{self, Answer, Wanted},
    engine::{Arrival, Engine},
    handover,
    handshake::Handshake,
    head,
    http::Http,
    origin::Origins,
    polling::{self, Get, PostError},
    protocol::{Encoding, Revision, Transport},
    query::Query,
    reason::HandshakeError,
    refusal::{Context, Refusal},
    socket::{Compression, Socket, Stream},
    websocket,
};

/// The address of the peer. Whoever accepts connections may put it among the extensions of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteAddr(pub SocketAddr);

/// Answers the HTTP requests of Engine.IO clients, upgrades included. Clones are the same service.
#[derive(Debug, Clone)]
pub struct Service {
    engine: Engine,
    http: Arc<Http>,
}

/// Where a request led.
enum Routed {
    Answered(Answer),
    /// To a session that has nothing to say yet.
    Waiting(Get, Wanted),
}

impl From<Answer> for Routed {
    fn from(answer: Answer) -> Self {
        Self::Answered(answer)
    }
}

impl Service {
    /// A service in front of this engine, with default options.
    pub fn new(engine: Engine) -> Self {
        Self::with_http(engine, Http::default())
    }

    /// A service in front of this engine.
    pub fn with_http(engine: Engine, http: Http) -> Self {
        Self { engine, http: Arc::new(http) }
    }

    /// Whether a request with this path belongs here: the whole path is `path`, or, when that is so configured,
    /// the same without its trailing slash.
    pub fn matches(&self, path: &str) -> bool {
        let config = self.engine.config();
        path == config.path || (!config.add_trailing_slash && config.path.strip_suffix('/') == Some(path))
    }

    /// Whether a request with this query is of a session that is there: what a server that lets nobody in any more goes
    /// on to answer.
    pub fn has_session(&self, query: &str) -> bool {
        Query::parse(query).is_ok_and(|query| query.sid.is_some_and(|sid| self.engine.find(&sid).is_some()))
    }

    /// Answers one request; a path that does not belong here with 404.
    ///
    /// A waiting GET is answered when there is something to say. Dropped before, it ends its session, because
    /// that is what hyper does when the client goes away.
    pub fn answer<B>(&self, request: Request<B>) -> impl Future<Output = Answer> + Send + use<B>
    where
        B: Body + Send + Unpin + 'static,
    {
        let service = self.clone();
        let (mut parts, body) = request.into_parts();
        let mut body = Some(body);
        async move {
            if !service.matches(parts.uri.path()) || head::is_for_another_host(&parts) {
                return answer::empty(StatusCode::NOT_FOUND);
            }
            let upgrade = websocket::is_upgrade(&parts.headers);
            let mut answer = match service.route(&mut parts, &mut body, upgrade).await {
                Ok(Routed::Answered(answer)) => answer,
                Err(refusal) => service.refuse(&parts, &refusal),
                Ok(Routed::Waiting(get, wanted)) => {
                    let (mut added, version) = (HeaderMap::new(), parts.version);
                    service.http.add_headers(&parts, &mut added);
                    // Its headers are slices of the buffer that hyper read them into, which is not to wait, too.
                    drop(parts);
                    let mut answer = wanted.polled(get.answered().await, service.http.compression, added);
                    restrict(&mut answer, version);
                    return answer;
                }
            };
            service.http.add_headers(&parts, answer.headers_mut());
            if upgrade && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                // What follows a refused upgrade may be frames: it is not to be read as a request.
                answer::close_after(&mut answer);
            } else if let Some(body) = body.filter(|body| !body.is_end_stream()) {
                answer::close_after(&mut answer);
                tokio::spawn(polling::discard(body));
            }
            restrict(&mut answer, parts.version);
            answer
        }
    }

    /// Answers a request for a WebSocket that an HTTP server other than hyper has read from `stream`, and on it: with
    /// 101, or with why not. It is let in, or refused, as any other handshake is, by the same checks and hooks.
    ///
    /// The next bytes of `stream` are those that follow the head of the request. Requests that are not for a WebSocket
    /// are refused with code 3: polling goes through [`answer`](Self::answer), with what that server has for a body.
    ///
    /// Returns once the answer is out; the session goes on with its driver.
    ///
    /// # Errors
    /// Those of writing the answer. A session that was to begin has ended then.
    pub async fn accept<S>(&self, mut request: Parts, stream: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let mut stream: Stream = Box::pin(stream);
        let hand_over = handover::promise(&mut request);
        let answer = if websocket::is_upgrade(&request.headers) {
            self.answer(Request::from_parts(request, Empty::<Bytes>::new())).await
        } else {
            let mut answer = self.refuse(&request, &Context::TransportHandshake.into());
            self.http.add_headers(&request, answer.headers_mut());
            answer
        };
        let accepted = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
        stream.write_all(&answer::encode(answer).await).await?;
        if !accepted {
            return stream.shutdown().await;
        }
        stream.flush().await?;
        // A session that has ended meanwhile does not need it.
        let _ended = hand_over.send(stream);
        Ok(())
    }

    fn refuse(&self, request: &Parts, refusal: &Refusal) -> Answer {
        self.http.refused(request, refusal);
        answer::refuse(refusal)
    }

    /// Takes the body if it is to be read.
    async fn route<B>(&self, request: &mut Parts, body: &mut Option<B>, upgrade: bool) -> Result<Routed, Refusal>
    where
        B: Body + Send + Unpin + 'static,
    {
        if head::expects_the_unknown(&request.headers) {
            return Ok(answer::empty(StatusCode::EXPECTATION_FAILED).into());
        }
        head::check(request)?;
        if let Some(status) = self.http.cors.as_ref().and_then(|cors| cors.preflight(&request.method)) {
            return Ok(answer::empty(status).into());
        }
        let uri = request.uri.clone();
        let text = uri.query().unwrap_or_default();
        let config = self.engine.config();
        let query = Query::parse(text).ok().filter(|query| config.serves(query.transport));
        let query = query.ok_or_else(|| Context::UnknownTransport { transport: Query::value(text, "transport") })?;
        match &query.sid {
            Some(sid) => {
                let socket = self.engine.find(sid).ok_or_else(|| Context::UnknownSid { sid: sid.to_string() })?;
                let previous = socket.encoding().revision;
                if query.revision != Some(previous) {
                    return Err(Context::ProtocolMismatch { revision: Query::value(text, "EIO"), previous }.into());
                }
                // A WebSocket is asked for by both the headers and the query, or by neither.
                if upgrade != (query.transport == Transport::WebSocket) {
                    return Err(mismatch(query.transport, &socket).into());
                }
                if upgrade {
                    return self.upgrade(request, &socket).map(Routed::from);
                }
                self.poll(request, body, &socket, query.jsonp).await
            }
            None => {
                if request.method != Method::GET {
                    return Err(Context::BadMethod { method: request.method.to_string() }.into());
                }
                if upgrade != (query.transport == Transport::WebSocket) {
                    return Err(Context::TransportHandshake.into());
                }
                let encoding = match query.revision {
                    Some(Revision::V4) => Encoding::V4,
                    Some(Revision::V3) if config.allow_eio3 => {
                        // No script can hold bytes.
                        let base64 = query.base64 || query.jsonp.is_some();
                        Encoding { base64, ..Encoding::V3 }
                    }
                    _ => {
                        let revision = Query::value(text, "EIO");
                        return Err(Context::UnsupportedRevision { revision }.into());
                    }
                };
                self.open(request, query, text, encoding).await.map(Routed::from)
            }
        }
    }

    /// A handshake.
    async fn open(
        &self,
        request: &mut Parts,
        query: Query<'_>,
        text: &str,
        encoding: Encoding,
    ) -> Result<Answer, Refusal> {
        self.check_origin(request, query.transport)?;
        let remote = request.extensions.get::<RemoteAddr>().map(|remote| remote.0);
        // Before the application is asked, as that may take its time.
        let admitted = self.engine.admit(self.http.ip(request, remote)).map_err(Context::TooMany)?;
        self.http.allows(request).await?;
        let handshake = Handshake::new(text, query.transport, remote, self.http.kept(&request.headers));
        let sid = self.http.sid(request).await.ok_or(Context::IdGeneration)?;
        // An id given twice would put one client's session into the hands of another.
        let open = |opening| {
            let arrival = Arrival { sid, encoding, handshake, admitted, opening };
            self.engine.open(arrival).ok_or(Context::IdGeneration)
        };
        let mut answer = match query.transport {
            Transport::WebSocket => {
                let compression = self.agree(request);
                let answer = answer::switch(&request.headers, compression.as_ref().map(|agreed| &agreed.agreed))?;
                if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                    return Ok(answer);
                }
                open(Some(handover::opening(request, compression)?))?;
                answer
            }
            Transport::Polling => {
                let socket = open(None)?;
                let body = polling::get(&socket).map_err(|error| unfit(error, &socket))?.answered().await;
                let wanted = Wanted::by(&request.headers, query.jsonp);
                let mut answer = wanted.polled(body, self.http.compression, HeaderMap::new());
                if let Some(cookie) = &self.http.cookie {
                    answer.headers_mut().append(header::SET_COOKIE, cookie.header(sid));
                }
                answer
            }
        };
        self.http.add_initial_headers(request, answer.headers_mut());
        Ok(answer)
    }

    /// A WebSocket for a session that polls.
    fn upgrade(&self, request: &mut Parts, socket: &Socket) -> Result<Answer, Refusal> {
        if request.method != Method::GET {
            return Err(Context::BadMethod { method: request.method.to_string() }.into());
        }
        // Only a session that polled may move, and once: one that has moved is answered below, as in the reference.
        if !self.engine.config().upgrades_from(socket.handshake().transport) {
            return Err(Context::TransportHandshake.into());
        }
        self.check_origin(request, Transport::WebSocket)?;
        let compression = self.agree(request);
        let answer = answer::switch(&request.headers, compression.as_ref().map(|agreed| &agreed.agreed))?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(answer);
        }
        if let Err(opening) = socket.probe(handover::opening(request, compression)?) {
            // As in the reference, a WebSocket that the session does not want is accepted and closed.
            let engine = self.engine.clone();
            tokio::spawn(async move {
                if let Ok(upgraded) = opening.await {
                    let mut io = websocket::Io::new(upgraded, engine.config(), Instant::now());
                    io.close(None);
                    io.finish(()).await;
                }
            });
        }
        Ok(answer)
    }

    fn agree(&self, request: &Parts) -> Option<Compression> {
        websocket::agree(&request.headers, self.engine.config(), self.engine.contexts())
    }

    /// A GET or POST of a session that polls.
    async fn poll<B>(
        &self,
        request: &Parts,
        body: &mut Option<B>,
        socket: &Socket,
        jsonp: Option<String>,
    ) -> Result<Routed, Refusal>
    where
        B: Body + Send + Unpin + 'static,
    {
        match request.method {
            Method::GET => {
                let get = polling::get(socket).map_err(|error| unfit(error, socket))?;
                Ok(Routed::Waiting(get, Wanted::by(&request.headers, jsonp)))
            }
            Method::POST => {
                self.check_origin(request, Transport::Polling)?;
                let answer =
                    match polling::post(socket, &request.headers, body, jsonp.is_some(), self.engine.config()).await {
                        Ok(()) => Wanted::by(&request.headers, jsonp).posted(),
                        Err(PostError::Refused(error)) => return Err(unfit(error, socket).into()),
                        Err(PostError::TooLarge) => answer::unread(StatusCode::PAYLOAD_TOO_LARGE),
                        Err(PostError::Encoded) => answer::unread(StatusCode::UNSUPPORTED_MEDIA_TYPE),
                        Err(PostError::Late) => answer::unread(StatusCode::REQUEST_TIMEOUT),
                    };
                Ok(answer.into())
            }
            _ => Ok(answer::wrong_method().into()),
        }
    }

    /// Refuses pages of origins that are not let in. Polling is checked only against a list: without CORS headers the
    /// browser keeps answers from such pages anyway, and programs are free to send any origin.
    fn check_origin(&self, request: &Parts, transport: Transport) -> Result<(), Context> {
        let mut origins = request.headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else { return Ok(()) };
        if origins.next().is_some() {
            return Err(Context::InvalidOrigin);
        }
        let allowed = self.http.origins();
        if transport == Transport::Polling && !matches!(allowed, Origins::List(_)) {
            return Ok(());
        }
        match origin.to_str() {
            Ok(origin) if allowed.allow(origin, head::host(request)) => Ok(()),
            _ => Err(Context::ForbiddenOrigin),
        }
    }
}

impl<B> hyper::service::Service<Request<B>> for Service
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
{
    type Response = Answer;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Self::Error>> + Send>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let answered = self.answer(request);
        Box::pin(async move { Ok(answered.await) })
    }
}

#[cfg(feature = "tower")]
impl<B> tower_service::Service<Request<B>> for Service
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
{
    type Response = Answer;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> task::Poll<Result<(), Self::Error>> {
        task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        hyper::service::Service::call(self, request)
    }
}

/// What is wrong with a request whose transport is not that of its session, or not the way to it.
fn mismatch(transport: Transport, socket: &Socket) -> Context {
    match socket.transport() {
        previous if previous == transport => Context::TransportHandshake,
        previous => Context::TransportMismatch { transport, previous },
    }
}

/// Removes what an answer of this version does not have.
fn restrict(answer: &mut Answer, version: Version) {
    if version >= Version::HTTP_2 {
        // RFC 9113, section 8.2.2: connections end in other ways.
        answer.headers_mut().remove(header::CONNECTION);
    }
}

/// What is wrong with a GET or POST that its session did not take.
fn unfit(error: HandshakeError, socket: &Socket) -> Context {
    match (error, socket.closed()) {
        (HandshakeError::UnknownSid, _) => Context::UnknownSid { sid: socket.sid().to_string() },
        (_, Some(reason)) => Context::SessionEnded(reason),
        (_, None) => mismatch(Transport::Polling, socket),
    }
}
