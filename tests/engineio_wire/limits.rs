//! Every bound on what comes in: the option, what passes it, what is then seen from outside, and the reason given.

use std::{
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use engineio::{CloseReason, Config, Driver, Engine, Http, Message, Serve, Service, Socket};
use futures_util::FutureExt;
use tests::{
    Row,
    frames::{CLOSED, FIN, Frame, HANDSHAKE, PING, TEXT, WebSocket, announced, handshake, masked},
    http::{Answer, Connection},
    in_time,
    polling::{Polling, sid},
    server::{self, Server, Sessions},
};
use tokio::{net::TcpListener, sync::Notify};

use crate::told;

/// What was seen from outside, and the reason that the application is given; none where there is no session.
type Observed = (String, String);
type Case = Pin<Box<dyn Future<Output = Observed>>>;

#[tokio::test]
async fn l1_l7_l9_e25_t31_t38_every_bound_and_what_passing_it_brings() {
    let rows: Vec<(&str, &str, &str, &str, Case)> = vec![
        ("Serve::max_header_bytes", "a head of 20 KB", "431", "", Box::pin(header_bytes())),
        ("Serve::max_headers", "a fourth header", "431", "", Box::pin(headers())),
        ("Serve::header_timeout", "half a head", "End", "", Box::pin(header_timeout())),
        ("Serve::max_connections", "a third one", "waits, then 200", "", Box::pin(connections())),
        ("Config::body_timeout", "half a body", "408", "transport error: PostTimeout", Box::pin(body_timeout())),
        ("Config::max_payload", "a body of 11 bytes", "413", "open", Box::pin(body_size())),
        ("Config::max_payload", "a message of 11 bytes", "1009", "transport error: TooLarge", Box::pin(message_size())),
        ("Config::max_pings_per_second", "a third ping", "1008", "transport error: PingFlood", Box::pin(pings())),
        ("Config::max_unsolicited_pongs", "a third pong", "1008", "transport error: PongFlood", Box::pin(pongs())),
        ("Config::max_fragments", "a third one", "1008", "transport error: Fragments", Box::pin(fragments())),
        (
            "Config::message_timeout",
            "half a message",
            "1008",
            "transport error: MessageTimeout",
            Box::pin(message_time()),
        ),
        ("Config::max_outbox_bytes", "the next message", "1008", "slow consumer", Box::pin(outbox_bytes())),
        ("Config::max_outbox_messages", "the next message", "1008", "slow consumer", Box::pin(outbox_messages())),
        ("Session: probes", "a fourth one", "closed", "open", Box::pin(probes())),
        ("Session: inbox", "a POST behind 64 messages", "waits, then 200", "open", Box::pin(inbox())),
        ("Socket::limit", "more than that", "1009", "transport error: TooLarge", Box::pin(budget())),
        ("Config::max_sessions", "a second session", "503", "MAX_SESSIONS", Box::pin(sessions())),
        ("Config::max_unused_sessions", "a second one", "503", "MAX_UNUSED_SESSIONS", Box::pin(unused_sessions())),
        ("Config::max_sessions_per_ip", "a second one", "503", "MAX_SESSIONS_PER_IP", Box::pin(sessions_per_ip())),
    ];
    for (option, input, answer, reason, case) in rows {
        let label = format!("{option}: {input}");
        let _row = Row(&label);
        assert_eq!(in_time(case).await, (answer.to_owned(), reason.to_owned()));
    }
}

fn status(answer: &Answer) -> String {
    answer.status.to_string()
}

fn end(frame: &Frame) -> String {
    match frame {
        Frame::Close(Some(code), _) => code.to_string(),
        Frame::Close(None, _) => "closed".to_owned(),
        other => format!("{other:?}"),
    }
}

fn reason(reason: CloseReason) -> String {
    match reason {
        CloseReason::TransportError(fault) => format!("{reason}: {fault:?}"),
        _ => reason.to_string(),
    }
}

/// What the application knows of a session: that it is open, or why it is not.
fn state(socket: &Socket) -> String {
    socket.closed().map_or_else(|| "open".to_owned(), reason)
}

async fn ask(server: &Server, headers: &str) -> Answer {
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.request(&format!("GET {}", server.endpoint.target("polling")), headers).await;
    connection.answer().await
}

async fn served(serve: Serve) -> (Server, Sessions) {
    server::engine_served(serve, Http::default(), Config::default()).await
}

async fn header_bytes() -> Observed {
    let (server, _sessions) = served(Serve { max_header_bytes: 16 * 1024, ..Serve::default() }).await;
    (status(&ask(&server, &format!("x-a: {}\r\n", "b".repeat(20_000))).await), String::new())
}

async fn headers() -> Observed {
    let (server, _sessions) = served(Serve { max_headers: 3, ..Serve::default() }).await;
    assert_eq!(ask(&server, "a: b\r\nc: d\r\n").await.status, 200);
    (status(&ask(&server, "a: b\r\nc: d\r\ne: f\r\n").await), String::new())
}

async fn header_timeout() -> Observed {
    let (server, _sessions) = served(Serve { header_timeout: Duration::from_millis(50), ..Serve::default() }).await;
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.send("GET /engine.io/ HTTP/1.1\r\nhost: loc").await;
    assert_eq!(connection.rest().await, b"");
    ("End".to_owned(), String::new())
}

/// One is kept alive, one has become a WebSocket; the third is taken up when either has ended.
async fn connections() -> Observed {
    let (server, sessions) = served(Serve { max_connections: Some(2), ..Serve::default() }).await;
    let (websocket, _sid) = WebSocket::open(server.endpoint).await;
    let mut idle = Connection::open(server.endpoint.address).await;
    let polling = format!("GET {}", server.endpoint.target("polling"));
    idle.request(&polling, "").await;
    assert_eq!(idle.answer().await.status, 200);

    let mut third = Connection::open(server.endpoint.address).await;
    third.request(&polling, "").await;
    // The others are served meanwhile, one behind the other: time for a server that takes three.
    for _ in 0..3 {
        idle.request(&polling, "").await;
        assert_eq!(idle.answer().await.status, 200);
    }
    assert_eq!(sessions.engine.clients_count(), 5, "the third has no session yet");
    drop(websocket);
    let answer = third.answer().await;
    (format!("waits, then {}", answer.status), String::new())
}

async fn body_timeout() -> Observed {
    let config = Config { body_timeout: Duration::from_millis(50), ..Config::default() };
    let (server, sessions) = server::engine(config).await;
    let mut client = Polling::open(server.endpoint).await;
    client.begin_post("content-length: 9\r\n\r\n4").await;
    let answer = client.posts.answer().await;
    (status(&answer), reason(sessions.take(&client.sid).reason().await))
}

fn small() -> Config {
    Config { max_payload: 10, ..Config::default() }
}

async fn body_size() -> Observed {
    let (server, sessions) = server::engine(small()).await;
    let mut client = Polling::open(server.endpoint).await;
    let answer = client.post("4".repeat(11)).await;
    (status(&answer), state(&sessions.take(&client.sid).socket))
}

/// A WebSocket and the session behind it.
async fn websocket(config: Config) -> (WebSocket, server::Session, (Server, Sessions)) {
    let (server, sessions) = server::engine(config).await;
    let (client, sid) = WebSocket::open(server.endpoint).await;
    let session = sessions.take(&sid);
    (client, session, (server, sessions))
}

async fn message_size() -> Observed {
    let (mut client, session, _server) = websocket(small()).await;
    client.connection.send(announced(TEXT, 11)).await;
    (end(&client.frame().await), reason(session.reason().await))
}

async fn pings() -> Observed {
    let (mut client, session, _server) = websocket(Config { max_pings_per_second: 2, ..Config::default() }).await;
    client.connection.send(masked(PING, b"").repeat(3)).await;
    let mut frame = client.frame().await;
    while matches!(frame, Frame::Pong(_)) {
        frame = client.frame().await;
    }
    (end(&frame), reason(session.reason().await))
}

async fn pongs() -> Observed {
    let (mut client, session, _server) = websocket(Config { max_unsolicited_pongs: 2, ..Config::default() }).await;
    client.connection.send(masked(TEXT, b"3").repeat(3)).await;
    (end(&client.frame().await), reason(session.reason().await))
}

async fn fragments() -> Observed {
    let (mut client, session, _server) = websocket(Config { max_fragments: 2, ..Config::default() }).await;
    client.connection.send([masked(TEXT ^ FIN, b"4a"), masked(0, b"b").repeat(2)].concat()).await;
    (end(&client.frame().await), reason(session.reason().await))
}

async fn message_time() -> Observed {
    let config = Config { message_timeout: Duration::from_millis(50), ..Config::default() };
    let (mut client, session, _server) = websocket(config).await;
    client.connection.send(masked(TEXT ^ FIN, b"4a")).await;
    (end(&client.frame().await), reason(session.reason().await))
}

/// Sends until no more is taken; the client sees the end behind what it had been sent.
async fn overflow(config: Config, message: Message) -> Observed {
    let (mut client, session, _server) = websocket(config).await;
    while session.socket.send(&message).is_ok() {}
    let mut frame = client.frame().await;
    while matches!(frame, Frame::Text(_)) {
        frame = client.frame().await;
    }
    (end(&frame), reason(session.reason().await))
}

async fn outbox_bytes() -> Observed {
    overflow(Config { max_outbox_bytes: 1000, ..Config::default() }, Message::Text("x".repeat(100).into())).await
}

async fn outbox_messages() -> Observed {
    overflow(Config { max_outbox_messages: 5, ..Config::default() }, Message::Text("x".into())).await
}

async fn probes() -> Observed {
    let (server, sessions) = server::engine(Config::default()).await;
    let client = Polling::open(server.endpoint).await;
    let mut websocket = client.upgrade().await;
    for _ in 0..4 {
        websocket.send("2probe").await;
    }
    let mut frame = websocket.frame().await;
    while matches!(frame, Frame::Text(_)) {
        frame = websocket.frame().await;
    }
    assert_eq!(frame, CLOSED);
    (end(&frame), state(&sessions.take(&client.sid).socket))
}

/// A driver that is not run yet stands for an application that is slow.
async fn inbox() -> Observed {
    let opened: Arc<Mutex<Option<(Socket, Driver)>>> = Arc::default();
    let keep = opened.clone();
    let engine = Engine::new(Config::default(), move |socket, driver| {
        *keep.lock().expect("not poisoned") = Some((socket, driver));
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let service = Service::new(engine);
    let answer = move |request| {
        let service = service.clone();
        async move { service.answer(request).await }
    };
    tokio::spawn(async move { Serve::default().run(listener, answer, std::future::pending(), async {}).await });
    let mut connection = Connection::open(address).await;
    connection.request("GET /engine.io/?EIO=4&transport=polling", "").await;
    let id = sid(&connection.answer().await.body);
    let (socket, driver) = opened.lock().expect("not poisoned").take().expect("a session");
    let body = vec!["4x"; 64].join("\x1e");
    let post = format!("POST /engine.io/?EIO=4&transport=polling&sid={id}");
    for _ in 0..2 {
        connection.request(&post, &format!("content-length: {}\r\n\r\n{body}", body.len())).await;
    }
    assert_eq!(told(&connection.answer().await), (200, "ok"));
    // Others are served meanwhile: time for a server that would not wait.
    let mut other = Connection::open(address).await;
    for _ in 0..3 {
        other.request("GET /engine.io/?EIO=4&transport=polling", "").await;
        assert_eq!(other.answer().await.status, 200);
    }
    assert!(connection.answer().now_or_never().is_none());
    let waiting = Arc::new(Notify::new());
    let (heard, notify) = (Arc::new(Mutex::new(0)), waiting.clone());
    let count = heard.clone();
    tokio::spawn(driver.run(move |_| {
        *count.lock().expect("not poisoned") += 1;
        notify.notify_one();
    }));
    let answer = connection.answer().await;
    while *heard.lock().expect("not poisoned") < 128 {
        waiting.notified().await;
    }
    (format!("waits, then {}", answer.status), state(&socket))
}

async fn budget() -> Observed {
    let (mut client, session, _server) = websocket(Config::default()).await;
    session.socket.limit(Some(3));
    client.send("4more").await;
    (end(&client.frame().await), reason(session.reason().await))
}

/// A server that notes the contexts of refusals.
async fn noting(http: Http, config: Config) -> (Server, Sessions, Arc<Mutex<Vec<&'static str>>>) {
    let noted: Arc<Mutex<Vec<&'static str>>> = Arc::default();
    let notes = noted.clone();
    let http = http.on_refused(move |refused| notes.lock().expect("not poisoned").push(refused.context.name()));
    let (server, sessions) = server::engine_behind(http, config).await;
    (server, sessions, noted)
}

/// One is let in; the next are not, by whatever transport, until it has ended.
async fn refused(config: Config) -> Observed {
    let (server, sessions, noted) = noting(Http::default(), config).await;
    let mut first = Polling::open(server.endpoint).await;
    let polling = ask(&server, "").await;
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.request(&format!("GET {}", server.endpoint.target("websocket")), HANDSHAKE).await;
    let websocket = connection.answer().await;
    for answer in [&polling, &websocket] {
        assert_eq!(told(answer), (503, r#"{"code":3,"message":"Service unavailable"}"#));
        assert_eq!(answer.header("retry-after"), "10");
    }
    assert_eq!(sessions.engine.clients_count(), 1);
    assert_eq!(first.post("1").await.status, 200);
    sessions.take(&first.sid).reason().await;
    assert_eq!(ask(&server, "").await.status, 200);
    let noted = noted.lock().expect("not poisoned").clone();
    assert_eq!(noted[0], noted[1]);
    (status(&polling), noted[0].to_owned())
}

async fn sessions() -> Observed {
    refused(Config { max_sessions: Some(1), ..Config::default() }).await
}

async fn unused_sessions() -> Observed {
    refused(Config { max_unused_sessions: Some(1), ..Config::default() }).await
}

async fn sessions_per_ip() -> Observed {
    refused(Config { max_sessions_per_ip: Some(1), ..Config::default() }).await
}

/// With room for one that is unused, each has to be used before the next comes.
#[tokio::test]
async fn l1_a_session_is_used_from_its_first_message_or_heartbeat_on() {
    let config = Config { max_unused_sessions: Some(1), ping_interval: Duration::from_millis(50), ..Config::default() };
    let (server, sessions) = server::engine(Config { allow_eio3: true, ..config }).await;
    let mut open = Vec::new();
    for (label, query, transport, packet) in [
        ("a message by polling", "EIO=4", "polling", "4a"),
        ("a pong by polling", "EIO=4", "polling", "3"),
        ("a ping by polling", "EIO=3", "polling", "1:2"),
        ("a message by WebSocket", "EIO=4", "websocket", "4a"),
        ("a pong by WebSocket", "EIO=4", "websocket", "3"),
    ] {
        let _row = Row(label);
        let endpoint = server.endpoint.asked(query);
        if transport == "polling" {
            let mut client = Polling::open(endpoint).await;
            assert_eq!(ask(&server, "").await.status, 503);
            assert_eq!(client.post("6").await.status, if query == "EIO=4" { 200 } else { 400 });
            if query == "EIO=3" {
                // What is no payload of revision 3 ended it, and it counts no more.
                client = Polling::open(endpoint).await;
                assert_eq!(ask(&server, "").await.status, 503);
            } else {
                assert_eq!(ask(&server, "").await.status, 503, "a noop is no use");
            }
            assert_eq!(client.post(packet).await.status, 200);
            open.push(client.sid);
        } else {
            let (mut client, sid) = WebSocket::open(endpoint).await;
            assert_eq!(ask(&server, "").await.status, 503);
            client.send(packet).await;
            // Answered behind the packet.
            client.connection.send(masked(PING, b"?")).await;
            while client.frame().await != Frame::Pong(b"?".to_vec()) {}
            open.push(sid);
            drop(client);
        }
    }
    let mut last = Connection::open(server.endpoint.address).await;
    assert_eq!(handshake(&mut last, &server.endpoint.target("websocket")).await.status, 101);
    for sid in open {
        sessions.take(&sid).socket.close();
    }
}

#[tokio::test]
async fn l7_h15_addresses_are_those_of_peers_unless_the_application_says_otherwise() {
    let one_each = || Config { max_sessions_per_ip: Some(1), ..Config::default() };
    let rows = [
        ("H15: a header nobody asked for", Http::default(), ["192.0.2.1", "192.0.2.2"], [200, 503]),
        ("the application's word", by_header(), ["192.0.2.1", "192.0.2.2"], [200, 200]),
        ("twice the same", by_header(), ["192.0.2.1", "192.0.2.1"], [200, 503]),
        ("L7: of one network", by_header(), ["2001:db8::1", "2001:db8::2"], [200, 503]),
        ("of two networks", by_header(), ["2001:db8:0:1::1", "2001:db8:0:2::1"], [200, 200]),
        ("no word, no count", by_header(), ["?", "?"], [200, 200]),
    ];
    for (label, http, addresses, statuses) in rows {
        let _row = Row(label);
        let (server, _sessions) = server::engine_behind(http, one_each()).await;
        for (address, status) in addresses.into_iter().zip(statuses) {
            assert_eq!(ask(&server, &format!("x-forwarded-for: {address}\r\n")).await.status, status);
        }
    }
}

fn by_header() -> Http {
    Http::default().client_ip(|request| {
        let address: &str = request.headers.get("x-forwarded-for")?.to_str().ok()?;
        address.parse::<IpAddr>().ok()
    })
}

/// Handshakes that the application has not decided on count; those it refuses do so no more.
#[tokio::test]
async fn l1_l9_a_handshake_counts_while_the_application_decides() {
    let decide = Arc::new(Notify::new());
    let decided = decide.clone();
    let http = Http::default().allow_request(move |_| {
        let decided = decided.clone();
        async move {
            decided.notified().await;
            Err("no".into())
        }
    });
    let config = Config { max_sessions: Some(1), max_sessions_per_ip: Some(1), ..Config::default() };
    let (server, _sessions, noted) = noting(http, config).await;
    let mut first = Connection::open(server.endpoint.address).await;
    let polling = format!("GET {}", server.endpoint.target("polling"));
    for dropped in [true, false] {
        first.request(&polling, "").await;
        server.waiting(1).await;
        assert_eq!(ask(&server, "").await.status, 503);
        if dropped {
            // A client that does not wait counts no more, either.
            first = Connection::open(server.endpoint.address).await;
            server.waiting(0).await;
        }
    }
    decide.notify_one();
    assert_eq!(first.answer().await.status, 403);
    first.request(&polling, "").await;
    server.waiting(1).await;
    assert_eq!(*noted.lock().expect("not poisoned"), ["MAX_SESSIONS", "MAX_SESSIONS", "MIDDLEWARE_FAILURE"]);
}

/// Without a limit in time there is none; what such a limit is added to must not overflow.
#[tokio::test]
async fn timeouts_may_be_as_long_as_they_like() {
    let serve = Serve { header_timeout: Duration::MAX, goodbye: Duration::MAX, ..Serve::default() };
    let config = Config { body_timeout: Duration::MAX, ..Config::default() };
    let (server, sessions) = server::engine_served(serve, Http::default(), config).await;
    let mut client = Polling::open(server.endpoint).await;
    client.begin_post("content-length: 2\r\n").await;
    server.waiting(1).await;
    client.posts.send("4a").await;
    assert_eq!(told(&client.posts.answer().await), (200, "ok"));
    assert_eq!(sessions.take(&client.sid).text().await, "a");
    drop(client);
    server.stop().await;
}
