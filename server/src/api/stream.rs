//! What it is: ops that come line by line, and are answered line by line, for as long as their client likes.
//! What it is not: a second grammar: a line is what an op is in a batch.
//! Who calls it: `batch`, for bodies of this type.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::{
    Response,
    body::{Frame, Incoming},
    header::{self, HeaderValue},
};
use tokio::sync::watch;

use super::{
    Api, ApiError,
    lines::{Line, Lines},
    ops,
    route::Call,
};
use crate::{
    answer::{Answer, streamed},
    keyring::Grant,
};

/// What such a body may be called; the answer is called as the first.
const MEDIA: [&str; 3] = ["application/x-ndjson", "application/ndjson", "application/jsonl"];

/// Answers are sent in parts of about so many bytes, or when there is nothing to do.
const PART: usize = 16 << 10;

/// Ops after which others of this thread have their turn.
const TURN: usize = 32;

/// Whether a body is ops line by line.
pub(super) fn is_for(media: &str) -> bool {
    MEDIA.iter().any(|known| media.eq_ignore_ascii_case(known))
}

/// Answers each line of a body when it comes. Nothing more is read while its client takes no answers.
pub(super) async fn answer(call: &Call<'_>, body: Incoming) -> Result<Answer, ApiError> {
    let mut lines = Lines::new(body, call.api.bounds.max_body);
    // A client that waits for leave to send has it by this, and would take an answer before that for a refusal.
    if call.headers.contains_key(header::EXPECT) {
        lines.read().await.map_err(|_| ApiError::Body)?;
    }
    let (api, grant, closing) = (call.api.clone(), call.grant.clone(), call.api.closing.clone());
    let parts = stream::unfold(Stream { api, grant, lines, closing, done: 0 }, |mut stream| async {
        let part = stream.next().await?;
        Some((Ok::<_, Infallible>(Frame::data(part)), stream))
    });
    let mut answer = Response::new(StreamBody::new(parts));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA[0]));
    Ok(streamed(answer))
}

struct Stream {
    api: Arc<Api>,
    grant: Grant,
    lines: Lines,
    closing: watch::Receiver<bool>,
    /// Ops so far.
    done: usize,
}

impl Stream {
    /// The next answers; `None` when there will be none any more. What the server leaves unanswered it has not done.
    async fn next(&mut self) -> Option<Bytes> {
        let mut answers = Vec::new();
        // The key may be taken away meanwhile.
        while answers.len() < PART
            && !self.api.is_closing()
            && let Some(grant) = self.api.keyring.renew(&self.grant)
        {
            if let Some(line) = self.lines.take() {
                self.answer(line, &grant, &mut answers).await;
            } else if !answers.is_empty() {
                break;
            } else {
                tokio::select! {
                    _ending = self.closing.wait_for(|closing| *closing) => return None,
                    more = self.lines.read() => if !more.ok()? { return None },
                }
            }
        }
        (!answers.is_empty()).then(|| answers.into())
    }

    async fn answer(&mut self, line: Line, grant: &Grant, answers: &mut Vec<u8>) {
        self.done += 1;
        if self.done.is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
        let done = match line {
            Line::Whole(line) => ops::one(&self.api, grant, &line).await,
            Line::TooLong => Err(ApiError::TooLarge(self.api.bounds.max_body)),
        };
        match done {
            Ok(outcome) => answers.extend_from_slice(&outcome),
            Err(error) => answers.extend(error.to_json()),
        }
        answers.push(b'\n');
    }
}
