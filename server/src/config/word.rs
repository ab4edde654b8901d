//! What it is: kinds of values that know what they are for: addresses, paths of URLs, origins, closed lists of words.
//! What it is not: plain kinds such as times and sizes (`kind`).
//! Who calls it: `keys` names them; whoever is configured reads them.

use std::{fmt, net::SocketAddr, path::PathBuf};

use engineio::{Cookie, Origin, Transport};
use hyper::http::uri::Authority;

use super::{
    kind::{Scalar, quoted},
    value::Value,
};
use crate::redis::Address;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Listen {
    Tcp(SocketAddr),
    Unix(PathBuf),
    /// The sockets that systemd, or who else started the process, has opened.
    Inherited,
}

impl Listen {
    /// Whether only this machine can reach it. Of what is inherited that is not known.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
            Self::Inherited => false,
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Inherited => f.write_str("systemd"),
        }
    }
}

impl Scalar for Listen {
    const KIND: &'static str = "an address such as \"127.0.0.1:8000\", \"unix:/run/socketio.sock\" or \"systemd\"";

    fn read(value: &Value) -> Option<Self> {
        match value.text()? {
            "systemd" => Some(Self::Inherited),
            text => match text.strip_prefix("unix:") {
                Some(path) => path.starts_with('/').then(|| Self::Unix(path.into())),
                None => text.parse().ok().map(Self::Tcp),
            },
        }
    }

    fn shown(&self) -> String {
        quoted(&self.to_string())
    }
}

/// A path of URLs that begins and ends with a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UrlPath(pub(crate) String);

impl Scalar for UrlPath {
    const KIND: &'static str = "the path of a URL, such as \"/socket.io/\"";

    fn read(value: &Value) -> Option<Self> {
        let text = value.text()?.trim_end_matches('/');
        is_path(text).then(|| Self(format!("{text}/")))
    }

    fn shown(&self) -> String {
        quoted(&self.0)
    }
}

/// What stands before the paths of the admin listener: nothing, or a path without a slash at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Prefix(pub(crate) String);

impl Scalar for Prefix {
    const KIND: &'static str = "\"\", or the start of a path, such as \"/_socketio\"";

    fn read(value: &Value) -> Option<Self> {
        let text = value.text()?.trim_end_matches('/');
        (text.is_empty() || is_path(text)).then(|| Self(text.into()))
    }

    fn shown(&self) -> String {
        quoted(&self.0)
    }
}

/// Where requests go that are not the server's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Upstream {
    #[default]
    Nowhere,
    /// Host and port, and what stands before the paths of requests, without a slash at its end.
    Http {
        authority: Authority,
        prefix: String,
    },
    Unix(PathBuf),
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => Ok(()),
            Self::Http { authority, prefix } => write!(f, "http://{authority}{prefix}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Scalar for Upstream {
    const KIND: &'static str = "\"\", a URL such as \"http://127.0.0.1:5000\", or \"unix:/run/app.sock\"";

    fn read(value: &Value) -> Option<Self> {
        let text = value.text()?;
        if text.is_empty() {
            return Some(Self::Nowhere);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return path.starts_with('/').then(|| Self::Unix(path.into()));
        }
        let rest = text.strip_prefix("http://")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let prefix = path.trim_end_matches('/');
        let authority: Authority = authority.parse().ok()?;
        let is_right = !authority.as_str().contains('@') && !authority.host().is_empty();
        (is_right && (prefix.is_empty() || is_path(prefix))).then(|| Self::Http { authority, prefix: prefix.into() })
    }

    fn shown(&self) -> String {
        quoted(&self.to_string())
    }
}

pub(super) fn is_path(text: &str) -> bool {
    text.len() > 1
        && text.starts_with('/')
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte))
}

/// Which pages may talk to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AllowedOrigin {
    Same,
    Any,
    /// The origin, and how it was written.
    One(Origin, String),
}

impl Scalar for AllowedOrigin {
    const KIND: &'static str = "\"same-origin\", \"*\", or an origin such as \"https://*.example.com\" or \
                                \"http://localhost:5173\", with its scheme, and without a slash at its end";

    fn read(value: &Value) -> Option<Self> {
        match value.text()? {
            "same-origin" => Some(Self::Same),
            "*" => Some(Self::Any),
            text => Origin::parse(text).ok().map(|origin| Self::One(origin, text.to_owned())),
        }
    }

    fn shown(&self) -> String {
        quoted(match self {
            Self::Same => "same-origin",
            Self::Any => "*",
            Self::One(_, text) => text,
        })
    }
}

/// The name of a cookie; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CookieName(pub(crate) Option<Cookie>, String);

impl Scalar for CookieName {
    const KIND: &'static str = "\"\", or the name of a cookie";

    fn read(value: &Value) -> Option<Self> {
        match value.text()? {
            "" => Some(Self::default()),
            name => Cookie::new(name).ok().map(|cookie| Self(Some(cookie), name.to_owned())),
        }
    }

    fn shown(&self) -> String {
        quoted(&self.1)
    }
}

/// The whole name of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamespaceName(pub(crate) String);

impl Scalar for NamespaceName {
    const KIND: &'static str = "the whole name of a namespace, such as \"/chat\", or its beginning and a \"*\"";

    fn read(value: &Value) -> Option<Self> {
        let text = value.text()?;
        let name = text.strip_suffix('*').unwrap_or(text);
        let is_name =
            (name.starts_with('/') || text == "*") && name.len() <= 255 && !name.contains([',', '*', '?', '{', '}']);
        is_name.then(|| Self(text.to_owned()))
    }

    fn shown(&self) -> String {
        quoted(&self.0)
    }
}

/// Where Redis is; nowhere by default. There may be a password in it.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct RedisUrl(pub(crate) String);

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Scalar for RedisUrl {
    const KIND: &'static str = "\"\", or a URL such as \"redis://host:6379/0\", \"rediss://\", \"unix://\" or \
                                \"redis+sentinel://host:26379/0/service\"";
    const IS_SECRET: bool = true;

    fn read(value: &Value) -> Option<Self> {
        let text = value.text()?;
        (text.is_empty() || Address::parse(text).is_some()).then(|| Self(text.to_owned()))
    }

    fn shown(&self) -> String {
        quoted(if self.0.is_empty() { "" } else { "***" })
    }
}

/// Declares a closed list of words.
macro_rules! words {
    (
        $(#[doc = $about:literal])+
        $name:ident: $kind:literal { $($(#[doc = $doc:literal])* $variant:ident = $word:literal,)+ }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name {
            $($(#[doc = $doc])* $variant,)+
        }

        impl $name {
            pub(crate) fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl Scalar for $name {
            const KIND: &'static str = $kind;

            fn read(value: &Value) -> Option<Self> {
                match value.text()? {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }

            fn shown(&self) -> String {
                quoted(self.word())
            }
        }
    };
}

words! {
    /// How much is logged.
    Level: "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"" {
        Error = "error",
        Warn = "warn",
        Info = "info",
        Debug = "debug",
        Trace = "trace",
    }
}

words! {
    /// The form of a line of the log.
    Format: "\"text\" or \"json\"" {
        Text = "text",
        Json = "json",
    }
}

words! {
    /// Whether and how clients come back.
    Mode: "\"off\", \"full\" or \"buffer\"" {
        Off = "off",
        Full = "full",
        Buffer = "buffer",
    }
}

words! {
    /// Whether clients need a token.
    AuthMode: "\"none\", \"jwt\" or \"jwt_optional\"" {
        None = "none",
        Jwt = "jwt",
        JwtOptional = "jwt_optional",
    }
}

words! {
    /// What becomes of an event that nobody handles.
    Unhandled: "\"report\", \"error\" or \"ignore\"" {
        /// It is counted and logged.
        Report = "report",
        /// Its client is told, too.
        Error = "error",
        Ignore = "ignore",
    }
}

words! {
    /// Of which hooks a backend has one at a time.
    Ordering: "\"socket\" or \"none\"" {
        /// Of those of each socket.
        Socket = "socket",
        None = "none",
    }
}

words! {
    /// What a room keeps of its events.
    Kept: "\"stream\" or \"last\"" {
        Stream = "stream",
        /// Of each name the last one.
        Last = "last",
    }
}

words! {
    /// What becomes of an event that is one too many.
    Excess: "\"drop\" or \"disconnect\"" {
        Drop = "drop",
        Disconnect = "disconnect",
    }
}

words! {
    /// What becomes of a message for a client for whom too much waits.
    Slow: "\"disconnect\" or \"drop_oldest\"" {
        Disconnect = "disconnect",
        DropOldest = "drop_oldest",
    }
}

words! {
    /// What a key of the API is good for.
    Scope: "\"emit\", \"manage\" or \"read\"" {
        Emit = "emit",
        /// Changes sockets: rooms, users, sessions, whether they are there.
        Manage = "manage",
        Read = "read",
    }
}

/// How much of what a room keeps is sent to those who join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replay {
    All,
    /// So many of the last events.
    Last(usize),
}

impl Scalar for Replay {
    const KIND: &'static str = "a whole number, or \"all\"";

    fn read(value: &Value) -> Option<Self> {
        if value.text() == Some("all") { Some(Self::All) } else { usize::read(value).map(Self::Last) }
    }

    fn shown(&self) -> String {
        match self {
            Self::All => quoted("all"),
            Self::Last(events) => events.to_string(),
        }
    }
}

impl Scalar for Transport {
    const KIND: &'static str = "\"polling\" or \"websocket\"";

    fn read(value: &Value) -> Option<Self> {
        [Self::Polling, Self::WebSocket].into_iter().find(|transport| Some(transport.name()) == value.text())
    }

    fn shown(&self) -> String {
        quoted(self.name())
    }
}
