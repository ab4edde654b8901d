//! What it is: the HTTP answers: their statuses, headers and bodies.
//! What it is not: the choice among them (`service`).
//! Who calls it: `service`.

use bytes::Bytes;
use http_body_util::{BodyExt, Collected, Full};
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{self, HeaderValue},
};

use crate::{
    compress,
    extension::Agreed,
    head, jsonp,
    packet::Message,
    polling::Polled,
    reason::HandshakeError,
    refusal::{Context, Refusal},
    websocket,
};

/// Seconds after which a client may ask again for a session of which there are too many.
const RETRY_AFTER: &str = "10";

/// An answer to a request. Its body is whole at once.
pub type Answer = Response<Full<Bytes>>;

/// The 101 answer, with what was agreed on; with another status, the one to a handshake of another version.
///
/// # Errors
/// When the headers are no handshake.
pub(crate) fn switch(headers: &HeaderMap, agreed: Option<&Agreed>) -> Result<Answer, Context> {
    let subprotocol = head::subprotocol(headers)?;
    let key = match websocket::accept_key(headers) {
        Ok(key) => HeaderValue::try_from(key).expect("base64 is a header value"),
        Err(websocket::Refusal::Malformed) => return Err(Context::TransportHandshake),
        // RFC 6455, section 4.4: 426 with the version that is understood.
        Err(websocket::Refusal::Version) => {
            let mut answer = empty(StatusCode::UPGRADE_REQUIRED);
            answer.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            return Ok(answer);
        }
    };
    let mut answer = empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
    if let Some(subprotocol) = subprotocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    if let Some(agreed) = agreed {
        let agreed = HeaderValue::try_from(agreed.to_string()).expect("names and numbers are a header value");
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, agreed);
    }
    Ok(answer)
}

/// The official error body.
pub(crate) fn refuse(Refusal { error, status, message, .. }: &Refusal) -> Answer {
    let mut body = format!(r#"{{"code":{},"message":""#, error.code());
    jsonp::escape(message, &mut body);
    body.push_str("\"}");
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = *status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if *error == HandshakeError::Unavailable {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    }
    answer
}

/// What a request says of the answer it wants.
pub(crate) struct Wanted {
    jsonp: Option<String>,
    /// The coding that it likes best of those there are.
    coding: Option<&'static str>,
    /// The client is an Internet Explorer.
    filters: bool,
}

impl Wanted {
    /// Reads the headers, of which nothing is kept.
    pub(crate) fn by(headers: &HeaderMap, jsonp: Option<String>) -> Self {
        let agent = headers.get(header::USER_AGENT).map_or(&[][..], HeaderValue::as_bytes);
        let filters = contains(agent, b";MSIE") || contains(agent, b"Trident/");
        Self { jsonp, coding: compress::preferred(headers), filters }
    }

    /// The answer to a GET, compressed from `threshold` bytes on if the client accepts that and the packets do.
    /// Headers `added` go before those of the same name.
    pub(crate) fn polled(self, polled: Polled, threshold: Option<usize>, added: HeaderMap) -> Answer {
        let (body, content_type): (Bytes, _) = match (polled.body, &self.jsonp) {
            (Message::Binary(body), _) => (body, const { HeaderValue::from_static("application/octet-stream") }),
            (Message::Text(body), Some(index)) => {
                (jsonp::wrap(&body, index).into(), const { HeaderValue::from_static("text/javascript; charset=UTF-8") })
            }
            (Message::Text(body), None) => {
                (body.into_bytes(), const { HeaderValue::from_static("text/plain; charset=UTF-8") })
            }
        };
        let is_large = threshold.is_some_and(|threshold| body.len() >= threshold);
        let coding = self.coding.filter(|_| polled.compress && is_large);
        let body = match coding {
            Some(coding) => compress::encode(&body, coding),
            None => body,
        };
        let mut answer = self.uncached(body, content_type);
        if !added.is_empty() {
            answer.headers_mut().extend(added);
        }
        if let Some(coding) = coding {
            answer.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
            answer.headers_mut().append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        answer
    }

    /// The answer to a POST.
    pub(crate) fn posted(&self) -> Answer {
        self.uncached(Bytes::from_static(b"ok"), const { HeaderValue::from_static("text/html") })
    }

    fn uncached(&self, body: Bytes, content_type: HeaderValue) -> Answer {
        let mut answer = Response::new(Full::new(body));
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, content_type);
        headers.insert(header::CACHE_CONTROL, const { HeaderValue::from_static("no-store") });
        if self.filters {
            // As in the reference: its filter takes JSON in answers for an attack.
            headers.insert(header::X_XSS_PROTECTION, HeaderValue::from_static("0"));
        }
        answer
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The answer to a body that is too large, too slow, or not to be read at all.
pub(crate) fn unread(status: StatusCode) -> Answer {
    let mut answer = empty(status);
    // What is left of the body is not read.
    close_after(&mut answer);
    answer
}

/// The answer to a method that sessions do not have.
pub(crate) fn wrong_method() -> Answer {
    let mut answer = empty(StatusCode::METHOD_NOT_ALLOWED);
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
    answer
}

pub(crate) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

/// The bytes of an answer in HTTP/1.1, behind which, unless it is 101, the connection ends.
pub(crate) async fn encode(mut answer: Answer) -> Vec<u8> {
    let status = answer.status();
    let Ok(body) = answer.body_mut().collect().await.map(Collected::to_bytes);
    if status != StatusCode::SWITCHING_PROTOCOLS {
        close_after(&mut answer);
        answer.headers_mut().insert(header::CONTENT_LENGTH, body.len().into());
    }
    let reason = status.canonical_reason().unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
    for (name, value) in answer.headers() {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body);
    bytes
}

/// Ends the connection behind this answer.
pub(crate) fn close_after(answer: &mut Answer) {
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}
