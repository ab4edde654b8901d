//! What it is: the kinds of values that backends have: URLs, who is asked about, headers of clients.
//! What it is not: those of other sections (`word`).
//! Who calls it: `keys` names them; `backend` reads them.

use std::{fmt, path::PathBuf};

use hyper::{
    Uri,
    http::uri::{Authority, Scheme},
};

use super::{
    kind::{Scalar, quoted},
    value::Value,
    word::{Upstream, is_path},
};

/// Where a backend takes hooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BackendUrl {
    Http { is_secure: bool, authority: Authority, path: String },
    Unix { socket: PathBuf, path: String },
}

impl BackendUrl {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("unix:") {
            let (socket, path) =
                rest.split_once(":/").map_or((rest, "/".into()), |(at, path)| (at, format!("/{path}")));
            let is_right = socket.len() > 1 && socket.starts_with('/') && (path == "/" || is_path(&path));
            return is_right.then(|| Self::Unix { socket: socket.into(), path });
        }
        let (is_secure, rest) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://")?),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let authority: Authority = authority.parse().ok()?;
        let path = if path.is_empty() { "/" } else { path };
        // What somebody would put before an `@` is a secret, and this is shown.
        let is_right = !authority.as_str().contains('@') && !authority.host().is_empty();
        (is_right && (path == "/" || is_path(path))).then(|| Self::Http { is_secure, authority, path: path.to_owned() })
    }

    pub(crate) fn path(&self) -> &str {
        let (Self::Http { path, .. } | Self::Unix { path, .. }) = self;
        path
    }

    /// The same for requests on its connections.
    pub(crate) fn uri(&self) -> Uri {
        let (scheme, authority) = match self {
            Self::Http { is_secure: true, authority, .. } => (Scheme::HTTPS, authority.clone()),
            Self::Http { authority, .. } => (Scheme::HTTP, authority.clone()),
            Self::Unix { .. } => (Scheme::HTTP, Authority::from_static("localhost")),
        };
        let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(self.path()).build();
        uri.expect("its parts were checked when they were read")
    }

    /// Whether hooks on their way there could be seen by others, or come from them.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Http { authority, .. } => is_loopback(authority),
            Self::Unix { .. } => true,
        }
    }

    /// Whether it is a part of the application behind the proxy.
    pub(crate) fn is_behind(&self, upstream: &Upstream) -> bool {
        match (self.as_upstream(), upstream) {
            (Some(Upstream::Http { authority, .. }), Upstream::Http { authority: other, .. }) => {
                let is_same = authority.host().eq_ignore_ascii_case(other.host());
                let port = |authority: &Authority| authority.port_u16().unwrap_or(80);
                (is_same || is_loopback(&authority) && is_loopback(other)) && port(&authority) == port(other)
            }
            (Some(Upstream::Unix(socket)), Upstream::Unix(other)) => socket == *other,
            _ => false,
        }
    }

    /// The application that it is a part of, unless it speaks TLS.
    pub(super) fn as_upstream(&self) -> Option<Upstream> {
        match self {
            Self::Http { is_secure: true, .. } => None,
            Self::Http { authority, .. } => {
                Some(Upstream::Http { authority: authority.clone(), prefix: String::new() })
            }
            Self::Unix { socket, .. } => Some(Upstream::Unix(socket.clone())),
        }
    }
}

/// Whether an address is on this machine.
fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl Default for BackendUrl {
    /// Where Flask listens, and where the bridge for Python puts hooks.
    fn default() -> Self {
        let (authority, path) = (Authority::from_static("127.0.0.1:5000"), "/_socketio".to_owned());
        Self::Http { is_secure: false, authority, path }
    }
}

impl fmt::Display for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { .. } => write!(f, "{}", self.uri()),
            Self::Unix { socket, path } if path == "/" => write!(f, "unix:{}", socket.display()),
            Self::Unix { socket, path } => write!(f, "unix:{}:{path}", socket.display()),
        }
    }
}

impl Scalar for BackendUrl {
    const KIND: &'static str =
        "a URL such as \"http://127.0.0.1:5000/_socketio\", or \"unix:/run/app.sock:/_socketio\"";

    fn read(value: &Value) -> Option<Self> {
        Self::parse(value.text()?)
    }

    fn shown(&self) -> String {
        quoted(&self.to_string())
    }
}

/// About whom a backend is asked when they want to join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    Nobody,
    /// Those of whom nothing else says who they are.
    Strangers,
    Everybody,
}

impl Scalar for About {
    const KIND: &'static str = "true, false or \"always\"";

    fn read(value: &Value) -> Option<Self> {
        match value.bool() {
            Some(true) => Some(Self::Strangers),
            Some(false) => Some(Self::Nobody),
            None => (value.text()? == "always").then_some(Self::Everybody),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Nobody => "false".into(),
            Self::Strangers => "true".into(),
            Self::Everybody => quoted("always"),
        }
    }
}

/// The name of a header that clients may have passed on, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeaderName(pub(crate) String);

/// How names begin of what the server itself says.
const OF_SERVER: [&str; 5] = ["socketio-", "webhook-", "x-forwarded-", "x-real-ip", "forwarded"];

impl HeaderName {
    pub(super) fn usual() -> Vec<Self> {
        let names = ["cookie", "authorization", "user-agent", "origin", "referer", "accept-language", "x-request-id"];
        names.map(|name| Self(name.into())).into()
    }
}

impl Scalar for HeaderName {
    const KIND: &'static str = "the name of a header, but none that the server itself sets";

    fn read(value: &Value) -> Option<Self> {
        let name: hyper::header::HeaderName = value.text()?.parse().ok()?;
        let is_ours = OF_SERVER.iter().any(|start| name.as_str().starts_with(start));
        (!is_ours).then(|| Self(name.as_str().to_owned()))
    }

    fn shown(&self) -> String {
        quoted(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_backends_are_read_and_shown() {
        for (text, shown, path) in [
            ("http://127.0.0.1:5000/_socketio", "", "/_socketio"),
            ("https://app.example/hooks/io", "", "/hooks/io"),
            ("http://[::1]:5000", "http://[::1]:5000/", "/"),
            ("unix:/run/app.sock", "", "/"),
            ("unix:/run/app.sock:/hook", "", "/hook"),
        ] {
            let url = BackendUrl::parse(text).expect(text);
            assert_eq!((url.to_string(), url.path()), ((if shown.is_empty() { text } else { shown }).to_owned(), path));
        }
        for wrong in
            ["", "app", "ftp://a/b", "http://", "http:///x", "http://a/b?c", "http://u:p@a/b", "unix:x", "unix:/"]
        {
            assert_eq!(BackendUrl::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn backends_behind_the_proxy_are_known() {
        let upstream = |text: &str| Upstream::read(&Value::Text(text.into())).expect(text);
        for (backend, proxy, is_behind) in [
            ("http://127.0.0.1:5000/x", "http://127.0.0.1:5000", true),
            ("http://localhost:5000/x", "http://[::1]:5000/app", true),
            ("http://APP/x", "http://app:80", true),
            ("http://127.0.0.1:5001/x", "http://127.0.0.1:5000", false),
            ("http://app:5000/x", "http://other:5000", false),
            ("https://app:5000/x", "http://app:5000", false),
            ("unix:/run/a:/x", "unix:/run/a", true),
            ("unix:/run/a:/x", "unix:/run/b", false),
            ("http://127.0.0.1:5000/x", "", false),
        ] {
            let url = BackendUrl::parse(backend).expect(backend);
            assert_eq!(url.is_behind(&upstream(proxy)), is_behind, "{backend} {proxy}");
        }
    }
}
