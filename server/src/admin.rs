//! What it is: what operators and applications reach: health, metrics, the API.
//! What it is not: the port; it has one of its own, or shares that of clients below a prefix.
//! Who calls it: `serve`, and `front` where the port is shared.

use std::sync::Arc;

use hyper::{
    Method, Request, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
};

use crate::{
    admin_page,
    answer::{Answer, text, whole},
    api::Api,
    guard,
    metrics::Metrics,
    redis::Redis,
};

/// What it says of itself where there is nothing else.
pub(crate) const NAME: &str = "There is nothing here. This is the admin listener";

/// What is there beside the API, behind the prefix.
const ROUTES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// The admin listener's answers. Clones are the same.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) api: Arc<Api>,
    /// `None` where none is configured.
    pub(crate) redis: Option<Redis>,
    /// `None` when there is nothing to be shown.
    pub(crate) metrics: Option<Arc<Metrics>>,
    pub(crate) prefix: Arc<str>,
    /// Whether there is a page for people.
    pub(crate) has_page: bool,
}

impl Admin {
    /// Whether a path is one of these, or of the API.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let is_one = |rest| ROUTES.contains(&rest) || Api::has(rest) || self.is_page(rest);
        path.strip_prefix(&*self.prefix).is_some_and(is_one)
    }

    fn is_page(&self, path: &str) -> bool {
        self.has_page && matches!(path, "" | "/")
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Answer {
        // Without keys, pages that a browser on this machine shows must not use what is for its programs.
        if self.api.keyring.is_empty() && !guard::is_local(request.uri(), request.headers()) {
            return whole(text(
                StatusCode::FORBIDDEN,
                "Without an API key, this is for programs of this machine only.\n",
            ));
        }
        match request.uri().path().strip_prefix(&*self.prefix) {
            Some(path) if Api::has(path) => self.api.answer(request, self.prefix.len()).await,
            path => self.show(path.unwrap_or_default(), request.method()),
        }
    }

    fn show(&self, path: &str, method: &Method) -> Answer {
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        whole(match path {
            path if !ROUTES.contains(&path) && !self.is_page(path) => {
                let prefix = &self.prefix;
                let words =
                    format!("{NAME}: the API is below {prefix}/api/v1/, and clients connect to server.listen.\n");
                text(StatusCode::NOT_FOUND, words)
            }
            _ if !is_read => {
                let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "This is only to be read.\n");
                answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
                answer
            }
            "/readyz" if self.api.is_closing() => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
            "/readyz" if self.redis.as_ref().is_some_and(Redis::is_missed) => {
                text(StatusCode::SERVICE_UNAVAILABLE, "Redis is away\n")
            }
            "/readyz" => text(StatusCode::OK, "ready\n"),
            path if self.is_page(path) => admin_page::answer(),
            "/healthz" => text(StatusCode::OK, "ok\n"),
            _ => match &self.metrics {
                Some(metrics) => {
                    let io = self.api.sockets.io();
                    metrics.cluster_servers.set(io.other_servers().len() as i64);
                    text(StatusCode::OK, metrics.text(|| io.stats()))
                }
                None => text(StatusCode::NOT_FOUND, "metrics.enabled is false.\n"),
            },
        })
    }
}
