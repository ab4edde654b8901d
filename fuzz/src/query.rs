//! What it is: any text as the query string of a request, and as a session id.
//! What it is not: percent-decoding, which is rented.
//! Who calls it: libFuzzer and the replay test.

use engineio::{HandshakeError, Query, Revision, Sid, Transport};

/// Parses the input when it is UTF-8, as hyper lets nothing else through.
pub fn query(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Some(sid) = Sid::parse(text) {
        assert_eq!(sid.as_str(), text);
    }
    match Query::parse(text) {
        Ok(query) => {
            assert_ne!(query.sid.as_deref(), Some(""), "an empty sid is none");
            assert_eq!(Query::parse(&encode(&query)), Ok(query));
        }
        Err(error) => assert_eq!(error, HandshakeError::UnknownTransport),
    }
    let forced = format!("{text}&transport=websocket&EIO=4&sid=a&b64=");
    let last = Query {
        transport: Transport::WebSocket,
        sid: Some("a".into()),
        revision: Some(Revision::V4),
        base64: false,
        jsonp: None,
    };
    let parsed = Query::parse(&forced).map(|query| Query { jsonp: None, ..query });
    assert_eq!(parsed, Ok(last), "of a parameter given twice the last one counts");
}

/// The same query, with every byte of the sid escaped.
fn encode(query: &Query<'_>) -> String {
    let sid: String = query.sid.iter().flat_map(|sid| sid.bytes()).map(|byte| format!("%{byte:02x}")).collect();
    let revision = match query.revision {
        Some(Revision::V3) => "3",
        Some(Revision::V4) => "4",
        None => "",
    };
    let base64 = if query.base64 { "1" } else { "" };
    let jsonp = query.jsonp.as_ref().map(|index| format!("&j={index}")).unwrap_or_default();
    format!("sid={sid}&EIO={revision}&b64={base64}&transport={}{jsonp}", query.transport.name())
}
