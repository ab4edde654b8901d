//! What it is: requests for one socket that another server of the cluster has: handed on, and answered as that answers.
//! What it is not: ops (`cluster`), nor lists, which are of one server.
//! Who calls it: `api`, for a socket that is not here; `serve` has this server answer such requests of others.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{self, HeaderValue},
};
use serde::{Deserialize, Serialize};
use socketio::{Args, ClusterOptions, Partial, Reply, ServerId};

use super::{
    Api, ApiError, ROUTES,
    route::{Answered, Call, Handler, Query},
};
use crate::{cluster, keyring::Grant, perform::PerformError};

/// The event by which servers ask each other.
const SOCKET: &str = "socket";

/// A request, as others need it.
#[derive(Serialize, Deserialize)]
struct Asked {
    method: String,
    sid: String,
    query: Option<String>,
    body: String,
    /// Those that its key is for; all, if nothing is said.
    namespaces: Option<Vec<String>>,
}

/// What a server answers.
#[derive(Serialize, Deserialize)]
struct Told {
    /// Nothing, if it has no such socket.
    answer: Option<Given>,
}

#[derive(Serialize, Deserialize)]
struct Given {
    status: u16,
    body: String,
}

/// How a server takes part in its cluster.
pub(crate) fn options(api: &Arc<Api>) -> ClusterOptions {
    let asked = api.clone();
    cluster::options(&api.sockets).on(SOCKET, move |_from: ServerId, args: Args| {
        let api = asked.clone();
        async move { Reply(Told { answer: answer(&api, &args).await }) }
    })
}

/// Asks the server that has the socket, or all if its id does not say which; gives the answer of that one.
///
/// # Errors
/// [`ApiError`]: no server has it, or none of those that have answered.
pub(super) async fn ask(call: &Call<'_>, query: Option<&str>, body: &[u8]) -> Answered {
    let asked = Asked {
        method: call.route.method.to_string(),
        sid: call.name.as_ref().to_owned(),
        query: query.map(str::to_owned),
        body: String::from_utf8_lossy(body).into_owned(),
        namespaces: call.grant.namespaces(),
    };
    let io = call.api.sockets.io();
    let replies = match io.server_of(&asked.sid) {
        Some(server) if server == *io.server_id() => return Err(call.no_socket()),
        Some(server) => io.to_servers([server]).emit_with_ack::<Told>(SOCKET, &asked),
        None => io.server_side_emit_with_ack::<Told>(SOCKET, &asked),
    };
    let replies = replies.map_err(|error| ApiError::Perform(PerformError::Emit(error)))?;
    let Partial { heard, missing } = replies.await.into();
    match heard.into_iter().find_map(|(_, told)| told.answer) {
        Some(answer) => answer.written().ok_or(ApiError::Perform(PerformError::Unheard)),
        None if missing.is_empty() && call.api.sockets.hear_others() => Err(call.no_socket()),
        None => Err(ApiError::Perform(PerformError::Unheard)),
    }
}

impl Given {
    /// `None` if it is none.
    fn written(self) -> Option<Response<Full<Bytes>>> {
        let mut answer = Response::new(Full::from(self.body));
        *answer.status_mut() = StatusCode::from_u16(self.status).ok()?;
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Some(answer)
    }
}

/// Answers the request of another server, if the socket is here.
async fn answer(api: &Arc<Api>, args: &Args) -> Option<Given> {
    let asked = args.get::<Asked>(0).ok()?;
    let mut of_method = ROUTES.iter().filter(|route| route.method.as_str() == asked.method);
    let (route, act) = of_method.find_map(|route| match route.handler {
        Handler::Socket(act) => Some((route, act)),
        _ => None,
    })?;
    let grant = Grant::within(asked.namespaces);
    let query = Query::read(asked.query.as_deref(), route.query).ok()?;
    let call = Call { api, grant: &grant, route, name: asked.sid.into(), query, headers: &HeaderMap::new() };
    let answer = match act(&call, asked.body.as_bytes()) {
        Err(error) if error.is_unknown_socket() => return None,
        answered => answered.unwrap_or_else(|error| error.answer()),
    };
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    Some(Given { status, body: String::from_utf8_lossy(&body).into_owned() })
}
