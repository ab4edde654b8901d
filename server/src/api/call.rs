//! What it is: an event whose recipients are asked for answers, which are waited for.
//! What it is not: the asking (`ask`).
//! Who calls it: `api`.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use hyper::body::Incoming;
use serde::Serialize;
use serde_json::value::RawValue;
use socketio::{Args, ServerId, SocketId};

use super::{
    Api, ApiError, body, kept, ops,
    route::{Answering, Call},
};
use crate::{
    config::Scope,
    emitted::Source,
    keyring::Grant,
    op::{Action, Emit, Op},
    perform::PerformError,
};

/// How long answers are waited for if nobody says, and at most.
const USUAL: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(60);

/// Bytes of all answers together: clients decide how large each is.
const MAX_BYTES: usize = 16 << 20;

#[derive(Default, Serialize)]
struct Responses {
    responses: Vec<Given>,
    /// Who has not answered in time, has left, owed too many answers already, or answered when there was no more room.
    missing: Vec<SocketId>,
    /// Servers of the cluster that did not say whom they asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing_servers: Vec<ServerId>,
}

#[derive(Serialize)]
struct Given {
    sid: SocketId,
    args: Box<RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<String>,
}

/// `POST /api/v1/call`.
pub(super) fn answer(call: Call<'_>, body: Incoming) -> Answering<'_> {
    Box::pin(async move {
        let body = body::read(call.headers, body, call.api.bounds.max_body).await?;
        let (op, timeout) = Op::read_call(&body).map_err(ApiError::Op)?;
        let timeout = timeout.unwrap_or(USUAL);
        if timeout.is_zero() || timeout > LONGEST {
            return Err(ApiError::field("timeout", "up to 60 seconds"));
        }
        let Action::Emit(emit) = op.action else { return Err(ApiError::field("op", "only an emit is answered")) };
        let id = kept::id(call.headers, emit.id.as_deref())?;
        let asked = wait(call.api.clone(), call.grant.clone(), op.namespace, emit, timeout);
        kept::answer(&call, id, &body, asked).await
    })
}

/// Asks, and waits until everybody has answered or the time is over.
async fn wait(
    api: Arc<Api>,
    grant: Grant,
    namespace: String,
    emit: Emit,
    timeout: Duration,
) -> Result<Vec<u8>, ApiError> {
    ops::check(&grant, Scope::Emit, &namespace)?;
    let mut questions = api.sockets.ask(&namespace, &emit, timeout, Source::Api).map_err(ApiError::Perform)?;
    let mut all = Responses { missing: questions.unasked(), ..Responses::default() };
    let mut bytes = 0;
    while let Some((sid, answer)) = questions.next().await {
        let answer = answer.ok().map(|args| given(sid.clone(), &args));
        match answer.filter(|(_, size)| bytes + size <= MAX_BYTES) {
            Some((answer, size)) => {
                bytes += size;
                all.responses.push(answer);
            }
            None => all.missing.push(sid),
        }
    }
    all.missing_servers = questions.unheard();
    if all.responses.is_empty() && all.missing.is_empty() && all.missing_servers.is_empty() {
        return Err(ApiError::Perform(PerformError::Nobody));
    }
    Ok(serde_json::to_vec(&all).expect("texts and JSON"))
}

/// An answer as it is shown, and its size in bytes.
fn given(sid: SocketId, args: &Args) -> (Given, usize) {
    let attachments: Vec<String> = args.attachments().iter().map(|bytes| STANDARD.encode(bytes)).collect();
    let args = RawValue::from_string(args.to_json()).expect("arguments are JSON");
    let size = args.get().len() + attachments.iter().map(String::len).sum::<usize>();
    (Given { sid, args, attachments }, size)
}
