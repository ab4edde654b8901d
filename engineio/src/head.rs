//! What it is: what the head of a request says about the request as a whole: its host, its body, what it expects.
//! What it is not: a parser; the HTTP library read the head. Here is what it lets pass and this server does not.
//! Who calls it: `service`, before it looks at the query; `cors`, for the host.

use hyper::{
    HeaderMap, Method, Version,
    header::{self, HeaderName, HeaderValue},
    http::request::Parts,
};

use crate::refusal::Context;

/// The host that a request is for: that of its target with HTTP/2, of its `Host` header before. Empty when unsaid.
pub(crate) fn host(request: &Parts) -> &str {
    if request.version >= Version::HTTP_2
        && let Some(authority) = request.uri.authority()
    {
        return authority.as_str();
    }
    request.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
}

/// Whether the target names another host than the header does, which only a request for a proxy has cause to.
pub(crate) fn is_for_another_host(request: &Parts) -> bool {
    request.uri.authority().is_some_and(|authority| !authority.as_str().eq_ignore_ascii_case(host(request)))
}

/// Checks that it is clear whom the request is for and where it ends.
///
/// # Errors
/// [`Context::InvalidHost`], [`Context::InvalidFraming`].
pub(crate) fn check(request: &Parts) -> Result<(), Context> {
    if lacks_host(request) {
        return Err(Context::InvalidHost);
    }
    let headers = &request.headers;
    if has_doubtful_framing(headers) || request.method == Method::GET && announces_body(headers) {
        return Err(Context::InvalidFraming);
    }
    Ok(())
}

/// RFC 9112, section 3.2: a request of HTTP/1.1 has one `Host` header.
fn lacks_host(request: &Parts) -> bool {
    request.version == Version::HTTP_11 && request.headers.get_all(header::HOST).iter().count() != 1
}

/// Whether a body follows, by the headers that frame it.
fn announces_body(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0")
}

/// Whether the body is framed in more ways than by chunks: who reads it otherwise sees other requests behind it.
fn has_doubtful_framing(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let first = codings.next().is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    first || codings.next().is_some()
}

/// Whether an expectation is other than the one there is (RFC 9110, section 10.1.1).
pub(crate) fn expects_the_unknown(headers: &HeaderMap) -> bool {
    headers.get_all(header::EXPECT).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// The subprotocol that a WebSocket handshake is answered with: the first one it names, as in the reference, because
/// a client that names some takes no answer without one.
///
/// # Errors
/// They are no list of tokens (RFC 6455, section 4.1).
pub(crate) fn subprotocol(headers: &HeaderMap) -> Result<Option<HeaderValue>, Context> {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut first = None;
    for name in values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii) {
        HeaderName::from_bytes(name).map_err(|_| Context::TransportHandshake)?;
        first = first.or_else(|| HeaderValue::from_bytes(name).ok());
    }
    Ok(first)
}
