//! What it is: the HTTP API: its routes, and how a request finds the one that it is for.
//! What it is not: what they do (the files below), the judge of who may use it (`keyring`), nor the listener (`admin`).
//! Who calls it: `admin`.

mod batch;
mod body;
mod call;
mod elsewhere;
mod error;
mod history;
mod kept;
mod lines;
mod namespaces;
mod ops;
mod page;
mod portrait;
mod presence;
mod pubsub;
mod rooms;
mod route;
mod sockets;
mod stats;
mod stream;
mod tail;
mod tokens;
mod users;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response,
    body::Incoming,
    header::{self, HeaderValue},
    http::request::Parts,
};
use tokio::sync::watch;

use crate::{
    answer::{Answer, whole},
    auth::Tokens,
    config::{Config, Scope},
    keyring::Keyring,
    sockets::Sockets,
};
use route::{Answered, Call, Handler, Query, Route, on};

pub(crate) use {elsewhere::options, error::ApiError, kept::Kept};

/// What all paths of it begin with, found or not.
const PREFIX: &str = "/api/";

/// What requests count as that are for no route.
const NO_ROUTE: &str = "other";

const EMIT: &[Scope] = &[Scope::Emit];
const MANAGE: &[Scope] = &[Scope::Manage];
const READ: &[Scope] = &[Scope::Read];
/// What is in the body decides which of them.
const DO: &[Scope] = &[Scope::Emit, Scope::Manage];

const PAGE: &[&str] = &["limit", "cursor"];
const SOCKETS: &[&str] = &["namespace", "room", "user", "limit", "cursor"];
const ROOMS: &[&str] = &["namespace", "prefix", "limit", "cursor"];
const TAIL: &[&str] = &["namespace", "room", "args"];
const NAMESPACE: &[&str] = &["namespace"];
const HISTORY: &[&str] = &["namespace", "limit"];
const MEMBERS: &[&str] = &["namespace", "limit", "cursor"];

/// All of it: method, path, the scopes of which a key has to have one (where there is none, nobody needs a key), query,
/// and what then happens. The busiest come first.
static ROUTES: [Route; 23] = [
    on(Method::POST, "/api/v1/emit", EMIT, &[], Handler::Op("emit")),
    on(Method::POST, "/api/v1/batch", DO, &[], Handler::Own(batch::answer)),
    on(Method::POST, "/api/v1/call", EMIT, &[], Handler::Own(call::answer)),
    on(Method::POST, "/api/v1/pubsub", DO, &[], Handler::Own(pubsub::answer)),
    on(Method::POST, "/api/v1/join", MANAGE, &[], Handler::Op("join")),
    on(Method::POST, "/api/v1/leave", MANAGE, &[], Handler::Op("leave")),
    on(Method::POST, "/api/v1/close_room", MANAGE, &[], Handler::Op("close_room")),
    on(Method::POST, "/api/v1/disconnect", MANAGE, &[], Handler::Op("disconnect")),
    on(Method::GET, "/api/v1/stats", READ, &[], Handler::Show(stats::show)),
    on(Method::GET, "/api/v1/namespaces", READ, PAGE, Handler::Show(namespaces::list)),
    on(Method::GET, "/api/v1/rooms", READ, ROOMS, Handler::Show(rooms::list)),
    on(Method::GET, "/api/v1/rooms/{room}", READ, NAMESPACE, Handler::Show(rooms::show)),
    on(Method::GET, "/api/v1/rooms/{room}/history", READ, HISTORY, Handler::Show(history::show)),
    on(Method::DELETE, "/api/v1/rooms/{room}/history", MANAGE, NAMESPACE, Handler::Show(history::forget)),
    on(Method::GET, "/api/v1/presence/{room}", READ, MEMBERS, Handler::Show(presence::show)),
    on(Method::GET, "/api/v1/users/{user}", READ, MEMBERS, Handler::Show(users::show)),
    on(Method::GET, "/api/v1/sockets", READ, SOCKETS, Handler::Show(sockets::list)),
    on(Method::GET, "/api/v1/sockets/{sid}", READ, &[], Handler::Socket(sockets::show)),
    on(Method::PATCH, "/api/v1/sockets/{sid}", MANAGE, &[], Handler::Socket(sockets::change)),
    on(Method::DELETE, "/api/v1/sockets/{sid}", MANAGE, &["transport"], Handler::Socket(sockets::disconnect)),
    on(Method::GET, "/api/v1/tail", READ, TAIL, Handler::Own(tail::answer)),
    on(Method::POST, "/api/v1/tokens", MANAGE, &[], Handler::Take(tokens::sign)),
    on(Method::GET, "/api/openapi.json", &[], &[], Handler::Show(describe)),
];

/// What all of it is, for programs that read such.
const DESCRIPTION: &[u8] = include_bytes!("api/openapi.json");

/// `GET /api/openapi.json`.
fn describe(_call: &Call<'_>) -> Answered {
    let mut answer = Response::new(Full::from(DESCRIPTION));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(answer)
}

/// What the API works on.
pub(crate) struct Api {
    pub(crate) sockets: Arc<Sockets>,
    pub(crate) tokens: Tokens,
    pub(crate) keyring: Keyring,
    pub(crate) bounds: Bounds,
    pub(crate) kept: Arc<Kept>,
    /// Whether the server closes its connections.
    pub(crate) closing: watch::Receiver<bool>,
    pub(crate) since: Instant,
}

/// The options that concern it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Largest body of a request, in bytes.
    pub(crate) max_body: usize,
    /// Most ops in one body.
    pub(crate) max_batch: usize,
    /// What may wait for one client, in packets and in bytes.
    pub(crate) max_queue: (usize, usize),
}

impl Bounds {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            max_body: config.api.max_body.0,
            max_batch: config.api.max_batch,
            max_queue: (config.limits.send_queue_messages, config.limits.send_queue_bytes.0),
        }
    }
}

impl Api {
    /// Whether a path is one of the API's, be there something or not.
    pub(crate) fn has(path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    pub(crate) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Answers one request, whose path begins behind so many bytes.
    pub(crate) async fn answer(self: &Arc<Self>, request: Request<Incoming>, prefix: usize) -> Answer {
        let start = Instant::now();
        let (parts, body) = request.into_parts();
        let found = route::find(&ROUTES, &parts.method, &parts.uri.path()[prefix..]);
        let template = found.as_ref().map_or(NO_ROUTE, |(route, _)| route.template);
        let answer = match found {
            Ok((route, name)) => self.call(route, name, &parts, body).await,
            Err(error) => Err(error),
        };
        let answer = answer.unwrap_or_else(|error| whole(error.answer()));
        let seconds = start.elapsed().as_secs_f64();
        self.sockets.metrics.api_request(template, answer.status(), seconds);
        answer
    }

    async fn call(
        self: &Arc<Self>,
        route: &'static Route,
        name: Option<&str>,
        parts: &Parts,
        body: Incoming,
    ) -> Result<Answer, ApiError> {
        let grant = self.keyring.grant(&parts.headers, route.scopes)?;
        // Those who only look may go on to.
        if route.method != Method::GET && self.is_closing() {
            return Err(ApiError::Closing);
        }
        let name = name.map(route::decoded).transpose()?.unwrap_or_default();
        let query = Query::read(parts.uri.query(), route.query)?;
        let call = Call { api: self, grant: &grant, route, name, query, headers: &parts.headers };
        match route.handler {
            Handler::Op(name) => ops::answer(&call, name, body).await,
            Handler::Show(show) => show(&call).map(whole),
            Handler::Take(take) => {
                let body = body::read(call.headers, body, self.bounds.max_body).await?;
                take(&call, &body).map(whole)
            }
            Handler::Socket(act) => {
                let body = match route.method {
                    Method::PATCH => body::read(call.headers, body, self.bounds.max_body).await?,
                    _ => Bytes::new(),
                };
                match act(&call, &body) {
                    Err(error) if error.is_unknown_socket() && self.sockets.have_cluster() => {
                        elsewhere::ask(&call, parts.uri.query(), &body).await.map(whole)
                    }
                    answered => answered.map(whole),
                }
            }
            Handler::Own(answer) => answer(call, body).await,
        }
    }
}

/// How long something has been there, in seconds; less than thousandths of them are of no matter.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

#[cfg(test)]
#[path = "api/openapi_tests.rs"]
mod tests;
