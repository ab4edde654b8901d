//! What it is: the map of the port: which path leads where.
//! What it is not: the answers themselves.
//! Who calls it: `serve`, for every request.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
};
use socketio::SocketIo;

use crate::{api, bundle::Bundle, guard, page};

/// Where the official client's files are, below the path of Socket.IO.
const BUNDLE: &str = "/socket.io/";

/// Everything on the port. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    io: SocketIo,
    bundle: Option<Bundle>,
}

impl Front {
    pub(crate) fn new(io: SocketIo, bundle: Option<Bundle>) -> Self {
        Self { io, bundle }
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if !guard::is_local(request.uri(), request.headers()) {
            return text(StatusCode::FORBIDDEN, "The playground is for pages and programs of this machine only.\n");
        }
        let path = request.uri().path();
        if self.io.matches(path) {
            return self.io.answer(request).await;
        }
        if path == "/api/v1/emit" {
            return api::emit(&self.io, request).await;
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::NOT_FOUND, "There is nothing here.\n");
        }
        self.file(path, &request)
            .unwrap_or_else(|| text(StatusCode::NOT_FOUND, "There is nothing here. The playground is at /\n"))
    }

    fn file(&self, path: &str, request: &Request<Incoming>) -> Option<Response<Full<Bytes>>> {
        if let Some((content_type, content)) = page::find(path) {
            let mut answer = Response::new(Full::from(content));
            answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            return Some(answer);
        }
        self.bundle.as_ref()?.answer(path.strip_prefix(BUNDLE)?, request.headers())
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
