//! What it is: the query string of a request, read into what the engine asks of it.
//! What it is not: a check whether the session exists; that is the engine's.
//! Who calls it: `service`, once per request. The fuzzer.

use std::borrow::Cow;

use crate::reason::HandshakeError;

/// The two transports of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// HTTP long-polling.
    Polling,
    /// WebSocket.
    WebSocket,
}

impl Transport {
    /// The name on the wire: `polling` or `websocket`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
        }
    }
}

/// What the query string of a request says. Of a parameter given twice the last one counts, as in the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<'a> {
    /// `transport`.
    pub transport: Transport,
    /// `sid`; `None` when missing or empty: the request is a handshake.
    pub sid: Option<Cow<'a, str>>,
    /// `EIO` is exactly `4`.
    pub revision_4: bool,
}

impl<'a> Query<'a> {
    /// Reads the part of the URL after the question mark.
    ///
    /// # Errors
    /// [`HandshakeError::UnknownTransport`], the check that the reference makes first.
    pub fn parse(query: &'a str) -> Result<Self, HandshakeError> {
        let (mut transport, mut sid, mut revision_4) = (None, None, false);
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match key.as_ref() {
                "transport" => {
                    transport = match value.as_ref() {
                        "polling" => Some(Transport::Polling),
                        "websocket" => Some(Transport::WebSocket),
                        _ => None,
                    }
                }
                "sid" => sid = Some(value).filter(|sid| !sid.is_empty()),
                "EIO" => revision_4 = value == "4",
                _ => {}
            }
        }
        let transport = transport.ok_or(HandshakeError::UnknownTransport)?;
        Ok(Self { transport, sid, revision_4 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read() {
        let rows = [
            ("EIO=4&transport=polling", Transport::Polling, None, true),
            ("transport=websocket&EIO=4&sid=abc&t=x", Transport::WebSocket, Some("abc"), true),
            ("transport=polling&sid=", Transport::Polling, None, false),
            ("transport=polling&EIO=04", Transport::Polling, None, false),
            ("transport=polling&EIO=4&EIO=3", Transport::Polling, None, false),
            ("transport=foo&transport=polling&EIO=4", Transport::Polling, None, true),
            ("%74ransport=polling&sid=a%2Bb", Transport::Polling, Some("a+b"), false),
        ];
        for (query, transport, sid, revision_4) in rows {
            let sid = sid.map(Cow::from);
            assert_eq!(Query::parse(query), Ok(Query { transport, sid, revision_4 }), "{query}");
        }
    }

    #[test]
    fn an_unknown_transport_is_refused() {
        for query in [
            "",
            "EIO=4",
            "transport",
            "transport=Polling",
            "transport=__proto__",
            "transport=webtransport",
            "transport=polling&transport=foo",
            "transport=%ff",
            "&&&=&%zz",
        ] {
            assert_eq!(Query::parse(query), Err(HandshakeError::UnknownTransport), "{query}");
        }
    }
}
