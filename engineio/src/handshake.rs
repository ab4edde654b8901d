//! What it is: what is kept of the request that opened a session.
//! What it is not: the request; of its headers there is nothing but what was asked for.
//! Who calls it: `service` makes one per session; applications read it.

use std::{borrow::Cow, fmt, net::SocketAddr};

use crate::protocol::Transport;

/// What is known of the request that opened a session.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Handshake {
    /// The query string as it came, without the question mark.
    pub query: Box<str>,
    /// The transport that the session began with.
    pub transport: Transport,
    /// The address of the peer; `None` when the server did not tell, or over a Unix socket.
    pub remote: Option<SocketAddr>,
    /// `name:value\n` for each header: one allocation, and none without headers.
    headers: Box<[u8]>,
}

impl Handshake {
    /// Copies headers, whose values may be part of a much larger buffer. Neither names nor values have line ends.
    pub(crate) fn new<'a>(
        query: &str,
        transport: Transport,
        remote: Option<SocketAddr>,
        headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Self {
        let mut lines = Vec::new();
        for (name, value) in headers {
            lines.extend_from_slice(name.as_bytes());
            lines.push(b':');
            lines.extend_from_slice(value);
            lines.push(b'\n');
        }
        Self { query: query.into(), transport, remote, headers: lines.into() }
    }

    /// The parameters of the query in their order, decoded: those of the protocol, such as `EIO`, and the client's own.
    pub fn params(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        form_urlencoded::parse(self.query.as_bytes())
    }

    /// The first value of a header, if it is among the [kept ones](crate::Http::kept_headers) and was sent. It need not
    /// be UTF-8.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers().find(|(kept, _)| kept.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All headers that were kept, names and values.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.split(|byte| *byte == b'\n').filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((std::str::from_utf8(&line[..colon]).ok()?, &line[colon + 1..]))
        })
    }
}

impl fmt::Debug for Handshake {
    /// Headers by their names only: what is kept is often a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("query", &self.query)
            .field("transport", &self.transport)
            .field("remote", &self.remote)
            .field("headers", &self.headers().map(|(name, _)| name).collect::<Vec<_>>())
            .finish()
    }
}
