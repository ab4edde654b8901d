//! What it is: a token that this server is to sign.
//! What it is not: the signature (`key`).
//! Who calls it: `api`, and the subcommand `token`.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    claims::{Allow, Permit, is_user, subject},
    key::{Keys, MAX_TOKEN},
};
use crate::{
    command,
    op::{self, OpError},
};

/// How long a token is good for if nobody says.
const USUAL_TTL: Duration = Duration::from_secs(3600);

/// What is to be in a token.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) sub: Option<String>,
    /// How long it is good for; an hour if nothing is said, or as long as it may.
    pub(crate) ttl: Option<Duration>,
    pub(crate) permit: Permit,
}

/// A token that was signed.
#[derive(Debug, Serialize)]
pub(crate) struct Signed {
    pub(crate) token: String,
    /// Seconds since 1970.
    pub(crate) expires_at: u64,
}

/// Why no token was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DraftError {
    /// Others sign.
    NoSecret,
    Subject,
    Room,
    /// It must be at least a second, and at most this.
    Ttl(Duration),
    Long,
}

impl fmt::Display for DraftError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSecret => f.write_str("there is no auth.jwt.secret to sign with"),
            Self::Subject => f.write_str("the name of a user has at least one character, and no control character"),
            Self::Room => {
                f.write_str("the name of a room has at least one character, and begins with no control character")
            }
            Self::Ttl(max) => write!(f, "a token is good for 1 to {} seconds (auth.jwt.max_ttl)", max.as_secs()),
            Self::Long => write!(f, "the token would have more than {MAX_TOKEN} bytes"),
        }
    }
}

impl std::error::Error for DraftError {}

impl DraftError {
    /// The field of a body that is wrong.
    pub(crate) fn field(self) -> Option<&'static str> {
        match self {
            Self::Subject => Some("sub"),
            Self::Room => Some("rooms"),
            Self::Ttl(_) => Some("ttl"),
            Self::NoSecret | Self::Long => None,
        }
    }
}

/// The body of a request for a token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(default, deserialize_with = "subject")]
    sub: Option<String>,
    #[serde(default, deserialize_with = "op::time")]
    ttl: Option<Duration>,
    namespaces: Option<Vec<String>>,
    #[serde(default)]
    rooms: Vec<String>,
    #[serde(default)]
    allow: Allow,
    #[serde(default)]
    info: Value,
    #[serde(default)]
    session: Value,
    #[serde(default)]
    roles: Vec<String>,
}

impl From<command::Token> for Draft {
    fn from(token: command::Token) -> Self {
        let permit = Permit {
            namespaces: (!token.namespace.is_empty()).then_some(token.namespace),
            rooms: token.room,
            allow: Allow { join: token.allow_join, emit: token.allow_emit },
            info: token.info,
            session: token.session,
            roles: token.role,
        };
        Self { sub: token.sub, ttl: token.ttl, permit }
    }
}

/// The claims as they are written.
#[derive(Serialize)]
struct Payload<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    exp: u64,
    iat: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    iss: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    aud: &'a str,
    socketio: &'a Permit,
}

impl Draft {
    /// Reads what is wanted out of the body of a request.
    ///
    /// # Errors
    /// [`OpError`].
    pub(crate) fn read(body: &[u8]) -> Result<Self, OpError> {
        let Body { sub, ttl, namespaces, rooms, allow, info, session, roles } = op::parse(body)?;
        Ok(Self { sub, ttl, permit: Permit { namespaces, rooms, allow, info, session, roles } })
    }

    /// Signs it.
    ///
    /// # Errors
    /// [`DraftError`].
    pub(super) fn sign(&self, keys: &Keys, now: SystemTime) -> Result<Signed, DraftError> {
        if !self.sub.as_deref().is_none_or(is_user) {
            return Err(DraftError::Subject);
        }
        if !self.permit.has_rooms() {
            return Err(DraftError::Room);
        }
        let ttl = self.ttl.unwrap_or(USUAL_TTL.min(keys.max_ttl));
        if ttl.as_secs() == 0 || ttl > keys.max_ttl {
            return Err(DraftError::Ttl(keys.max_ttl));
        }
        let iat = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let exp = iat.saturating_add(ttl.as_secs());
        let (sub, iss, aud) = (self.sub.as_deref(), &*keys.issuer, &*keys.audience);
        let payload = Payload { sub, exp, iat, iss, aud, socketio: &self.permit };
        let token = keys.sign(&payload).ok_or(DraftError::NoSecret)?;
        if token.len() > MAX_TOKEN {
            return Err(DraftError::Long);
        }
        Ok(Signed { token, expires_at: exp })
    }
}
