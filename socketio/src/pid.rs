//! What it is: the secret by which a client that lost its connection proves who it was, and what it says with it.
//! What it is not: known to anybody else: an id is public, its pid is not.
//! Who calls it: `recovery` draws and checks them; `packet` writes them into CONNECT answers.

use std::fmt;

use engineio::Sid;
use serde_json::{Map, Value};

use crate::id::SocketId;

/// Length of an id that we drew, in bytes.
const ID_LENGTH: usize = 20;

/// Longest offset that a client may bring, with its quotes, in bytes.
pub(crate) const MAX_OFFSET: usize = 1024;

/// What a client that comes back adds to its `auth` at most, in bytes: `"pid":"...","offset":...,`.
pub(crate) const MAX_CLAIM: usize = MAX_OFFSET + 64;

/// The private id of a socket: its public id, by which it is found, and a secret of 120 random bits.
#[derive(Debug, Clone)]
pub(crate) struct Pid {
    pub(crate) id: SocketId,
    secret: Sid,
}

impl Pid {
    /// A new one for this socket.
    pub(crate) fn draw(id: SocketId) -> Self {
        Self { id, secret: Sid::draw() }
    }

    /// Reads one that a client sent. `None` when it cannot be one of ours.
    fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.split_at_checked(ID_LENGTH)?;
        Some(Self { id: SocketId(Sid::parse(id)?.as_str().into()), secret: Sid::parse(secret)? })
    }

    /// Whether the secrets are the same. It takes as long for one that is nearly right as for any other.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.secret.as_str().bytes(), other.secret.as_str().bytes());
        ours.zip(theirs).fold(0, |difference, (ours, theirs)| difference | (ours ^ theirs)) == 0
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.id, self.secret)
    }
}

/// What a client that comes back says: which socket it was, and its offset, once it has one: a text, of stock clients.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) pid: Pid,
    pub(crate) offset: Option<Value>,
}

impl Claim {
    /// Reads it from the payload of a CONNECT. `None` from a client that never was here.
    pub(crate) fn parse(auth: &str) -> Option<Self> {
        let mut auth: Map<String, Value> = serde_json::from_str(auth).ok()?;
        let pid = Pid::parse(auth.get("pid")?.as_str()?)?;
        Some(Self { pid, offset: auth.remove("offset") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read() {
        let pid = Pid::draw(SocketId::draw());
        for (offset, read) in [("", None), (r#","offset":"x""#, Some("x".into())), (r#","offset":1"#, Some(1.into()))] {
            let claim = Claim::parse(&format!(r#"{{"token":[1],"pid":"{pid}"{offset}}}"#)).expect("a claim");
            assert_eq!((claim.pid.to_string(), claim.offset), (pid.to_string(), read));
            assert!(pid.matches(&claim.pid) && claim.pid.id == pid.id);
        }
        let other = Pid::draw(pid.id.clone());
        assert!(!pid.matches(&other));
        for auth in [
            String::new(),
            "{}".into(),
            r#"{"pid":1}"#.into(),
            r#"{"pid":"é"}"#.into(),
            format!(r#"{{"pid":"{pid}x"}}"#),
            format!(r#"{{"pid":"{}"}}"#, pid.id),
        ] {
            assert!(Claim::parse(&auth).is_none(), "{auth}");
        }
    }
}
