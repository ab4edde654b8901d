//! What it is: one request, on a connection of its own, and its answer.
//! What it is not: what the answer means.
//! Who calls it: `polling`, `origin` and `idle`.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    HeaderMap, Method, Request, StatusCode,
    client::conn::http1,
    header::{self, HeaderName},
};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::{
    reach,
    target::{Target, Unreachable},
};

/// Most of a body, in bytes.
const MAX_BODY: usize = 1 << 20;

/// How namespaces begin that nobody has, which are refused without anybody being told.
pub(crate) const NOWHERE: &str = "/socketio-doctor";

/// Asks as one browser would: with the cookies that it was given.
pub(super) struct Client {
    pub(super) target: Target,
    /// `name=value` each.
    cookies: Vec<String>,
    asked: AtomicUsize,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    /// Time from the request to the end of the answer.
    pub(super) took: Duration,
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum NoReply {
    Unreachable(Unreachable),
    /// The connection ended, or it is not HTTP.
    Broken(String),
    /// It did not come in this time.
    Late(Duration),
}

impl fmt::Display for NoReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) => f.write_str(&reach::told(error).0),
            Self::Broken(error) => write!(f, "no answer: {error}"),
            Self::Late(patience) => write!(f, "no answer within {patience:?}"),
        }
    }
}

impl Client {
    pub(super) fn new(target: Target) -> Self {
        Self { target, cookies: Vec::new(), asked: AtomicUsize::new(0) }
    }

    /// Path and query of a request with this transport, of a session or of none.
    pub(super) fn query(&self, transport: &str, sid: Option<&str>) -> String {
        let sid = sid.map_or_else(String::new, |sid| format!("&sid={sid}"));
        // As clients have it, so that no cache has seen the request before.
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        format!("{}?EIO=4&transport={transport}&t=doctor{number}{sid}", self.target.path)
    }

    /// A packet that is answered, and changes nothing. Each is another one, for servers that let everybody in, once.
    pub(super) fn echo(&self) -> String {
        format!("40{NOWHERE}-{},", self.asked.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn cookies(&self) -> Option<String> {
        (!self.cookies.is_empty()).then(|| self.cookies.join("; "))
    }

    /// Keeps the cookies of an answer.
    pub(super) fn keep_cookies(&mut self, headers: &HeaderMap) {
        let said = headers.get_all(header::SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
        self.cookies = said.filter_map(|cookie| cookie.split(';').next()).map(|pair| pair.trim().to_owned()).collect();
    }

    /// A GET, or a POST with this body.
    pub(super) async fn poll(&self, sid: Option<&str>, body: Option<&str>, most: Duration) -> Result<Reply, NoReply> {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        self.ask(method, sid, &[], body.unwrap_or_default(), most).await
    }

    /// A request of a page with these headers.
    pub(super) async fn ask(
        &self,
        method: Method,
        sid: Option<&str>,
        headers: &[(HeaderName, &str)],
        body: &str,
        most: Duration,
    ) -> Result<Reply, NoReply> {
        let mut request = Request::builder()
            .method(method.clone())
            .uri(self.query("polling", sid))
            .header(header::HOST, self.target.authority())
            .header(header::ACCEPT, "*/*")
            .header(header::USER_AGENT, concat!("socketio-server/", env!("CARGO_PKG_VERSION"), " (doctor)"))
            .header(header::CONNECTION, "close");
        if method == Method::POST {
            request = request.header(header::CONTENT_TYPE, "text/plain;charset=UTF-8");
        }
        if let Some(cookies) = self.cookies() {
            request = request.header(header::COOKIE, cookies);
        }
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes())));
        let request = request.map_err(|error| NoReply::Broken(error.to_string()))?;
        timeout(most, self.send(request)).await.unwrap_or(Err(NoReply::Late(most)))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Reply, NoReply> {
        let connected = self.target.connect().await.map_err(NoReply::Unreachable)?;
        let broken = |error: hyper::Error| NoReply::Broken(error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(connected.stream)).await.map_err(broken)?;
        let running = tokio::spawn(connection);
        let start = Instant::now();
        let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await;
        let body = body.map_err(|error| NoReply::Broken(error.to_string()))?.to_bytes();
        running.abort();
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Reply { status: head.status, headers: head.headers, body, took: start.elapsed() })
    }
}

impl Reply {
    /// Whether the server says that there is no such session: the official code, and python-engineio's words.
    pub(super) fn is_unknown_session(&self) -> bool {
        let code = serde_json::from_str::<serde_json::Value>(&self.body).ok().and_then(|error| error["code"].as_u64());
        self.status == StatusCode::BAD_REQUEST && (code == Some(1) || self.body.contains("Invalid session"))
    }

    /// The packets of a polling body.
    pub(super) fn packets(&self) -> impl Iterator<Item = &str> {
        self.body.split('\u{1e}')
    }
}
