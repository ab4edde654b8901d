//! What it is: messages of python-socketio's managers, by HTTP instead of Redis.
//! What it is not: the messages (`crate::pubsub`).
//! Who calls it: `api`.

use std::{sync::Arc, time::Duration};

use hyper::body::Incoming;

use super::{
    Api, ApiError, body, kept, ops,
    route::{Answering, Call},
};
use crate::{
    config::Scope,
    keyring::Grant,
    op::{Action, Op},
    pubsub::{Callback, Message},
};

/// How long the answer of a client is waited for.
const LONGEST: Duration = Duration::from_secs(60);

/// `POST /api/v1/pubsub`.
pub(super) fn answer(call: Call<'_>, body: Incoming) -> Answering<'_> {
    Box::pin(async move {
        let body = body::read(call.headers, body, call.api.bounds.max_body).await?;
        let message = Message::read(&body).map_err(ApiError::PubSub)?;
        let id = kept::id(call.headers, None)?;
        kept::answer(&call, id, &body, act(call.api.clone(), call.grant.clone(), message)).await
    })
}

async fn act(api: Arc<Api>, grant: Grant, message: Message) -> Result<Vec<u8>, ApiError> {
    match message {
        Message::Do(op) => ops::perform(&api, &grant, &op).map(|_done| b"{}".to_vec()),
        Message::Nothing => Ok(b"{}".to_vec()),
        Message::Ask(op, callback) => {
            let answer = ask(&api, &grant, &op, &callback).await?;
            Ok(format!("{{\"callback\":{}}}", answer.as_deref().unwrap_or("null")).into_bytes())
        }
    }
}

/// The message with the first answer of a client, if one comes that there is a message for.
async fn ask(api: &Api, grant: &Grant, op: &Op, callback: &Callback) -> Result<Option<String>, ApiError> {
    ops::check(grant, Scope::Emit, &op.namespace)?;
    let Action::Emit(emit) = &op.action else { return Ok(None) };
    let mut questions = api.sockets.ask(&op.namespace, emit, LONGEST, ops::SOURCE).map_err(ApiError::Perform)?;
    while let Some((_, answer)) = questions.next().await {
        if let Some(message) = answer.ok().and_then(|args| callback.message(&args)) {
            return Ok(Some(message));
        }
    }
    Ok(None)
}
