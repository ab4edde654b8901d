//! What it is: the compression of polling answers, chosen by what the client accepts.
//! What it is not: compression of WebSocket messages (`deflate`).
//! Who calls it: `answer`; `socketio-server`, for its client bundle.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use hyper::{
    HeaderMap,
    header::{self, HeaderValue},
};

/// Codings in the reference's order of preference.
const CODINGS: [&str; 2] = ["gzip", "deflate"];

/// Compresses a body if the client accepts it; names the coding in the answer's headers.
pub(crate) fn compress(body: Bytes, request: &HeaderMap, answer: &mut HeaderMap) -> Bytes {
    let Some(coding) = CODINGS.into_iter().find(|coding| accepts(request, coding)) else { return body };
    let compressed = if coding == "gzip" { gzip(&body) } else { deflate(&body) };
    answer.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    answer.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    compressed.expect("compressing from memory to memory does not fail").into()
}

/// Whether a request's `Accept-Encoding` lists this coding, and not with a weight of zero (RFC 9110, section 12.5.3).
pub fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let listed = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    listed.flat_map(|value| value.split(',')).any(|entry| {
        let (name, parameters) = entry.split_once(';').unwrap_or((entry, ""));
        let mut parameters = parameters.split(';').filter_map(|parameter| parameter.trim().split_once('='));
        let refused = parameters.any(|(name, value)| name.eq_ignore_ascii_case("q") && value.parse() == Ok(0.0_f32));
        name.trim().eq_ignore_ascii_case(coding) && !refused
    })
}

/// The content coding `gzip`.
///
/// # Errors
/// None in practice: memory takes all.
pub fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content)?;
    encoder.finish()
}

/// The content coding `deflate`, which is the zlib format (RFC 9110, section 8.4.1.2).
///
/// # Errors
/// None in practice: memory takes all.
pub fn deflate(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content)?;
    encoder.finish()
}
