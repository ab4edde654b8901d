//! What it is: what the head of a message says of one hop only, and of how the message ends.
//! What it is not: what the head says of the client (`proxies`).
//! Who calls it: `upstream`, for requests and for answers.

use hyper::{
    HeaderMap, Version,
    header::{self, HeaderName, HeaderValue},
    http::request::Parts,
};

/// RFC 9110, section 7.6.1: what concerns one connection, and is not passed on. `Trailer` is: trailers are.
const OF_ONE_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// How protocols begin that carry HTTP.
const HTTP_AGAIN: [&str; 3] = ["h2c", "http", "tls/"];

/// Takes out what concerns one connection.
pub(crate) fn strip(headers: &mut HeaderMap) {
    // Who frames a body by chunks has not said its length, whatever else is said.
    if headers.contains_key(header::TRANSFER_ENCODING) {
        headers.remove(header::CONTENT_LENGTH);
    }
    let named = words(headers, &header::CONNECTION).filter_map(|name| name.parse::<HeaderName>().ok());
    // Whom a request is for concerns everybody.
    let named: Vec<_> = named.filter(|name| name != header::HOST).collect();
    for name in named.iter().chain(&OF_ONE_HOP) {
        headers.remove(name);
    }
}

/// The protocol that the connection is to go on with. One that is HTTP again is none: requests would pass by unseen.
pub(crate) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    words(headers, &header::CONNECTION).find(|word| word.eq_ignore_ascii_case("upgrade"))?;
    let mut values = headers.get_all(header::UPGRADE).iter();
    let (only, None) = (values.next()?, values.next()) else { return None };
    let is_other = !words(headers, &header::UPGRADE).any(|name| HTTP_AGAIN.iter().any(|http| starts_with(name, http)));
    is_other.then(|| only.clone())
}

fn starts_with(name: &str, start: &str) -> bool {
    name.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start))
}

/// Whether trailers may follow the answer.
pub(crate) fn takes_trailers(headers: &HeaderMap) -> bool {
    words(headers, &header::TE).any(|word| word.eq_ignore_ascii_case("trailers"))
}

/// Whether it is clear whom a request is for and where it ends: whoever reads it otherwise sees other requests in it.
pub(crate) fn is_clear(request: &Parts) -> bool {
    let headers = &request.headers;
    let hosts = headers.get_all(header::HOST).iter().count();
    let has_host = hosts == 1 || hosts == 0 && request.version < Version::HTTP_11;
    let host = headers.get(header::HOST).map_or(&b""[..], HeaderValue::as_bytes);
    let is_for_host = |authority: &str| authority.as_bytes().eq_ignore_ascii_case(host);
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_chunked = codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    has_host
        && is_chunked
        && codings.next().is_none()
        && request.uri.path().starts_with('/')
        && request.uri.authority().is_none_or(|authority| is_for_host(authority.as_str()))
}

/// The entries of a list.
fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}
