//! What it is: any text as what a browser says of itself: extensions it offers, codings it takes, its page's origin.
//! What it is not: the other headers, which hyper reads, or the server only compares.
//! Who calls it: libFuzzer and the replay test.
//!
//! The first letter says what the lines behind it are: `e`, the values of `Sec-WebSocket-Extensions`; `a`, those of
//! `Accept-Encoding`; `o`, an origin that is let in, an origin, and a host; `c`, the name and path of a cookie.

use engineio::{Cookie, compress};
use hyper::{
    HeaderMap,
    header::{ACCEPT_ENCODING, HeaderValue},
};

use crate::{offers, origins};

/// Reads the lines as those of one kind.
pub fn headers(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Some((kind, text)) = text.split_at_checked(1) else { return };
    let lines: Vec<&str> = text.split('\n').collect();
    match (kind, &lines[..]) {
        ("e", lines) => offers::check(lines),
        ("a", lines) => codings(lines),
        ("o", [listed, origin, host]) => origins::check(listed, origin, host),
        ("c", [name, path]) => cookie(name, path),
        _ => {}
    }
}

/// RFC 9110, section 12.5.3: a coding is accepted when it is listed, or else `*` is, unless its weight is zero.
fn codings(lines: &[&str]) {
    let values: Vec<_> = lines.iter().filter_map(|line| HeaderValue::from_str(line).ok()).collect();
    let (mut headers, mut entries) = (HeaderMap::new(), Vec::new());
    for value in &values {
        headers.append(ACCEPT_ENCODING, value.clone());
        entries.extend(value.to_str().unwrap_or_default().to_ascii_lowercase().split(',').map(str::to_owned));
    }
    // What is no weight by that section's grammar may be read either way.
    let weights = |entry: &str| -> Vec<String> {
        entry.split(';').skip(1).filter_map(|part| part.trim().strip_prefix("q=").map(str::to_owned)).collect()
    };
    let is_weight =
        |weight: &String| weight.len() <= 5 && weight.chars().all(|sign| sign.is_ascii_digit() || sign == '.');
    if !entries.iter().flat_map(|entry| weights(entry)).all(|weight| is_weight(&weight)) {
        return;
    }
    let is_zero = |weight: &String| weight.contains('0') && weight.replacen('.', "", 1).chars().all(|sign| sign == '0');
    for coding in ["gzip", "deflate", "br"] {
        let entry_of = |listed: &str| {
            entries.iter().find(|entry| entry.split(';').next().is_some_and(|name| name.trim() == listed))
        };
        let entry = entry_of(coding).or_else(|| entry_of("*"));
        let accepted = entry.is_some_and(|entry| !weights(entry).first().is_some_and(is_zero));
        assert_eq!(compress::accepts(&headers, coding), accepted, "{coding} in {entries:?}");
    }
}

/// What is configured adds no attribute, and no other header.
fn cookie(name: &str, path: &str) {
    let Ok(cookie) = Cookie::new(name).and_then(|cookie| cookie.path(Some(path))) else { return };
    let header = cookie.to_string();
    let parts: Vec<&str> = header.split("; ").collect();
    assert_eq!(parts, [&format!("{name}=<sid>"), &format!("Path={path}"), "HttpOnly", "SameSite=Lax"]);
    assert_eq!(header.matches(';').count(), 3);
    assert!(!name.contains('=') && HeaderValue::from_str(&header).is_ok_and(|value| value.to_str().is_ok()));
}
