//! What it is: the id of a socket, which clients see and which rooms and other sockets may be told.
//! What it is not: the session's sid. Both are drawn by themselves, so that an id says nothing of the credential.
//! Who calls it: a namespace draws one for each socket it admits.

use std::fmt;

use engineio::Sid;
use serde::{Serialize, Serializer};

/// The id of a socket in its namespace: 20 characters of the URL-safe base64 alphabet, 120 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SocketId(Sid);

impl SocketId {
    pub(crate) fn draw() -> Self {
        Self(Sid::draw())
    }

    /// Reads an id; `None` when the text cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        Sid::parse(text).map(Self)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
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

impl Serialize for SocketId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
