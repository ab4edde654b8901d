//! What it is: the page for operators, one file that is part of the binary.
//! What it is not: what it shows; it asks the API and `/metrics` for that, with the key of whoever looks.
//! Who calls it: `admin`.

use bytes::Bytes;
use engineio::Sid;
use http_body_util::Full;
use hyper::{
    Response,
    header::{self, HeaderValue},
};

const PAGE: &str = include_str!("admin_page/index.html");

/// The page, with a word for its own script and style that no other page can know: no script but this one runs.
pub(crate) fn answer() -> Response<Full<Bytes>> {
    let nonce = Sid::draw();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let mut answer = Response::new(Full::from(PAGE.replace("{{nonce}}", nonce.as_str())));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy.try_into().expect("a sid is header text"));
    answer
}
