//! What it is: the routes that are ops: emit, join and so on, and ops out of other bodies.
//! What it is not: the grammar of ops (`op`), nor what they bring about (`perform`).
//! Who calls it: `api`; `batch`, for each of its ops.

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use serde::Serialize;
use socketio::ServerId;

use super::{Api, ApiError, body, kept, route::Call};
use crate::{
    answer::Answer,
    config::Scope,
    emitted::Source,
    keyring::Grant,
    op::{Action, Op},
    perform::Done,
};

/// What came of an op.
#[derive(Serialize)]
struct Outcome<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sockets: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<usize>,
    /// Servers of the cluster that did not say what came of it there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing_servers: Vec<ServerId>,
}

/// `POST /api/v1/emit` and the like.
pub(super) async fn answer(call: &Call<'_>, name: &'static str, body: Incoming) -> Result<Answer, ApiError> {
    let body = body::read(call.headers, body, call.api.bounds.max_body).await?;
    let op = Op::read(&body, Some(name)).map_err(ApiError::Op)?;
    let id = kept::id(call.headers, id(&op))?;
    let (api, grant) = (call.api.clone(), call.grant.clone());
    kept::answer(call, id, &body, async move { perform(&api, &grant, &op).await }).await
}

/// Carries out one of several ops; gives what came of it as JSON.
pub(super) async fn one(api: &Arc<Api>, grant: &Grant, json: &[u8]) -> Result<Bytes, ApiError> {
    let op = Op::read(json, None).map_err(ApiError::Op)?;
    let Some(id) = id(&op).map(str::to_owned) else {
        return perform(api, grant, &op).await.map(Bytes::from);
    };
    let act = {
        let (api, grant) = (api.clone(), grant.clone());
        async move { perform(&api, &grant, &op).await }
    };
    api.kept.op(grant, &id, json, act).await
}

fn id(op: &Op) -> Option<&str> {
    match &op.action {
        Action::Emit(emit) => emit.id.as_deref(),
        _ => None,
    }
}

/// Whether the key is good for this in this namespace.
pub(super) fn check(grant: &Grant, scope: Scope, namespace: &str) -> Result<(), ApiError> {
    if grant.allows(scope) && grant.is_for(namespace) { Ok(()) } else { Err(ApiError::Forbidden) }
}

/// Carries out an op, if the key is good for it; gives what came of it as JSON.
pub(super) async fn perform(api: &Api, grant: &Grant, op: &Op) -> Result<Vec<u8>, ApiError> {
    let scope = if matches!(op.action, Action::Emit(_)) { Scope::Emit } else { Scope::Manage };
    check(grant, scope, &op.namespace)?;
    let heard = api.sockets.perform_and_hear(op, Source::Api).await.map_err(ApiError::Perform)?;
    let (sockets, changed) = match heard.done {
        Done::Sent(sockets) => (Some(sockets), None),
        Done::Changed(sockets) => (None, Some(sockets)),
    };
    let outcome = Outcome { id: id(op), sockets, changed, missing_servers: heard.unheard };
    Ok(serde_json::to_vec(&outcome).expect("texts and numbers"))
}
