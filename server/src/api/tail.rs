//! What it is: what happens, as server-sent events, to whoever watches.
//! What it is not: the telling (`tail` of the crate).
//! Who calls it: `api`.

use hyper::{
    Response,
    body::Incoming,
    header::{self, HeaderValue},
};

use super::{
    ApiError,
    route::{Answering, Call},
};
use crate::{answer::streamed, tail::Wanted};

/// `GET /api/v1/tail`.
pub(super) fn answer(call: Call<'_>, _body: Incoming) -> Answering<'_> {
    Box::pin(async move {
        let named = |name| call.query.get(name).map(str::to_owned);
        let namespace = call.query.get("namespace").map(|_| call.namespace()).transpose()?.map(str::to_owned);
        let args = match call.query.get("args") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(ApiError::field("args", "true or false")),
        };
        let (grant, keyring) = (call.grant.clone(), call.api.keyring.clone());
        let wanted = Wanted { grant, keyring, namespace, room: named("room"), args };
        let lines = call.api.sockets.tail.watch(wanted, call.api.closing.clone());
        let mut answer = Response::new(lines.map_err(|_| ApiError::TooManyWatchers)?);
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // nginx would collect it.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        Ok(streamed(answer))
    })
}
