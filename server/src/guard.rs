//! What it is: the check that a request comes from this machine's own pages and programs.
//! What it is not: a log-in. It keeps pages from elsewhere, which a browser here shows, away from the playground.
//! Who calls it: `front`, before anything else.

use hyper::{HeaderMap, Uri, header};

/// Whether `Host` names this machine, so that no foreign name was pointed at it (DNS rebinding), and `Origin`,
/// which browsers add for pages, does so too, on whatever port.
pub(crate) fn is_local(uri: &Uri, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
    let mut origins = headers.get_all(header::ORIGIN).iter();
    host.is_none_or(is_loopback)
        && origins.all(|origin| {
            origin.to_str().ok().and_then(|origin| origin.split_once("://")).is_some_and(|(_, host)| is_loopback(host))
        })
}

/// Whether `host[:port]` is a name or an address of this machine's loopback.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<hyper::http::uri::Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_local() {
        for host in ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["", "evil.example", "localhost.evil.example:8000", "127.0.0.1.evil.example", "10.0.0.1", "null", "@"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn pages_from_elsewhere_are_kept_out() {
        let local = |headers: &[(header::HeaderName, &'static str)]| {
            let headers =
                headers.iter().map(|(name, value)| (name.clone(), hyper::header::HeaderValue::from_static(value)));
            is_local(&Uri::from_static("/"), &headers.collect())
        };
        assert!(local(&[(header::HOST, "localhost:8000")]));
        assert!(local(&[(header::HOST, "localhost:8000"), (header::ORIGIN, "http://127.0.0.1:5173")]));
        assert!(!local(&[(header::HOST, "evil.example:8000")]));
        assert!(!local(&[(header::HOST, "localhost:8000"), (header::ORIGIN, "http://evil.example")]));
        assert!(!local(&[(header::HOST, "localhost:8000"), (header::ORIGIN, "null")]));
    }
}
