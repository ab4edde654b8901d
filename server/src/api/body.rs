//! What it is: the bodies of requests: of what type, how large, and whole.
//! What it is not: what is in them.
//! Who calls it: `api`, for whatever takes a body.

use std::error::Error;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    HeaderMap,
    body::{Body, Incoming},
    header,
};

use super::ApiError;

/// What a body of JSON may be called. The second is what curl says of whatever it sends, the third what pages say.
const JSON: [&str; 3] = ["application/json", "application/x-www-form-urlencoded", "text/plain"];

/// Reads a body of JSON.
pub(super) async fn read(headers: &HeaderMap, body: Incoming, max: usize) -> Result<Bytes, ApiError> {
    let media = media(headers)?;
    if !media.is_empty() && !JSON.iter().any(|json| media.eq_ignore_ascii_case(json)) && !media.ends_with("+json") {
        return Err(ApiError::Media);
    }
    // Whoever asks for leave to send does not get it. Others would take a connection that ends meanwhile for broken.
    if headers.contains_key(header::EXPECT) && body.size_hint().lower() > max as u64 {
        return Err(ApiError::TooLarge(max));
    }
    let error = |error: Box<dyn Error + Send + Sync>| match error.is::<LengthLimitError>() {
        true => ApiError::TooLarge(max),
        false => ApiError::Body,
    };
    Ok(Limited::new(body, max).collect().await.map_err(error)?.to_bytes())
}

/// The type of the body, without parameters; empty when nothing is said.
///
/// # Errors
/// `Media` for one that is compressed.
pub(super) fn media(headers: &HeaderMap) -> Result<&str, ApiError> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(ApiError::Media);
    }
    let Some(media) = headers.get(header::CONTENT_TYPE) else { return Ok("") };
    let media = media.to_str().map_err(|_| ApiError::Media)?;
    Ok(media.split(';').next().unwrap_or_default().trim())
}
