//! What it is: the origins of pages, and which of them are let in.
//! What it is not: the CORS headers that follow from that (`cors`).
//! Who calls it: `cors` and `service`, for requests that carry an `Origin`.

use std::{error, fmt, net::Ipv6Addr};

/// Which pages may talk to the server. Programs, which send no `Origin`, always may.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origins {
    /// Pages that the same host and port served. Others are refused a WebSocket, and polling tells them nothing,
    /// as no CORS header is sent. The default.
    #[default]
    Same,
    /// All pages, as long as they need no credentials.
    Any,
    /// Pages of these origins.
    List(Vec<Origin>),
}

impl Origins {
    /// Whether a page of this origin may talk to a server that the request calls `host`.
    pub fn allow(&self, origin: &str, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Same => Parts::parse(origin).is_some_and(|origin| origin.is_served_by(host)),
            Self::List(list) => list.iter().any(|listed| listed.matches(origin)),
        }
    }
}

/// An origin that is let in: `https://example.com`, `https://example.com:8443`, `https://*.example.com` for all
/// names below it, or `null` for pages without an origin of their own, such as files and sandboxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(Pattern);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Null,
    Exact {
        scheme: String,
        host: String,
        port: u16,
    },
    /// `suffix` starts with the dot, so that it begins at a label.
    Below {
        scheme: String,
        suffix: String,
        port: u16,
    },
}

/// The text is no origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginError(String);

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no origin such as https://example.com, https://*.example.com or null", self.0)
    }
}

impl error::Error for OriginError {}

impl Origin {
    /// Reads an origin, or a pattern of origins.
    ///
    /// # Errors
    /// [`OriginError`]: no scheme, a path behind it, or a `*` that is not the whole first label.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        if text == "null" {
            return Ok(Self(Pattern::Null));
        }
        let error = || OriginError(text.to_owned());
        let Parts { scheme, host, port } = Parts::parse(text).ok_or_else(error)?;
        let pattern = match host.strip_prefix('*') {
            Some(suffix) if suffix.starts_with('.') && suffix.len() > 1 && !suffix.contains('*') => {
                Pattern::Below { scheme, suffix: suffix.to_owned(), port }
            }
            None if !host.contains('*') => Pattern::Exact { scheme, host, port },
            _ => return Err(error()),
        };
        Ok(Self(pattern))
    }

    fn matches(&self, origin: &str) -> bool {
        let parts = Parts::parse(origin);
        match (&self.0, parts) {
            (Pattern::Null, _) => origin == "null",
            (Pattern::Exact { scheme, host, port }, Some(parts)) => {
                *scheme == parts.scheme && *host == parts.host && *port == parts.port
            }
            (Pattern::Below { scheme, suffix, port }, Some(parts)) => {
                let label = parts.host.strip_suffix(suffix.as_str());
                *scheme == parts.scheme && label.is_some_and(|label| !label.is_empty()) && *port == parts.port
            }
            (_, None) => false,
        }
    }
}

/// An origin taken apart, in lower case, its port written out.
struct Parts {
    scheme: String,
    host: String,
    port: u16,
}

impl Parts {
    fn parse(origin: &str) -> Option<Self> {
        let lower = origin.to_ascii_lowercase();
        let (scheme, authority) = lower.split_once("://")?;
        let (host, port) = split_port(authority, default_port(scheme)?)?;
        Some(Self { scheme: scheme.to_owned(), host: host.to_owned(), port })
    }

    /// Whether `host`, from a request, is where this origin's pages come from.
    fn is_served_by(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let default = default_port(&self.scheme).unwrap_or_default();
        split_port(&host, default).is_some_and(|(host, port)| host == self.host && port == self.port)
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

/// Host and port of `host[:port]`. Hosts are of letters, digits, dots, dashes, or an IPv6 address in brackets.
fn split_port(authority: &str, default: u16) -> Option<(&str, u16)> {
    let end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, rest) = authority.split_at(end);
    let port = match rest.strip_prefix(':') {
        Some(port) if port.bytes().all(|digit| digit.is_ascii_digit()) => port.parse().ok()?,
        Some(_) => return None,
        None if rest.is_empty() => default,
        None => return None,
    };
    let is_address = |host: &str| host.parse::<Ipv6Addr>().is_ok();
    let well_formed = match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']').is_some_and(is_address),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_*".contains(&byte)),
    };
    well_formed.then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_by_scheme_host_and_port() {
        let rows = [
            ("http://good.example", "http://good.example", true),
            ("http://good.example", "HTTP://GOOD.example:80", true),
            ("http://good.example", "https://good.example", false),
            ("http://good.example", "http://good.example:81", false),
            ("http://good.example", "http://good.example.evil.example", false),
            ("http://good.example", "http://evilgood.example", false),
            ("http://good.example", "http://a.good.example", false),
            ("http://good.example", "http://good.example/", false),
            ("http://good.example", "http://good.example:+80", false),
            ("http://good.example", "null", false),
            ("http://good.example", "", false),
            ("https://*.good.example", "https://a.good.example", true),
            ("https://*.good.example", "https://a.b.good.example:443", true),
            ("https://*.good.example", "https://good.example", false),
            ("https://*.good.example", "https://evilgood.example", false),
            ("https://*.good.example", "https://.good.example", false),
            ("https://*.good.example", "http://a.good.example", false),
            ("http://[::1]:3000", "http://[::1]:3000", true),
            ("null", "null", true),
            ("null", "http://good.example", false),
        ];
        for (listed, origin, allowed) in rows {
            let origins = Origins::List(vec![Origin::parse(listed).expect("an origin")]);
            assert_eq!(origins.allow(origin, "good.example"), allowed, "{listed} and {origin}");
        }
    }

    #[test]
    fn the_same_origin_is_that_of_the_host() {
        let rows = [
            ("http://a.example", "a.example", true),
            ("http://a.example", "A.example:80", true),
            ("https://a.example", "a.example", true),
            ("http://a.example:8000", "a.example:8000", true),
            ("http://a.example:8000", "a.example", false),
            ("http://b.example", "a.example", false),
            ("null", "a.example", false),
            ("http://a.example", "", false),
            ("file://", "", false),
        ];
        for (origin, host, allowed) in rows {
            assert_eq!(Origins::Same.allow(origin, host), allowed, "{origin} on {host}");
            assert!(Origins::Any.allow(origin, host));
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            "*",
            "good.example",
            "http://",
            "http://good.example/",
            "http://*",
            "http://*.",
            "http://a*.example",
            "http://a.*.example",
            "http://*.*.example",
            "ftp://a.example",
            "http://a.example:x",
            "http://a.example:+80",
            "http://a[b]",
            "http://[b]",
            "http://[::1]b",
            "http://[::1",
            "http://a b",
        ] {
            assert_eq!(Origin::parse(text), Err(OriginError(text.to_owned())));
        }
    }
}
