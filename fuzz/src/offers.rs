//! What it is: offers of permessage-deflate, and what must be true of the answer to them (RFC 7692, section 7.1).
//! What it is not: compression (`reader`).
//! Who calls it: `headers`.

use std::collections::BTreeMap;

use engineio::{BareWebSocket, Config, PerMessageDeflate};
use hyper::{
    Request, StatusCode,
    header::{self, HeaderValue},
};

/// Parameters of permessage-deflate by their names. Those without a value have an empty one.
type Parameters = BTreeMap<String, String>;

const SERVER_ALONE: &str = "server_no_context_takeover";
const CLIENT_ALONE: &str = "client_no_context_takeover";
const SERVER_BITS: &str = "server_max_window_bits";
const CLIENT_BITS: &str = "client_max_window_bits";

/// Offers the lines to a server that keeps contexts, and to one that does not.
pub(crate) fn check(lines: &[&str]) {
    let values: Vec<HeaderValue> = lines.iter().filter_map(|line| HeaderValue::from_str(line).ok()).collect();
    let texts = values.iter().filter_map(|value| value.to_str().ok());
    // A window of 8 bits is one that zlib cannot write.
    let offers = texts.flat_map(|text| text.split(',')).filter_map(parameters);
    let first = offers.into_iter().find(|offer| offer.get(SERVER_BITS).is_none_or(|bits| bits != "8"));
    for max_contexts in [0, 1] {
        let answer = answer(&values, max_contexts);
        assert_eq!(answer.is_some(), first.is_some(), "the first offer that can be met is agreed on: {first:?}");
        let (Some(answer), Some(offer)) = (answer, &first) else { continue };
        let agreed = parameters(&answer).expect("the answer has the form of an offer");
        check_answer(offer, &agreed, max_contexts > 0);
        let value = HeaderValue::from_str(&answer).expect("it was a header");
        assert_eq!(self::answer(&[value], max_contexts), Some(answer), "what is agreed on can be met");
    }
}

/// What the server agrees on.
fn answer(offers: &[HeaderValue], max_contexts: usize) -> Option<String> {
    let mut request = Request::new(());
    // As no connection carried the request, there is a promise of one that will not be kept.
    let upgrade = hyper::upgrade::on(&mut request);
    request.extensions_mut().insert(upgrade);
    let headers = request.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(header::SEC_WEBSOCKET_KEY, HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
    for offer in offers {
        headers.append(header::SEC_WEBSOCKET_EXTENSIONS, offer.clone());
    }
    let per_message_deflate = Some(PerMessageDeflate { max_contexts, ..PerMessageDeflate::default() });
    let (answer, websocket) = BareWebSocket::accept(request, Config { per_message_deflate, ..Config::default() });
    assert_eq!((answer.status(), websocket.is_some()), (StatusCode::SWITCHING_PROTOCOLS, true));
    let mut agreed = answer.headers().get_all(header::SEC_WEBSOCKET_EXTENSIONS).iter();
    let first = agreed.next().map(|value| value.to_str().expect("visible").to_owned());
    assert_eq!(agreed.next(), None, "one extension at most");
    first
}

/// The parameters of an offer that has the right form.
fn parameters(offer: &str) -> Option<Parameters> {
    let (name, rest) = offer.split_once(';').map_or((offer, None), |(name, rest)| (name, Some(rest)));
    if name.trim() != "permessage-deflate" {
        return None;
    }
    let mut parameters = Parameters::new();
    for parameter in rest.iter().flat_map(|rest| rest.split(';')) {
        let (name, value) = match parameter.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (parameter.trim(), None),
        };
        let value = match value {
            Some(quoted) if quoted.len() > 1 && quoted.starts_with('"') && quoted.ends_with('"') => {
                Some(&quoted[1..quoted.len() - 1])
            }
            value => value,
        };
        let valid = match name {
            SERVER_ALONE | CLIENT_ALONE => value.is_none(),
            SERVER_BITS => value.is_some_and(is_bits),
            CLIENT_BITS => value.is_none_or(is_bits),
            _ => false,
        };
        let before = parameters.insert(name.to_owned(), value.unwrap_or_default().to_owned());
        if !valid || before.is_some() {
            return None;
        }
    }
    Some(parameters)
}

fn is_bits(value: &str) -> bool {
    (8..=15).any(|bits| value == bits.to_string())
}

fn check_answer(offer: &Parameters, agreed: &Parameters, keeps_contexts: bool) {
    // Section 7.1.1.1: what the client asks of the server has to be in the answer.
    assert!(agreed.contains_key(SERVER_ALONE) || !offer.contains_key(SERVER_ALONE) && keeps_contexts);
    assert!(agreed.contains_key(CLIENT_ALONE) || keeps_contexts);
    // Section 7.1.2.1: the window is not larger than was asked for, and named if it was.
    assert_eq!(agreed.get(SERVER_BITS), offer.get(SERVER_BITS));
    // Section 7.1.2.2: a client is told nothing of its window unless it offers that; here it never is.
    assert!(!agreed.contains_key(CLIENT_BITS));
}
