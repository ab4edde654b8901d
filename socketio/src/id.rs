//! What it is: the id of a socket, which rooms and other sockets may be told, with the exception below.
//! What it is not: the session's sid. Both are drawn by themselves, so that an id says nothing of the credential;
//! only clients of revision 3 leave no choice.
//! Who calls it: a namespace makes one for each socket it admits; its tables are keyed by it.

use std::{
    borrow::Borrow,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use engineio::Sid;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cluster::ServerId;

/// Characters of an id, or of the sid that one is made from.
const LENGTH: usize = 20;

/// The id of a socket in its namespace. Clones share the text.
///
/// 20 characters of the URL-safe base64 alphabet, 120 random bits. In a cluster the first six are those of the server's
/// [name](crate::ServerId).
///
/// # Clients of revision 3
/// They are not told an id but make it up: it is their Engine.IO sid in `/`, and `<namespace>#<sid>` elsewhere. With
/// that sid anybody can read and write their session, so do not show these ids to others, or leave
/// [`allow_eio3`](engineio::Config::allow_eio3) off.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SocketId(pub(crate) Arc<str>);

impl SocketId {
    /// That of a client which is told it.
    pub(crate) fn draw() -> Self {
        Self(Sid::draw().as_str().into())
    }

    /// The same on a server of a cluster, whose others know by it where the socket is.
    pub(crate) fn draw_on(server: &ServerId) -> Self {
        let mark = server.mark();
        Self([mark, &Sid::draw().as_str()[mark.len()..]].concat().into())
    }

    /// That of a client of revision 3, by the client's own rule.
    pub(crate) fn derive(sid: Sid, namespace: &str) -> Self {
        Self(if namespace == "/" { sid.as_str().into() } else { format!("{namespace}#{sid}").into() })
    }

    /// Whether a name could be the id of some socket, that is there, was or will be.
    pub(crate) fn could_be(name: &str) -> bool {
        let sid = if name.starts_with('/') { name.rsplit('#').next().unwrap_or_default() } else { name };
        sid.len() == LENGTH && sid.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for SocketId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for SocketId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SocketId({self})")
    }
}

/// Of what another server of a cluster says.
impl<'de> Deserialize<'de> for SocketId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|id| Self(id.into()))
    }
}

impl Serialize for SocketId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What has an id for as long as a table has it.
pub(crate) trait Identified {
    fn id(&self) -> &SocketId;
}

/// An entry of a table, found by its id: as it has that itself, the table keeps no copy.
#[derive(Debug)]
pub(crate) struct ById<T>(pub(crate) T);

impl<T: Identified> PartialEq for ById<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

impl<T: Identified> Eq for ById<T> {}

impl<T: Identified> Hash for ById<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id().hash(state);
    }
}

impl<T: Identified> Borrow<str> for ById<T> {
    fn borrow(&self) -> &str {
        self.0.id().as_str()
    }
}
