//! What it is: any text as the query string of a request, and as a session id.
//! What it is not: percent-decoding, which is rented.
//! Who calls it: libFuzzer and the replay test.

use engineio::{HandshakeError, Query, Sid, Transport};

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
    let forced = format!("{text}&transport=websocket&EIO=4&sid=a");
    let last = Query { transport: Transport::WebSocket, sid: Some("a".into()), revision_4: true };
    assert_eq!(Query::parse(&forced), Ok(last), "of a parameter given twice the last one counts");
}

/// The same query, with every byte of the sid escaped.
fn encode(query: &Query<'_>) -> String {
    let sid: String = query.sid.iter().flat_map(|sid| sid.bytes()).map(|byte| format!("%{byte:02x}")).collect();
    let revision = if query.revision_4 { "4" } else { "3" };
    format!("sid={sid}&EIO={revision}&transport={}", query.transport.name())
}
