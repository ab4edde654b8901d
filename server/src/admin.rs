//! What it is: what operators and applications reach: health, metrics, the API.
//! What it is not: the port; it has one of its own, or shares that of clients below a prefix.
//! Who calls it: `serve`, and `front` where the port is shared.

use std::{sync::Arc, time::Instant};

use hyper::{Request, StatusCode, body::Incoming};

use crate::{
    answer::{Answer, text, whole},
    api::{Answered, Api, refuse},
    config::Scope,
    guard,
    keyring::Keyring,
    metrics::Metrics,
    redis::Redis,
};

/// Everything that is there, behind the prefix.
const ROUTES: [&str; 6] = ["/healthz", "/readyz", "/metrics", "/api/v1/emit", "/api/v1/tokens", "/api/v1/stats"];

/// The admin listener's answers. Clones are the same.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) api: Api,
    pub(crate) keyring: Keyring,
    /// `None` where none is configured.
    pub(crate) redis: Option<Redis>,
    /// `None` when there is nothing to be shown.
    pub(crate) metrics: Option<Arc<Metrics>>,
    pub(crate) prefix: Arc<str>,
}

impl Admin {
    /// Whether there is something at this path.
    pub(crate) fn matches(&self, path: &str) -> bool {
        self.route(path).is_some()
    }

    fn route(&self, path: &str) -> Option<&'static str> {
        let rest = path.strip_prefix(&*self.prefix)?;
        ROUTES.into_iter().find(|route| *route == rest)
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Answer {
        // Without keys, pages that a browser on this machine shows must not use what is for its programs.
        if self.keyring.is_empty() && !guard::is_local(request.uri(), request.headers()) {
            return whole(text(
                StatusCode::FORBIDDEN,
                "Without an API key, this is for programs of this machine only.\n",
            ));
        }
        let Some(route) = self.route(request.uri().path()) else {
            return whole(text(StatusCode::NOT_FOUND, "There is nothing here.\n"));
        };
        whole(match route {
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" if self.is_draining() => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
            "/readyz" if self.redis.as_ref().is_some_and(Redis::is_missed) => {
                text(StatusCode::SERVICE_UNAVAILABLE, "Redis is away\n")
            }
            "/readyz" => text(StatusCode::OK, "ready\n"),
            "/metrics" => match &self.metrics {
                Some(metrics) => text(StatusCode::OK, metrics.text()),
                None => text(StatusCode::NOT_FOUND, "metrics.enabled is false.\n"),
            },
            route => {
                let start = Instant::now();
                let answer = self.call(route, request).await.unwrap_or_else(|error| refuse(&error));
                self.api.sockets.metrics.api_request(route, answer.status().as_u16(), start.elapsed().as_secs_f64());
                answer
            }
        })
    }

    async fn call(&self, route: &str, request: Request<Incoming>) -> Answered {
        let scope = match route {
            "/api/v1/emit" => Scope::Emit,
            "/api/v1/tokens" => Scope::Manage,
            _ => Scope::Read,
        };
        let grant = self.keyring.grant(request.headers(), scope)?;
        match scope {
            Scope::Read => self.api.stats(&request),
            Scope::Manage => self.api.sign(request, &grant).await,
            Scope::Emit => self.api.emit(request, &grant).await,
        }
    }

    fn is_draining(&self) -> bool {
        self.api.sockets.metrics.draining.get() > 0
    }
}
