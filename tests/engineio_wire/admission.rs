//! Who is let in: the application's filter, its ids, and what it is told of those refused.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use engineio::{Config, Denied, Http, Message, Sid};
use futures_util::future::join_all;
use tests::{
    Row,
    frames::{Frame, HANDSHAKE, WebSocket, handshake, text},
    http::{Answer, Connection},
    polling::{Polling, sid},
    server::{self, Server},
};

use crate::{REFUSED, told};

async fn ask(server: &Server, line: &str, headers: &str) -> Answer {
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.request(line, headers).await;
    connection.answer().await
}

/// The reference answers WebSockets 400 in text (HS-16), and failing middlewares code 3 (EM-05); here one refusal has
/// one answer.
#[tokio::test]
async fn hs_15_16_18_em_05_a26_the_filter_s_words_reach_the_client() {
    let rows = [
        ("words", "who are you?", r#"{"code":4,"message":"who are you?"}"#),
        ("none", "", r#"{"code":4,"message":"Forbidden"}"#),
        (
            "words that would be read as something else",
            "\"},{\"code\":0,\"\\\r\n\t\0\u{2028}é🦀</script>",
            r#"{"code":4,"message":"\"},{\"code\":0,\"\\\r\n\t\u0000\u2028é🦀</script>"}"#,
        ),
    ];
    for (label, words, body) in rows {
        let _row = Row(label);
        let http = Http::default().allow_request(move |_| async move { Err(words.into()) });
        let (server, sessions) = server::engine_behind(http, Config::default()).await;
        let polling = ask(&server, &format!("GET {}", server.endpoint.target("polling")), "").await;
        let websocket = ask(&server, &format!("GET {}", server.endpoint.target("websocket")), HANDSHAKE).await;
        for answer in [polling, websocket.clone()] {
            assert_eq!((told(&answer), answer.header("content-type")), ((403, body), "application/json"));
        }
        assert_eq!(websocket.header("connection"), "close");
        assert_eq!(sessions.engine.clients_count(), 0);
    }
}

/// Where the reference has a middleware that answers by itself.
#[tokio::test]
async fn em_03_04_the_filter_may_answer_with_a_status_of_its_own() {
    let rows = [(401, 401), (429, 429), (503, 503), (599, 599), (200, 403), (101, 403), (600, 403), (0, 403)];
    for (status, told_status) in rows {
        let http = Http::default().allow_request(move |_| async move { Err(Denied::new(status, "later")) });
        let (server, sessions) = server::engine_behind(http, Config::default()).await;
        for (transport, headers) in [("polling", ""), ("websocket", HANDSHAKE)] {
            let answer = ask(&server, &format!("GET {}", server.endpoint.target(transport)), headers).await;
            assert_eq!(told(&answer), (told_status, r#"{"code":4,"message":"later"}"#), "{status}");
        }
        assert_eq!(sessions.engine.clients_count(), 0);
    }
}

#[tokio::test]
async fn hs_15_17_31_the_filter_is_asked_for_handshakes_only() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = asked.clone();
    let http = Http::default().allow_request(move |request| {
        let cookie = request.headers.get("cookie").and_then(|cookie| cookie.to_str().ok()).unwrap_or_default();
        notes.lock().expect("not poisoned").push(format!("{} {} {cookie}", request.method, request.uri));
        let welcome = !cookie.is_empty();
        async move {
            tokio::task::yield_now().await;
            if welcome { Ok(()) } else { Err("no cookie".into()) }
        }
    });
    let (server, sessions) = server::engine_behind(http, Config::default()).await;
    let (polling, websocket) = (server.endpoint.target("polling"), server.endpoint.target("websocket"));
    let refused = (403, r#"{"code":4,"message":"no cookie"}"#);
    assert_eq!(told(&ask(&server, &format!("GET {polling}"), "").await), refused);
    let opened = ask(&server, &format!("GET {polling}&a=b"), "cookie: c=d\r\n").await;
    assert_eq!(opened.status, 200);
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.request(&format!("GET {websocket}"), &format!("cookie: e=f\r\n{HANDSHAKE}")).await;
    assert_eq!(connection.head().await.status, 101);

    // HS-17: neither for requests with a sid, nor for those that are refused before.
    let mut connection = Connection::open(server.endpoint.address).await;
    let id = sid(&opened.body);
    let mut session = sessions.take(&id);
    connection.request(&format!("POST {polling}&sid={id}"), "content-length: 2\r\n").await;
    connection.send("4a").await;
    assert_eq!((told(&connection.answer().await), session.text().await), ((200, "ok"), "a".to_owned()));
    session.send("b");
    assert_eq!(told(&ask(&server, &format!("GET {polling}&sid={id}"), "").await), (200, "4b"));
    assert_eq!(handshake(&mut connection, &format!("{websocket}&sid={id}")).await.status, 101);
    for (line, code) in [
        ("GET /engine.io/?EIO=4", 0),
        ("GET /engine.io/?EIO=4&transport=polling&sid=abc", 1),
        ("POST /engine.io/?EIO=4&transport=polling", 2),
        ("GET /engine.io/?EIO=4&transport=websocket", 3),
        ("GET /engine.io/?EIO=3&transport=polling", 5),
    ] {
        assert_eq!(told(&ask(&server, line, "").await), (400, REFUSED[code]));
    }

    let expected = [format!("GET {polling} "), format!("GET {polling}&a=b c=d"), format!("GET {websocket} e=f")];
    assert_eq!(*asked.lock().expect("not poisoned"), expected);
}

#[tokio::test]
async fn hs_24_ids_of_the_application_s_own() {
    let drawn = AtomicUsize::new(0);
    let http = Http::default().generate_sid(move |_| {
        let sid = Sid::parse(&format!("an-id-of-ours-{:06}", drawn.fetch_add(1, Ordering::Relaxed)));
        async move {
            tokio::task::yield_now().await;
            sid
        }
    });
    let (server, sessions) = server::engine_behind(http, Config::default()).await;
    let mut polling = Polling::open(server.endpoint).await;
    assert_eq!(polling.sid, "an-id-of-ours-000000");
    assert_eq!(told(&polling.post("4a").await), (200, "ok"));
    assert_eq!(sessions.take("an-id-of-ours-000000").text().await, "a");
    let (mut websocket, sid) = WebSocket::open(server.endpoint).await;
    assert_eq!(sid, "an-id-of-ours-000001");
    sessions.take("an-id-of-ours-000001").send("b");
    assert_eq!(websocket.frame().await, text("4b"));
    // Requests of a session draw none.
    polling.upgraded().await;
    assert_eq!(Polling::open(server.endpoint).await.sid, "an-id-of-ours-000002");
}

#[tokio::test]
async fn hs_25_no_id_no_session() {
    let http = Http::default().generate_sid(|_| async { None });
    let (server, sessions) = server::engine_behind(http, Config::default()).await;
    for (transport, headers) in [("polling", ""), ("websocket", HANDSHAKE)] {
        let line = format!("GET {}", server.endpoint.target(transport));
        assert_eq!(told(&ask(&server, &line, headers).await), (400, REFUSED[3]), "{transport}");
    }
    assert_eq!(sessions.engine.clients_count(), 0);
}

/// An id that is in use belongs to whoever has it.
#[tokio::test]
async fn hs_24_an_id_that_is_in_use_takes_nothing_over() {
    let http = Http::default().generate_sid(|_| async { Sid::parse("always-the-same-id-0") });
    let (server, sessions) = server::engine_behind(http, Config::default()).await;
    let mut first = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&first.sid);
    for (transport, headers) in [("polling", ""), ("websocket", HANDSHAKE)] {
        let _row = Row(transport);
        let mut second = Connection::open(server.endpoint.address).await;
        second.request(&format!("GET {}", server.endpoint.target(transport)), headers).await;
        assert_eq!(told(&second.answer().await), (400, REFUSED[3]));
    }
    assert_eq!(sessions.engine.clients_count(), 1);
    assert_eq!(told(&first.post("4a").await), (200, "ok"));
    assert_eq!(session.text().await, "a");
    session.send("b");
    assert_eq!(told(&first.get().await), (200, "4b"));
}

/// Both have drawn their ids before either session is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hs_24_of_handshakes_at_once_with_one_id_one_is_let_in() {
    for _ in 0..20 {
        let http = Http::default().generate_sid(|_| async { Sid::parse("always-the-same-id-0") });
        let (server, sessions) = server::engine_behind(http, Config::default()).await;
        let line = format!("GET {}", server.endpoint.target("polling"));
        let answers = (0..8).map(|_| ask(&server, &line, ""));
        let mut statuses: Vec<_> = join_all(answers).await.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400, 400, 400, 400, 400, 400, 400]);
        assert_eq!(sessions.engine.clients_count(), 1);
    }
}

#[tokio::test]
async fn ck_06_a_websocket_of_another_version_is_no_session() {
    let http = Http::default().initial_headers(|_, headers| {
        headers.insert("x-initial", "1".parse().expect("a value"));
    });
    let (server, sessions) = server::engine_behind(http, Config::default()).await;
    let headers = HANDSHAKE.replace("version: 13", "version: 8");
    let answer = ask(&server, &format!("GET {}", server.endpoint.target("websocket")), &headers).await;
    assert_eq!((told(&answer), answer.header("sec-websocket-version")), ((426, ""), "13"));
    assert_eq!((answer.header("x-initial"), sessions.engine.clients_count()), ("", 0));
}

#[tokio::test]
async fn hs_33_the_initial_packet_follows_the_open_packet() {
    let config = |message| Config { initial_packet: Some(message), allow_eio3: true, ..Config::default() };
    let welcome = Message::Text("日🦀".into());
    let octets = Message::Binary(vec![1, 2].into());
    let rows = [
        ("text", "EIO=4", &welcome, "\x1e4日🦀", text("4日🦀")),
        ("binary", "EIO=4", &octets, "\x1ebAQI=", Frame::Binary(vec![1, 2])),
        ("text for revision 3", "EIO=3", &welcome, "4:4日🦀", text("4日🦀")),
        ("binary for revision 3", "EIO=3&b64=1", &octets, "6:b4AQI=", text("b4AQI=")),
    ];
    for (label, query, message, end, frame) in rows {
        let _row = Row(label);
        let (server, _sessions) = server::engine(config(message.clone())).await;
        let endpoint = server.endpoint.asked(query);
        let answer = ask(&server, &format!("GET {}", endpoint.target("polling")), "").await;
        let open = answer.body.strip_suffix(end).unwrap_or_else(|| panic!("{answer:?}"));
        assert!(sid(open).len() == 20 && open.ends_with("\"maxPayload\":1000000}"), "{open}");
        let (mut websocket, _sid) = WebSocket::open(endpoint).await;
        assert_eq!(websocket.frame().await, frame);
    }

    let (server, _sessions) = server::engine(config(octets)).await;
    let endpoint = server.endpoint.asked("EIO=3");
    let mut connection = Connection::open(endpoint.address).await;
    connection.request(&format!("GET {}", endpoint.target("polling")), "").await;
    let (answer, body) = connection.binary_answer().await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/octet-stream"));
    assert_eq!(body.strip_suffix(b"\x01\x03\xff\x04\x01\x02").map(|open| open[0]), Some(0), "{body:?}");
    let (mut websocket, _sid) = WebSocket::open(endpoint).await;
    assert_eq!(websocket.frame().await, Frame::Binary(vec![4, 1, 2]));
}

#[tokio::test]
async fn hs_35_the_path_without_its_slash() {
    let config = Config { add_trailing_slash: false, ..Config::default() };
    let (server, _sessions) = server::engine(config).await;
    for (path, status) in [
        ("/engine.io", 200),
        ("/engine.io/", 200),
        ("/engine.iox", 404),
        ("/engine.io/a", 404),
        ("/engine.io//", 404),
        ("/engine", 404),
        ("/", 404),
    ] {
        let _row = Row(path);
        let answer = ask(&server, &format!("GET {path}?EIO=4&transport=polling"), "").await;
        assert_eq!(answer.status, status);
        let mut connection = Connection::open(server.endpoint.address).await;
        let answer = handshake(&mut connection, &format!("{path}?EIO=4&transport=websocket")).await;
        assert_eq!(answer.status, if status == 200 { 101 } else { 404 });
    }
}
