//! What it is: many ops in one body.
//! What it is not: all or nothing: each op is carried out, or not, by itself.
//! Who calls it: `api`.

use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Api, ApiError, body, ops,
    route::{Answering, Call},
};
use crate::{
    answer::{json, whole},
    keyring::Grant,
    op::{self, Op},
};

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
        let body = body::read(call.headers, body, call.api.bounds.max_body).await?;
        Ok(whole(json(perform(call.api, call.grant, &body).await?)))
    })
}

/// Carries them out in order; gives what came of each.
async fn perform(api: &Api, grant: &Grant, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    let batch: Batch<'_> = op::parse(body).map_err(ApiError::Op)?;
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
        let done = Op::read(op.get().as_bytes(), None).map_err(ApiError::Op);
        match done.and_then(|op| ops::perform(api, grant, &op)) {
            Ok(outcome) => results.extend(outcome),
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
