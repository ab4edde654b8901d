//! What it is: kinds of values that have to do with tokens: where clients have theirs, and how they are signed.
//! What it is not: tokens, nor their keys (`auth`).
//! Who calls it: `keys` names them; `auth` reads them.

use engineio::Cookie;
use hyper::header::HeaderName;
use jsonwebtoken::Algorithm;

use super::{
    kind::{Scalar, quoted},
    value::Value,
    word::AuthMode,
};

/// Where a client may have its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenSource {
    /// A field of what it sends with its CONNECT.
    Auth(String),
    /// A parameter of the query of its connection.
    Query(String),
    /// A header of that request.
    Header(HeaderName),
    Cookie(String),
}

impl TokenSource {
    /// Those that are looked at when nothing else is said.
    pub(super) fn usual() -> Vec<Self> {
        vec![
            Self::Auth("token".into()),
            Self::Query("token".into()),
            Self::Header(HeaderName::from_static("authorization")),
        ]
    }
}

impl Scalar for TokenSource {
    const KIND: &'static str = "auth.NAME, query.NAME, header.NAME or cookie.NAME";

    fn read(value: &Value) -> Option<Self> {
        let (place, name) = value.text()?.split_once('.')?;
        if name.is_empty() || name.contains(char::is_control) {
            return None;
        }
        match place {
            "auth" => Some(Self::Auth(name.into())),
            "query" => Some(Self::Query(name.into())),
            "header" => name.parse().ok().map(Self::Header),
            "cookie" => Cookie::new(name).ok().map(|_| Self::Cookie(name.into())),
            _ => None,
        }
    }

    fn shown(&self) -> String {
        quoted(&match self {
            Self::Auth(name) => format!("auth.{name}"),
            Self::Query(name) => format!("query.{name}"),
            Self::Header(name) => format!("header.{name}"),
            Self::Cookie(name) => format!("cookie.{name}"),
        })
    }
}

impl Scalar for Algorithm {
    const KIND: &'static str = "an algorithm such as \"HS256\", \"RS256\", \"ES256\" or \"EdDSA\"";

    fn read(value: &Value) -> Option<Self> {
        value.text()?.parse().ok()
    }

    fn shown(&self) -> String {
        quoted(&format!("{self:?}"))
    }
}

/// Of a namespace, which may leave it to the server.
impl Scalar for Option<AuthMode> {
    const KIND: &'static str = "\"inherit\", \"none\", \"jwt\" or \"jwt_optional\"";

    fn read(value: &Value) -> Option<Self> {
        match value.text()? {
            "inherit" => Some(None),
            _ => AuthMode::read(value).map(Some),
        }
    }

    fn shown(&self) -> String {
        quoted(self.map_or("inherit", AuthMode::word))
    }
}
