//! What the application is told of requests that are refused: code, words, and what exactly was wrong.

use std::{
    future::ready,
    sync::{Arc, Mutex},
};

use engineio::{
    CloseReason, Config, Context, Cors, DecodeError, Http, Origin, Origins, Revision, Sid, Transport, TransportFault,
};
use tests::{
    Row,
    frames::HANDSHAKE,
    http::{Answer, Connection},
    polling::Polling,
    server::{self, Server},
};

use crate::{REFUSED, broken, told};

async fn ask(server: &Server, line: &str, headers: &str) -> Answer {
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.request(line, headers).await;
    connection.answer().await
}

/// Refusals as the application is told of them: code, message, context, and the request line.
type Noted = Arc<Mutex<Vec<(u8, String, Context, String)>>>;

fn noting(http: Http) -> (Http, Noted) {
    let noted = Noted::default();
    let notes = noted.clone();
    let http = http.on_refused(move |refused| {
        let line = format!("{} {}", refused.request.method, refused.request.uri);
        let note = (refused.error.code(), refused.message.to_owned(), refused.context.clone(), line);
        notes.lock().expect("not poisoned").push(note);
    });
    (http, noted)
}

fn taken(noted: &Noted) -> Vec<(u8, String, Context, String)> {
    std::mem::take(&mut *noted.lock().expect("not poisoned"))
}

/// Pages of one origin, and nobody who is rude.
fn strict() -> Http {
    let good = Origins::List(vec![Origin::parse("http://good").expect("an origin")]);
    Http::default().cors(Cors::new(good)).allow_request(|request| {
        let rude = request.uri.query().is_some_and(|query| query.contains("rude"));
        ready(if rude { Err("\"no\"".into()) } else { Ok(()) })
    })
}

#[tokio::test]
async fn hs_22_23_38_what_exactly_was_wrong_with_a_request() {
    use Transport::{Polling as Polls, WebSocket as Socket};
    let (http, noted) = noting(strict());
    let (server, _sessions) = server::engine_behind(http, Config::default()).await;
    let client = Polling::open(server.endpoint).await;
    let moved = Polling::open(server.endpoint).await;
    let _websocket = moved.upgraded().await;
    tests::within(async {
        // The upgrade is done when polling is refused.
        while taken(&noted).is_empty() {
            ask(&server, &format!("POST {}", moved.target()), "content-length: 1\r\n\r\n6").await;
        }
    })
    .await;
    let (polls, websocket) = (client.target(), client.target().replace("polling", "websocket"));
    let (evil, no_key) = ("origin: http://evil\r\n", "connection: Upgrade\r\nupgrade: websocket\r\n");
    let evil_upgrade = format!("{evil}{HANDSHAKE}");
    let other_revision = polls.replace("EIO=4", "EIO=03");
    let say = |text: &str| Some(text.to_owned());
    let handshake = "/engine.io/?EIO=4&transport=polling";
    let direct = "/engine.io/?EIO=4&transport=websocket";
    let mismatch = |transport, previous| Context::TransportMismatch { transport, previous };
    let sid = |sid: &str| Context::UnknownSid { sid: sid.to_owned() };
    let method = |method: &str| Context::BadMethod { method: method.to_owned() };
    let rows = [
        (format!("GET {handshake}a%20b"), "", 0, Context::UnknownTransport { transport: say("pollinga b") }),
        ("GET /engine.io/".into(), "", 0, Context::UnknownTransport { transport: None }),
        (format!("GET {handshake}&sid=a%2Bb"), "", 1, sid("a+b")),
        (format!("GET {direct}&sid=abc"), HANDSHAKE, 1, sid("abc")),
        (format!("DELETE {handshake}"), "", 2, method("DELETE")),
        (format!("POST {websocket}"), HANDSHAKE, 2, method("POST")),
        (format!("GET {websocket}"), "", 3, mismatch(Socket, Polls)),
        (format!("GET {}", moved.target()), "", 3, mismatch(Polls, Socket)),
        (format!("GET {polls}"), HANDSHAKE, 3, Context::TransportHandshake),
        (format!("GET {direct}"), "", 3, Context::TransportHandshake),
        (format!("GET {direct}"), no_key, 3, Context::TransportHandshake),
        (format!("GET {websocket}"), no_key, 3, Context::TransportHandshake),
        (
            format!("GET {other_revision}"),
            "",
            3,
            Context::ProtocolMismatch { revision: say("03"), previous: Revision::V4 },
        ),
        (format!("GET {handshake}"), "origin: http://good\r\norigin: http://good\r\n", 3, Context::InvalidOrigin),
        (format!("GET {handshake}"), "host: twice\r\n", 3, Context::InvalidHost),
        (format!("GET {handshake}"), "content-length: 1\r\n\r\n6", 3, Context::InvalidFraming),
        (format!("POST {handshake}"), "transfer-encoding: gzip, chunked\r\n", 3, Context::InvalidFraming),
        (format!("GET {handshake}"), evil, 4, Context::ForbiddenOrigin),
        (format!("GET {direct}"), &evil_upgrade, 4, Context::ForbiddenOrigin),
        (format!("GET {websocket}"), &evil_upgrade, 4, Context::ForbiddenOrigin),
        (format!("POST {polls}"), evil, 4, Context::ForbiddenOrigin),
        (format!("GET {handshake}&rude"), "", 4, Context::Middleware),
        ("GET /engine.io/?EIO=3&transport=polling".into(), "", 5, Context::UnsupportedRevision { revision: say("3") }),
        ("GET /engine.io/?transport=polling".into(), "", 5, Context::UnsupportedRevision { revision: None }),
    ];
    taken(&noted);
    for (line, headers, code, context) in rows {
        let _row = Row(&line);
        let answer = ask(&server, &line, headers).await;
        let message = if context == Context::Middleware { "\"no\"" } else { REFUSED_WORDS[usize::from(code)] };
        assert_eq!(answer.status, if code == 4 { 403 } else { 400 });
        assert_eq!(taken(&noted), [(code, message.to_owned(), context, line.clone())]);
    }
}

const REFUSED_WORDS: [&str; 6] = [
    "Transport unknown",
    "Session ID unknown",
    "Bad handshake method",
    "Bad request",
    "Forbidden",
    "Unsupported protocol version",
];

#[tokio::test]
async fn hs_22_a_request_that_ends_its_session_is_reported_with_the_reason() {
    let (http, noted) = noting(Http::default());
    let (server, _sessions) = server::engine_behind(http, Config::default()).await;
    let rows = [
        ("no packet", "content-length: 1\r\n\r\nx", CloseReason::ParseError(DecodeError::UnknownType('x'))),
        ("a ping", "content-length: 1\r\n\r\n2", broken(TransportFault::HeartbeatDirection)),
        (
            "bytes",
            "content-type: application/octet-stream\r\ncontent-length: 1\r\n\r\n4",
            broken(TransportFault::ContentType),
        ),
    ];
    for (label, end, reason) in rows {
        let _row = Row(label);
        let client = Polling::open(server.endpoint).await;
        let line = format!("POST {}", client.target());
        assert_eq!(told(&ask(&server, &line, end).await), (400, REFUSED[3]));
        assert_eq!(taken(&noted), [(3, "Bad request".to_owned(), Context::SessionEnded(reason), line)]);
    }

    let mut client = Polling::open(server.endpoint).await;
    client.send_get().await;
    server.waiting(1).await;
    let line = format!("GET {}", client.target());
    assert_eq!(told(&ask(&server, &line, "").await), (400, REFUSED[3]));
    let overlap = Context::SessionEnded(broken(TransportFault::PollOverlap));
    assert_eq!(taken(&noted), [(3, "Bad request".to_owned(), overlap, line)]);
}

#[tokio::test]
async fn hs_22_answers_without_a_code_are_no_refusals() {
    let (http, noted) = noting(strict());
    let (server, _sessions) = server::engine_behind(http, Config::default()).await;
    let client = Polling::open(server.endpoint).await;
    let of_session = client.target();
    for (line, headers, status) in [
        ("GET /engine.io/?EIO=4&transport=polling", "origin: http://good\r\n", 200),
        ("OPTIONS /engine.io/", "origin: http://evil\r\n", 204),
        (&format!("PUT {of_session}"), "", 405),
        (&format!("POST {of_session}"), "content-length: 1000001\r\n", 413),
        (&format!("POST {of_session}"), "expect: foo\r\n", 417),
        ("GET /elsewhere", "", 404),
    ] {
        assert_eq!(ask(&server, line, headers).await.status, status, "{line}");
        assert_eq!(taken(&noted), [], "{line}: has no code");
    }
}

#[tokio::test]
async fn hs_23_25_ids_that_were_not_given_or_are_in_use_are_reported() {
    for id in [None, Sid::parse("always-the-same-id-0")] {
        let (http, noted) = noting(Http::default().generate_sid(move |_| ready(id)));
        let (server, _sessions) = server::engine_behind(http, Config::default()).await;
        if id.is_some() {
            Polling::open(server.endpoint).await;
        }
        for (transport, headers) in [("polling", ""), ("websocket", HANDSHAKE)] {
            let line = format!("GET {}", server.endpoint.target(transport));
            assert_eq!(told(&ask(&server, &line, headers).await), (400, REFUSED[3]));
            assert_eq!(taken(&noted), [(3, "Bad request".to_owned(), Context::IdGeneration, line)]);
        }
    }
}

#[test]
fn hs_23_contexts_have_the_reference_s_names() {
    let rows = [
        (
            Context::TransportMismatch { transport: Transport::Polling, previous: Transport::WebSocket },
            "TRANSPORT_MISMATCH",
        ),
        (Context::TransportHandshake, "TRANSPORT_HANDSHAKE_ERROR"),
        (Context::ProtocolMismatch { revision: None, previous: Revision::V4 }, "PROTOCOL_MISMATCH"),
        (Context::InvalidOrigin, "INVALID_ORIGIN"),
        (Context::IdGeneration, "ID_GENERATION_ERROR"),
        (Context::Middleware, "MIDDLEWARE_FAILURE"),
        (Context::UnknownTransport { transport: None }, "UNKNOWN_TRANSPORT"),
        (Context::UnknownSid { sid: String::new() }, "UNKNOWN_SID"),
        (Context::BadMethod { method: String::new() }, "BAD_HANDSHAKE_METHOD"),
        (Context::UnsupportedRevision { revision: None }, "UNSUPPORTED_PROTOCOL_VERSION"),
    ];
    for (context, name) in rows {
        assert_eq!(context.name(), name);
    }
}

/// What is answered with a code is a refusal, whoever found the fault; and a session that never was has no headers.
#[tokio::test]
async fn hs_19_22_ck_06_a_websocket_handshake_without_a_key_is_refused_like_others() {
    let (http, noted) = noting(Http::default().initial_headers(|_, headers| {
        headers.insert("x-initial", "1".parse().expect("a value"));
    }));
    let (server, sessions) = server::engine_behind(http, Config::default()).await;
    let upgrade = "connection: Upgrade\r\nupgrade: websocket\r\n";
    let line = format!("GET {}", server.endpoint.target("websocket"));
    for headers in [upgrade.to_owned(), format!("{upgrade}sec-websocket-version: 13\r\nsec-websocket-key: short\r\n")] {
        let answer = ask(&server, &line, &headers).await;
        assert_eq!(told(&answer), (400, REFUSED[3]));
        assert_eq!(taken(&noted), [(3, "Bad request".to_owned(), Context::TransportHandshake, line.clone())]);
        assert_eq!(answer.header("x-initial"), "");
    }
    assert_eq!(sessions.engine.clients_count(), 0);
}
