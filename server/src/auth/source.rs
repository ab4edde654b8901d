//! What it is: the search for a client's token in what it has sent.
//! What it is not: the check of it (`key`).
//! Who calls it: `auth`, for each client that joins; `options` asks which headers are wanted.

use std::borrow::Cow;

use engineio::Handshake;
use hyper::header;
use serde_json::Value;

use crate::config::TokenSource;

/// The token in the first of these places where there is one. `auth` is what the client sent with its CONNECT.
pub(super) fn find<'a>(sources: &[TokenSource], handshake: &'a Handshake, auth: &'a Value) -> Option<Cow<'a, str>> {
    sources.iter().find_map(|source| one(source, handshake, auth)).filter(|token| !token.is_empty())
}

fn one<'a>(source: &TokenSource, handshake: &'a Handshake, auth: &'a Value) -> Option<Cow<'a, str>> {
    match source {
        TokenSource::Auth(name) => auth.get(name)?.as_str().map(|text| without_scheme(text).into()),
        TokenSource::Query(name) => handshake.params().find(|(param, _)| param == name).map(|(_, value)| value),
        TokenSource::Header(name) => text(handshake.header(name.as_str())?).map(|text| without_scheme(text).into()),
        TokenSource::Cookie(name) => {
            let pairs = text(handshake.header(header::COOKIE.as_str())?)?.split(';');
            let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
            pairs.find(|(cookie, _)| cookie == name).map(|(_, value)| value.trim_matches('"').into())
        }
    }
}

/// A header as text; others have no token.
fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

/// The token itself: clients say `Bearer` before it, where the header is the usual one.
fn without_scheme(text: &str) -> &str {
    match text.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer ") => token.trim_start(),
        _ => text,
    }
}

/// The headers of a handshake that are looked at.
pub(crate) fn headers(sources: &[TokenSource]) -> impl Iterator<Item = &str> {
    sources.iter().filter_map(|source| match source {
        TokenSource::Header(name) => Some(name.as_str()),
        TokenSource::Cookie(_) => Some(header::COOKIE.as_str()),
        TokenSource::Auth(_) | TokenSource::Query(_) => None,
    })
}
