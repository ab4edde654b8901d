//! What it is: many ops in one body.
//! What it is not: all or nothing: each op is carried out, or not, by itself.
//! Who calls it: `api`.

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Api, ApiError, body, kept, ops,
    route::{Answering, Call},
    stream,
};
use crate::{keyring::Grant, op};

/// Ops after which others of this thread have their turn: each may be for thousands of sockets.
const TURN: usize = 32;

/// The body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch<'a> {
    #[serde(borrow)]
    ops: Vec<&'a RawValue>,
    /// Whether those behind one that fails are left out.
    #[serde(default)]
    stop_on_error: bool,
}

/// `POST /api/v1/batch`.
pub(super) fn answer(call: Call<'_>, body: Incoming) -> Answering<'_> {
    Box::pin(async move {
        let id = kept::id(call.headers, None)?;
        if stream::is_for(body::media(call.headers)?) {
            // It has no end: there is nothing that could be kept.
            return match id {
                None => stream::answer(&call, body).await,
                Some(_) => Err(ApiError::field("Idempotency-Key", "here each op has an id of its own")),
            };
        }
        let body = body::read(call.headers, body, call.api.bounds.max_body).await?;
        kept::answer(&call, id, &body, perform(call.api.clone(), call.grant.clone(), body.clone())).await
    })
}

/// Carries them out in order; gives what came of each.
async fn perform(api: Arc<Api>, grant: Grant, body: Bytes) -> Result<Vec<u8>, ApiError> {
    let batch: Batch<'_> = op::parse(&body).map_err(ApiError::Op)?;
    let max = api.bounds.max_batch;
    if batch.ops.len() > max {
        return Err(ApiError::field("ops", format!("{max} at most")));
    }
    let mut results = b"{\"results\":[".to_vec();
    for (at, op) in batch.ops.iter().enumerate() {
        if at > 0 {
            results.push(b',');
            if at % TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        match ops::one(&api, &grant, op.get().as_bytes()).await {
            Ok(outcome) => results.extend_from_slice(&outcome),
            Err(error) => {
                results.extend(error.to_json());
                if batch.stop_on_error {
                    break;
                }
            }
        }
    }
    results.extend(b"]}");
    Ok(results)
}
