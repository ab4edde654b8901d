//! What it is: the query string of a request, read into what the engine asks of it.
//! What it is not: a check whether the session exists; that is the engine's.
//! Who calls it: `service`, once per request. The fuzzer.

use std::{borrow::Cow, iter};

use crate::{
    protocol::{Revision, Transport},
    reason::HandshakeError,
};

/// What the query string of a request says. Of a parameter given twice the last one counts, as in the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<'a> {
    /// `transport`.
    pub transport: Transport,
    /// `sid`; `None` when missing or empty: the request is a handshake.
    pub sid: Option<Cow<'a, str>>,
    /// `EIO`, when it is exactly `3` or `4`.
    pub revision: Option<Revision>,
    /// `b64` is given and not empty: a client of revision 3 takes no binary.
    pub base64: bool,
    /// The digits of `j`: the answer is to be a script that calls the function of this number (JSONP).
    pub jsonp: Option<String>,
}

impl<'a> Query<'a> {
    /// Reads the part of the URL after the question mark.
    ///
    /// # Errors
    /// [`HandshakeError::UnknownTransport`], the check that the reference makes first.
    pub fn parse(query: &'a str) -> Result<Self, HandshakeError> {
        let (mut transport, mut sid, mut revision, mut base64, mut jsonp) = (None, None, None, false, None);
        for (key, value) in pairs(query) {
            match key.as_ref() {
                "transport" => {
                    transport = match value.as_ref() {
                        "polling" => Some(Transport::Polling),
                        "websocket" => Some(Transport::WebSocket),
                        _ => None,
                    }
                }
                "sid" => sid = Some(value).filter(|sid| !sid.is_empty()),
                "EIO" => {
                    revision = match value.as_ref() {
                        "3" => Some(Revision::V3),
                        "4" => Some(Revision::V4),
                        _ => None,
                    }
                }
                "b64" => base64 = !value.is_empty(),
                // Only digits get into the script.
                "j" => jsonp = Some(value.chars().filter(char::is_ascii_digit).collect()),
                _ => {}
            }
        }
        let transport = transport.ok_or(HandshakeError::UnknownTransport)?;
        Ok(Self { transport, sid, revision, base64, jsonp })
    }

    /// What a query says for a parameter, decoded.
    pub(crate) fn value(query: &str, name: &str) -> Option<String> {
        pairs(query).filter(|(key, _)| key == name).last().map(|(_, value)| value.into_owned())
    }
}

/// The parameters. Nearly all have nothing to decode, and to see that costs a tenth of decoding them.
fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let mut rest = Some(query);
    iter::from_fn(move || {
        let text = rest?;
        let (mut end, mut equals, mut is_encoded) = (text.len(), None, false);
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b'&' => {
                    end = at;
                    break;
                }
                b'=' if equals.is_none() => equals = Some(at),
                b'%' | b'+' => is_encoded = true,
                _ => {}
            }
        }
        rest = text.get(end + 1..);
        Some((&text[..end], equals, is_encoded))
    })
    .filter(|(pair, ..)| !pair.is_empty())
    .filter_map(|(pair, equals, is_encoded)| {
        if is_encoded {
            return form_urlencoded::parse(pair.as_bytes()).next();
        }
        let (key, value) = equals.map_or((pair, ""), |at| (&pair[..at], &pair[at + 1..]));
        Some((key.into(), value.into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read() {
        let (v3, v4) = (Some(Revision::V3), Some(Revision::V4));
        let rows = [
            ("EIO=4&transport=polling", Transport::Polling, None, v4),
            ("transport=websocket&EIO=4&sid=abc&t=x", Transport::WebSocket, Some("abc"), v4),
            ("transport=polling&sid=", Transport::Polling, None, None),
            ("transport=polling&EIO=04", Transport::Polling, None, None),
            ("transport=polling&EIO=4&EIO=3", Transport::Polling, None, v3),
            ("transport=foo&transport=polling&EIO=4", Transport::Polling, None, v4),
            ("%74ransport=polling&sid=a%2Bb", Transport::Polling, Some("a+b"), None),
        ];
        for (query, transport, sid, revision) in rows {
            let expected = Query { transport, sid: sid.map(Cow::from), revision, base64: false, jsonp: None };
            assert_eq!(Query::parse(query), Ok(expected), "{query}");
        }
    }

    #[test]
    fn old_clients_say_what_they_cannot_take() {
        for (query, base64, jsonp) in [
            ("transport=polling&EIO=3&b64=1", true, None),
            ("transport=polling&EIO=3&b64=", false, None),
            ("transport=polling&EIO=3&b64=1&j=0", true, Some("0")),
            ("transport=polling&EIO=3&j=12');alert(1)//", false, Some("121")),
            ("transport=polling&EIO=3&j", false, Some("")),
        ] {
            let query = Query::parse(query).expect("a transport");
            assert_eq!((query.base64, query.jsonp.as_deref()), (base64, jsonp));
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
