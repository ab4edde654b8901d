//! What it is: messages of python-socketio's managers, by HTTP instead of Redis.
//! What it is not: the messages (`crate::pubsub`).
//! Who calls it: `api`.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::{
    Response,
    body::{Frame, Incoming},
    header::{self, HeaderValue},
};

use super::{
    Api, ApiError, body, kept, ops,
    route::{Answering, Call},
};
use crate::{
    answer::{Answer, streamed},
    ask::Questions,
    config::Scope,
    emitted::Source,
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
        match message {
            // What is kept for others with the same id is kept whole.
            Message::Ask(op, callback) if id.is_none() => Ok(answered(ask(call.api, call.grant, &op)?, callback)),
            message => kept::answer(&call, id, &body, act(call.api.clone(), call.grant.clone(), message)).await,
        }
    })
}

async fn act(api: Arc<Api>, grant: Grant, message: Message) -> Result<Vec<u8>, ApiError> {
    match message {
        Message::Do(op) => ops::perform(&api, &grant, &op).await.map(|_done| b"{}".to_vec()),
        Message::Nothing => Ok(b"{}".to_vec()),
        Message::Ask(op, callback) => Ok(heard(ask(&api, &grant, &op)?, &callback).await),
    }
}

/// Asks the clients; they are sent what comes after it behind the question.
fn ask(api: &Api, grant: &Grant, op: &Op) -> Result<Option<Questions>, ApiError> {
    ops::check(grant, Scope::Emit, &op.namespace)?;
    let Action::Emit(emit) = &op.action else { return Ok(None) };
    api.sockets.ask(&op.namespace, emit, LONGEST, Source::Api).map(Some).map_err(ApiError::Perform)
}

/// The answer whose head says that the clients were asked, and whose body comes when one of them has answered.
fn answered(questions: Option<Questions>, callback: Callback) -> Answer {
    let body = stream::once(async move {
        let mut body = heard(questions, &callback).await;
        body.push(b'\n');
        Ok::<_, Infallible>(Frame::data(Bytes::from(body)))
    });
    let mut answer = Response::new(StreamBody::new(body));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    streamed(answer)
}

/// The message with the first answer of a client, if one comes that there is a message for, as JSON.
async fn heard(questions: Option<Questions>, callback: &Callback) -> Vec<u8> {
    let mut message = None;
    if let Some(mut questions) = questions {
        while message.is_none()
            && let Some((_, answer)) = questions.next().await
        {
            message = answer.ok().and_then(|args| callback.message(&args));
        }
    }
    format!("{{\"callback\":{}}}", message.as_deref().unwrap_or("null")).into_bytes()
}
