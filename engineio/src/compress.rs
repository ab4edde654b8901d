//! What it is: the compression of polling answers, chosen by what the client accepts.
//! What it is not: compression of WebSocket messages (`deflate`).
//! Who calls it: `answer`; `socketio-server`, for its client bundle.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use hyper::{HeaderMap, header};

/// Codings that there are; of those that a client likes equally, the first one it lists is taken, as in the reference.
const CODINGS: [&str; 2] = ["gzip", "deflate"];

/// Compresses a body with one of the codings that there are.
pub(crate) fn encode(body: &[u8], coding: &str) -> Bytes {
    let compressed = if coding == "gzip" { gzip(body) } else { deflate(body) };
    compressed.expect("compressing from memory to memory does not fail").into()
}

/// Which of the codings that there are a request's `Accept-Encoding` likes best (RFC 9110, section 12.5.3).
pub(crate) fn preferred(headers: &HeaderMap) -> Option<&'static str> {
    let listed = listed(headers);
    let weighed = CODINGS.iter().filter_map(|coding| Some((*coding, weight(&listed, coding)?)));
    let best = weighed.reduce(|best, other| {
        let ((_, (most, first)), (_, (weight, at))) = (best, other);
        if weight > most || (weight == most && at < first) { other } else { best }
    });
    best.map(|(coding, _)| coding)
}

/// Whether a request's `Accept-Encoding` lists this coding, and not with a weight of zero (RFC 9110, section 12.5.3).
pub fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    weight(&listed(headers), coding).is_some()
}

/// The weight of a coding and its place in the list, its own or that of `*`.
fn weight(listed: &[(&str, f32)], coding: &str) -> Option<(f32, usize)> {
    let named = listed.iter().position(|(name, _)| name.eq_ignore_ascii_case(coding));
    let at = named.or_else(|| listed.iter().position(|(name, _)| *name == "*"))?;
    Some((listed[at].1, at)).filter(|(weight, _)| *weight > 0.0)
}

fn listed(headers: &HeaderMap) -> Vec<(&str, f32)> {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(entry).collect()
}

/// The name and the weight of one entry of the list.
fn entry(entry: &str) -> (&str, f32) {
    let (name, parameters) = entry.split_once(';').unwrap_or((entry, ""));
    let mut parameters = parameters.split(';').filter_map(|parameter| parameter.trim().split_once('='));
    let weight = parameters.find(|(name, _)| name.eq_ignore_ascii_case("q")).and_then(|(_, value)| value.parse().ok());
    (name.trim(), weight.unwrap_or(1.0))
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
