//! What it is: the routes that are ops: emit, join and so on, and ops out of other bodies.
//! What it is not: the grammar of ops (`op`), nor what they bring about (`perform`).
//! Who calls it: `api`; `batch`, for each of its ops.

use hyper::body::Incoming;
use serde::Serialize;

use super::{Api, ApiError, body, route::Call};
use crate::{
    answer::{Answer, json, whole},
    config::Scope,
    keyring::Grant,
    op::{Action, Op},
    perform::Done,
};

/// What emits of the API count as.
pub(super) const SOURCE: &str = "api";

/// What came of an op.
#[derive(Serialize)]
struct Outcome<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sockets: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<usize>,
}

/// `POST /api/v1/emit` and the like.
pub(super) async fn answer(call: &Call<'_>, name: &'static str, body: Incoming) -> Result<Answer, ApiError> {
    let body = body::read(call.headers, body, call.api.bounds.max_body).await?;
    let op = Op::read(&body, Some(name)).map_err(ApiError::Op)?;
    perform(call.api, call.grant, &op).map(json).map(whole)
}

/// Carries out an op, if the key is good for it; gives what came of it as JSON.
pub(super) fn perform(api: &Api, grant: &Grant, op: &Op) -> Result<Vec<u8>, ApiError> {
    let (scope, id) = match &op.action {
        Action::Emit(emit) => (Scope::Emit, emit.id.as_deref()),
        _ => (Scope::Manage, None),
    };
    if !grant.allows(scope) || !grant.is_for(&op.namespace) {
        return Err(ApiError::Forbidden);
    }
    let (sockets, changed) = match api.sockets.perform(op, SOURCE).map_err(ApiError::Perform)? {
        Done::Sent(sockets) => (Some(sockets), None),
        Done::Changed(sockets) => (None, Some(sockets)),
    };
    Ok(serde_json::to_vec(&Outcome { id, sockets, changed }).expect("texts and numbers"))
}
