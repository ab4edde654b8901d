//! What it is: answers over HTTP, whose bodies are whole, or come bit by bit.
//! What it is not: what is in them.
//! Who calls it: `front` and `admin` answer with them; `listeners` sends them.

use std::error::Error;

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full, combinators::UnsyncBoxBody};
use hyper::{
    Response, StatusCode,
    body::Body,
    header::{self, HeaderValue},
};

/// Why a body that comes bit by bit ends too soon.
pub(crate) type BodyError = Box<dyn Error + Send + Sync>;

/// An answer. Most bodies are whole, and those are in no box.
pub(crate) type Answer = Response<Either<Full<Bytes>, UnsyncBoxBody<Bytes, BodyError>>>;

/// An answer with a whole body.
pub(crate) fn whole(answer: Response<Full<Bytes>>) -> Answer {
    answer.map(Either::Left)
}

/// An answer whose body comes bit by bit. It is read no faster than the client takes it, and dropped when the client
/// goes away.
pub(crate) fn streamed<B>(answer: Response<B>) -> Answer
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    answer.map(|body| Either::Right(body.map_err(Into::into).boxed_unsync()))
}

/// JSON, with the end of its line.
pub(crate) fn json(mut json: Vec<u8>) -> Response<Full<Bytes>> {
    json.push(b'\n');
    let mut answer = Response::new(Full::from(json));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// Words for people.
pub(crate) fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
