//! Webhooks: a backend is told what clients do, and what it answers is done. It is a real process, or one whose answers
//! the test gives byte by byte.

use std::{fs, net::SocketAddr, path::Path, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};
use tests::{
    Row,
    backend::{Backend, Hook},
    frames::{Frame, WebSocket, text},
    page, port,
    process::{Process, command, run},
    within,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{self, ServerConfig, pki_types::PrivateKeyDer},
};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

/// Starts a server with this file, on any free ports.
async fn start(name: &str, configuration: &str) -> Process {
    let file = format!("{}/webhooks-{name}.toml", env!("CARGO_TARGET_TMPDIR"));
    Process::configured(BINARY, &file, configuration).await
}

/// A server with one backend, with these options of it, and what else is configured.
async fn with_backend(name: &str, backend: &Backend, options: &str, others: &str) -> Process {
    start(name, &format!("[[backend]]\nurl = '{}'\n{options}\n{others}", backend.url())).await
}

/// A client that has sent this CONNECT.
async fn connecting(server: &Process, connect: &str) -> WebSocket {
    let (mut client, _) = WebSocket::open(server.endpoint()).await;
    client.send(connect).await;
    client
}

/// A client in `/`, by its backend's leave, with the id of its socket.
async fn join(server: &Process, backend: &mut Backend) -> (WebSocket, String) {
    let mut client = connecting(server, "40").await;
    let hook = backend.hook_of("connect").await;
    let sid = hook.at("sid").as_str().expect("a text").to_owned();
    hook.answer(204, "");
    assert_eq!(client.text().await, format!("40{{\"sid\":\"{sid}\"}}"));
    (client, sid)
}

/// The event that tells a client of an error.
fn error(event: &str, code: &str, message: &str) -> Frame {
    text(format!(r#"42["error",{{"code":"{code}","event":"{event}","message":"{message}"}}]"#))
}

fn unavailable(event: &str, code: &str) -> Frame {
    error(event, code, "backend unavailable")
}

/// The value of this line of the metrics, 0 while it is not there.
async fn metric(server: &Process, line: &str) -> f64 {
    let metrics = server.ask("/metrics").await.body;
    let found = metrics.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok());
    found.unwrap_or(0.0)
}

/// How many hooks wait.
const WAITING: &str = "socketio_backend_queue{backend=\"default\"}";

/// Waits until this line of the metrics has this value.
#[track_caller]
fn metric_is(server: &Process, line: &str, value: f64) -> impl Future<Output = ()> {
    within(async move { while metric(server, line).await != value {} })
}

#[tokio::test]
async fn hooks_tell_what_is_known() {
    let mut backend = Backend::listen().await;
    let server = with_backend("body", &backend, "secret = 's3cret'", "[metrics]\nenabled = true").await;
    let mut connection = tests::http::Connection::open(server.address).await;
    let headers = format!(
        "{}cookie: a=1\r\ncookie: b=2\r\nuser-agent: Test\r\nx-other: no\r\nwebhook-id: forged\r\n\
         x-forwarded-for: 1.2.3.4\r\nx-forwarded-proto: gopher\r\n",
        tests::frames::HANDSHAKE
    );
    connection.request("GET /socket.io/?EIO=4&transport=websocket&token=t%20x", &headers).await;
    assert_eq!(connection.head().await.status, 101);
    let mut client = WebSocket { connection };
    client.frame().await;
    client.send(r#"40{"password":"p"}"#).await;

    let hook = backend.hook().await;
    let head = &hook.head;
    assert_eq!(head.line, "POST /hook HTTP/1.1");
    for (name, value) in [
        ("host", backend.address.to_string().as_str()),
        ("content-type", "application/json"),
        ("socketio-event", "connect"),
        ("webhook-id", hook.at("id").as_str().expect("a text")),
        ("cookie", ""),
    ] {
        assert_eq!(head.header(name), value, "{name}");
    }
    assert!(head.header("webhook-signature").starts_with("v1,"), "{head:?}");
    assert!(head.header("webhook-timestamp").parse::<u64>().is_ok_and(|seconds| seconds > 1_700_000_000), "{head:?}");
    let (sid, node) = (hook.at("sid").clone(), hook.at("node").clone());
    assert!(hook.at("id").as_str().is_some_and(|id| id.starts_with("msg_") && id.len() > 20), "{}", hook.text);
    assert!(
        hook.at("time").as_str().is_some_and(|time| time.starts_with("20") && time.ends_with('Z')),
        "{}",
        hook.text
    );
    let request = json!({
        "remote_addr": "127.0.0.1",
        "query": { "EIO": "4", "transport": "websocket", "token": "t x" },
        "headers": {
            "cookie": "a=1; b=2",
            "user-agent": "Test",
            "host": "localhost",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-host": "localhost",
            "x-forwarded-proto": "http",
        },
    });
    let body = json!({
        "type": "connect", "id": hook.at("id"), "time": hook.at("time"), "node": node, "namespace": "/", "sid": sid,
        "seq": 1, "user": null, "session": null, "rooms": [], "request": request,
        "auth": { "password": "p" }, "recovered": false,
    });
    assert_eq!(hook.body, body);
    hook.done(r#"{"user":"42","session":{"a":1},"rooms":["r"]}"#);
    assert!(client.text().await.starts_with("40{"));

    client.send(r#"427["say",{"x":[1]},"two"]"#).await;
    let hook = backend.hook().await;
    let body = json!({
        "type": "event", "id": hook.at("id"), "time": hook.at("time"), "node": node, "namespace": "/", "sid": sid,
        "seq": 2, "user": "42", "session": { "a": 1 }, "rooms": ["r"], "request": request,
        "event": "say", "args": [{ "x": [1] }, "two"], "wants_ack": true,
    });
    assert_eq!(hook.body, body);
    assert_eq!(hook.head.header("socketio-event"), "event");
    hook.done(r#"{"ack":[1,"ok"],"session":{"b":2}}"#);
    assert_eq!(client.frame().await, text(r#"437[1,"ok"]"#));

    drop(client);
    let hook = backend.hook().await;
    let seconds = hook.at("connected_seconds").as_f64().expect("a number");
    assert!((0.0..60.0).contains(&seconds), "{seconds}");
    let body = json!({
        "type": "disconnect", "id": hook.at("id"), "time": hook.at("time"), "node": node, "namespace": "/", "sid": sid,
        "seq": 3, "user": "42", "session": { "b": 2 }, "rooms": ["r"], "request": request,
        "reason": "transport close", "connected_seconds": seconds,
    });
    assert_eq!(hook.body, body);
    hook.answer(204, "");
    for (line, value) in [
        ("socketio_backend_requests_total{backend=\"default\",code=\"200\",type=\"connect\"}", 1.0),
        ("socketio_backend_requests_total{backend=\"default\",code=\"200\",type=\"event\"}", 1.0),
        ("socketio_backend_requests_total{backend=\"default\",code=\"204\",type=\"disconnect\"}", 1.0),
        ("socketio_backend_duration_seconds_count{backend=\"default\",type=\"event\"}", 1.0),
        ("socketio_backend_in_flight{backend=\"default\"}", 0.0),
        ("socketio_backend_queue{backend=\"default\"}", 0.0),
    ] {
        metric_is(&server, line, value).await;
    }
}

#[tokio::test]
async fn what_is_answered_to_a_connect_decides() {
    let mut backend = Backend::listen().await;
    let server = with_backend("connect", &backend, "disconnect = false", "").await;
    for (status, body, answer) in [
        (200, "", "40{\"sid\":\""),
        (201, "{}", "40{\"sid\":\""),
        (204, "", "40{\"sid\":\""),
        (401, "", "44{\"message\":\"Connection rejected by server\"}"),
        (403, "<html>", "44{\"message\":\"Connection rejected by server\"}"),
        (403, r#"{"error":{"message":"no","data":{"code":7}}}"#, "44{\"message\":\"no\",\"data\":{\"code\":7}}"),
        (400, r#"{"error":{"data":[1]}}"#, "44{\"message\":\"Connection rejected by server\",\"data\":[1]}"),
        (404, "", "44{\"message\":\"Invalid namespace\"}"),
        (200, r#"{"disconnect":true}"#, "44{\"message\":\"Connection refused\"}"),
    ] {
        let _row = Row(answer);
        let mut client = connecting(&server, "40").await;
        backend.hook_of("connect").await.answer(status, body);
        let found = client.text().await;
        assert!(found.starts_with(answer), "{status} {body}: {found}");
    }
    // A namespace is whatever the backend lets be one.
    let mut client = connecting(&server, "40/any/thing,").await;
    let hook = backend.hook_of("connect").await;
    assert_eq!(hook.at("namespace"), "/any/thing");
    hook.answer(204, "");
    assert!(client.text().await.starts_with("40/any/thing,{"));
    assert_eq!(metric(&server, "socketio_connects_total{namespace=\"*\",result=\"rejected\"}").await, 6.0);
}

#[tokio::test]
async fn actions_are_done_in_order_and_then_the_ack() {
    let mut backend = Backend::listen().await;
    let server = with_backend("actions", &backend, "", "").await;
    let (mut ann, sid) = join(&server, &mut backend).await;
    let (mut bob, other) = join(&server, &mut backend).await;
    ann.send(r#"420["go"]"#).await;
    let answer = json!({
        "ack": ["done"],
        "rooms": ["first"],
        "user": "ann",
        "actions": [
            { "op": "emit", "event": "to first", "room": "first" },
            { "op": "join", "target": { "sids": [other] }, "rooms": ["second"] },
            { "op": "emit", "event": "to second", "room": "second", "data": { "x": 1 } },
            { "op": "emit", "event": "to ann", "to": { "users": ["ann"] }, "args": [1, 2] },
            { "op": "session", "sid": other, "set": { "mine": true } },
            { "op": "leave", "target": { "sids": [sid] }, "rooms": ["first"] },
            { "op": "emit", "event": "to all", "except": { "sids": [sid] } },
        ],
    });
    backend.hook_of("event").await.done(&answer.to_string());
    for frame in [r#"42["to first"]"#, r#"42["to ann",1,2]"#, r#"430["done"]"#] {
        assert_eq!(ann.frame().await, text(frame));
    }
    for frame in [r#"42["to second",{"x":1}]"#, r#"42["to all"]"#] {
        assert_eq!(bob.frame().await, text(frame));
    }
    ann.send(r#"42["next"]"#).await;
    let hook = backend.hook_of("event").await;
    assert_eq!((hook.at("user"), hook.at("rooms"), hook.at("wants_ack")), (&json!("ann"), &json!([]), &json!(false)));
    hook.done(r#"{"user":null,"session":null,"ack":["nobody wants it"]}"#);
    bob.send(r#"42["next"]"#).await;
    let hook = backend.hook_of("event").await;
    assert_eq!((hook.at("session"), hook.at("rooms")), (&json!({ "mine": true }), &json!(["second"])));
    hook.done(r#"{"error":{"message":"go away","data":1},"disconnect":true,"actions":[{"op":"emit","event":"bye"}]}"#);
    assert_eq!(bob.frame().await, text(r#"42["bye"]"#));
    let told = r#"42["error",{"code":"rejected","data":1,"event":"next","message":"go away"}]"#;
    assert_eq!(bob.frame().await, text(told));
    assert_eq!(bob.frame().await, text("41"));
    let hook = backend.hook_of("disconnect").await;
    assert_eq!((hook.at("sid"), hook.at("reason")), (&json!(other), &json!("server namespace disconnect")));
    // What a disconnect hook answers is done, too.
    hook.done(r#"{"actions":[{"op":"emit","event":"left"}],"ack":[],"rooms":["r"],"user":"x"}"#);
    assert_eq!(ann.frame().await, text(r#"42["bye"]"#));
    assert_eq!(ann.frame().await, text(r#"42["left"]"#));
    assert_eq!(metric(&server, "socketio_emits_total{source=\"hook\"}").await, 6.0);
}

#[tokio::test]
async fn clients_are_told_when_an_event_comes_to_nothing() {
    let mut backend = Backend::listen().await;
    let options = "timeout = '2s'\nbreaker_failures = 0\ndisconnect = false";
    let spaces = "[[namespace]]\nunhandled = 'error'";
    let mut server = with_backend("events", &backend, options, spaces).await;
    let (mut client, _) = join(&server, &mut backend).await;
    let large = format!("HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n{}", "x".repeat(2_000_000));
    let status = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
    let body = |body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    for (name, bytes, told) in [
        ("500", status("500 Oops"), unavailable("500", "error")),
        ("503", status("503 Away"), unavailable("503", "error")),
        ("408", status("408 Late"), unavailable("408", "error")),
        ("429", status("429 Many"), unavailable("429", "error")),
        (
            "302",
            format!("HTTP/1.1 302 X\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", backend.url()),
            unavailable("302", "error"),
        ),
        ("malformed", body("secret"), unavailable("malformed", "error")),
        ("unknown", body(r#"{"acks":["secret"]}"#), unavailable("unknown", "error")),
        (
            "half",
            body(r#"{"actions":[{"op":"emit","event":"e"},{"op":"emit","event":"secret","to":{}}]}"#),
            unavailable("half", "error"),
        ),
        ("large", large, unavailable("large", "error")),
        ("garbage", "secret\r\n\r\n".to_owned(), unavailable("garbage", "error")),
        ("404", status("404 None"), error("404", "unhandled", "nobody handles this event")),
        ("403", status("403 No"), error("403", "rejected", "Event rejected by server")),
        (
            "400",
            "HTTP/1.1 400 X\r\ncontent-length: 31\r\n\r\n{\"error\":{\"message\":\"not that\"}}".replace("31", "32"),
            error("400", "rejected", "not that"),
        ),
    ] {
        let _row = Row(name);
        client.send(&format!(r#"421["{name}"]"#)).await;
        backend.hook_of("event").await.write(&bytes);
        assert_eq!(client.frame().await, told);
    }
    client.send(r#"421["late"]"#).await;
    let late = backend.hook_of("event").await;
    assert_eq!(client.frame().await, unavailable("late", "timeout"));
    late.done(r#"{"ack":["too late"]}"#);
    client.send(r#"421["broken"]"#).await;
    drop(backend.hook_of("event").await);
    assert_eq!(client.frame().await, unavailable("broken", "error"));
    let address = backend.stop().await;
    client.send(r#"421["refused"]"#).await;
    assert_eq!(client.frame().await, unavailable("refused", "unavailable"));
    let mut backend = Backend::listen_at(address).await;
    client.send(r#"421["again"]"#).await;
    backend.hook_of("event").await.done(r#"{"ack":[]}"#);
    assert_eq!(client.frame().await, text("431[]"));

    for (code, count) in
        [("500", 1.0), ("malformed", 3.0), ("too_large", 1.0), ("timeout", 1.0), ("unreachable", 1.0), ("302", 1.0)]
    {
        let line = format!("socketio_backend_requests_total{{backend=\"default\",code=\"{code}\",type=\"event\"}}");
        assert_eq!(metric(&server, &line).await, count, "{code}");
    }
    assert_eq!(metric(&server, "socketio_events_unhandled_total{namespace=\"/\"}").await, 1.0);
    assert_eq!(server.ask("/readyz").await.status, 200);
    server.signal("TERM");
    let mut log = String::new();
    while let Some(line) = within(server.log.next_line()).await.expect("UTF-8") {
        log.push_str(&line);
    }
    assert!(log.contains("a hook was not answered"), "{log}");
    assert_eq!(log.matches("nobody handles this event").count(), 1, "{log}");
    assert!(!log.contains("secret"), "{log}");
}

/// A block of the page of the server, head and body, the latter on one line as it is sent.
fn exchanged(start: &str) -> (String, String) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/server.md");
    let page = fs::read_to_string(page).expect("the page");
    let (_, block) = page.split_once(&format!("```http\n{start}")).expect("a block");
    let (head, body) = block.split_once("\n```").expect("its end").0.split_once("\n\n").expect("a body");
    (format!("{start}{head}\n"), body.replace('\n', ""))
}

#[tokio::test]
async fn the_exchange_on_the_page_is_one() {
    let (head, body) = exchanged("POST");
    let header = |name: &str| {
        let (_, rest) = head.split_once(&format!("{name}: ")).expect("a header");
        rest.split('\n').next().expect("a line").to_owned()
    };
    assert_eq!(header("content-length"), body.len().to_string());
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &STANDARD.decode(&SECRET[6..]).expect("base64"));
    let signed = format!("{}.{}.{body}", header("webhook-id"), header("webhook-timestamp"));
    let signature = STANDARD.encode(ring::hmac::sign(&key, signed.as_bytes()));
    assert_eq!(header("webhook-signature"), format!("v1,{signature}"));

    // A hook of the server has the same fields in the same order, and headers of the same names.
    let mut backend = Backend::listen().await;
    let server = with_backend("page", &backend, &format!("secret = '{SECRET}'"), "").await;
    let mut connection = tests::http::Connection::open(server.address).await;
    let asked = format!("{}cookie: a\r\nuser-agent: b\r\n", tests::frames::HANDSHAKE);
    connection.request("GET /socket.io/?EIO=4&transport=websocket", &asked).await;
    assert_eq!(connection.head().await.status, 101);
    let mut client = WebSocket { connection };
    client.frame().await;
    client.send("40").await;
    backend.hook_of("connect").await.done(r#"{"session":{"page":7}}"#);
    assert!(client.text().await.starts_with("40{"));
    client.send(r#"421["command",{"command":"look"}]"#).await;
    let hook = backend.hook_of("event").await;
    let names = |text: &str| text.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let is_name = |text: &String| hook.text.contains(&format!("\"{text}\":"));
    let (ours, shown) = (names(&hook.text), names(&body));
    let keys = |names: Vec<String>| names.into_iter().filter(is_name).collect::<Vec<_>>();
    assert_eq!(keys(ours), keys(shown));
    let names: Vec<_> = hook.head.headers.iter().map(|(name, _)| name.as_str()).collect();
    let shown: Vec<_> = head.lines().skip(1).filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    assert_eq!(names, shown);

    let (head, answer) = exchanged("HTTP/1.1 200");
    hook.write(&format!("{}\r\n{answer}", head.replace('\n', "\r\n")));
    assert_eq!(client.frame().await, text(r#"431["You see a fireplace."]"#));
}

#[tokio::test]
async fn the_answers_on_the_page_are_understood() {
    let cells = page::last_cells("| Flask-SocketIO | Node | answer |");
    assert!(cells.len() > 5, "{cells:?}");
    let mut backend = Backend::listen().await;
    let server =
        with_backend("answers", &backend, "disconnect = false", "[[room]]\nmatch = 'r'\npresence = true").await;
    let (mut client, sid) = join(&server, &mut backend).await;
    let (mut other, _) = join(&server, &mut backend).await;
    for cell in cells {
        let cell = cell.replace("SID", &sid);
        let body = cell.split('`').nth(1).expect("an answer");
        if let Some((status, _)) = cell.split_once(", `") {
            let mut refused = connecting(&server, "40").await;
            backend.hook_of("connect").await.answer(status.parse().expect("a status"), body);
            assert_eq!(refused.text().await, r#"44{"message":"no","data":1}"#);
            continue;
        }
        client.send(r#"421["x"]"#).await;
        backend.hook_of("event").await.done(body);
        let heard = match &cell {
            cell if cell.contains("except") => other.frame().await,
            cell if cell.contains("leave") || cell.contains("session") => continue,
            _ => client.frame().await,
        };
        let Frame::Text(heard) = heard else { panic!("{cell}: {heard:?}") };
        let expected = match body.as_bytes()[2] {
            b'd' => "41",
            b'r' => r#"42["presence_state","#,
            _ if body.contains("ack") => "431[1]",
            _ => r#"42["e",1]"#,
        };
        assert!(heard.starts_with(expected), "{cell}: {heard}");
    }
    let lines = server.ask("/metrics").await.body;
    assert!(!lines.contains("malformed"), "{lines}");
}

/// Whoever waits for hooks in whatever order answers them by this.
fn echo(hook: Hook) {
    let ack = json!({ "ack": hook.body["args"] }).to_string();
    hook.done(&ack);
}

#[tokio::test]
async fn hooks_of_a_socket_are_one_at_a_time_and_sockets_do_not_wait_for_each_other() {
    let mut backend = Backend::listen().await;
    let server = with_backend("order", &backend, "", "").await;
    let (mut ann, sid) = join(&server, &mut backend).await;
    let (mut bob, _) = join(&server, &mut backend).await;
    for at in 0..3 {
        ann.send(&format!(r#"42{at}["e",{at}]"#)).await;
    }
    let first = backend.hook_of("event").await;
    bob.send(r#"429["e","bob"]"#).await;
    echo(backend.hook_of("event").await);
    assert_eq!(bob.frame().await, text(r#"439["bob"]"#));
    assert!(backend.is_idle(), "the second one of a socket waits for the first one");
    ann.send("41").await;
    echo(first);
    for at in 1..3 {
        let hook = backend.hook_of("event").await;
        assert_eq!((hook.at("args"), hook.at("sid"), hook.at("seq")), (&json!([at]), &json!(sid), &json!(at + 2)));
        echo(hook);
    }
    let hook = backend.hook_of("disconnect").await;
    assert_eq!((hook.at("reason"), hook.at("seq")), (&json!("client namespace disconnect"), &json!(5)));
    hook.answer(204, "");
}

#[tokio::test]
async fn binary_arguments_come_and_go_in_base64() {
    let mut backend = Backend::listen().await;
    let server = with_backend("binary", &backend, "", "").await;
    let (mut client, _) = join(&server, &mut backend).await;
    client.send(r#"452-3["file",{"data":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":0}]"#).await;
    client.send_binary(b"zero").await;
    client.send_binary(b"one").await;
    let hook = backend.hook_of("event").await;
    let args = json!([{ "data": { "_placeholder": true, "num": 1 } }, { "_placeholder": true, "num": 0 }]);
    assert_eq!((hook.at("args"), hook.at("attachments")), (&args, &json!(["emVybw==", "b25l"])));
    hook.done(
        r#"{"ack":[{"_placeholder":true,"num":0}],"attachments":["YWNr"],"actions":
            [{"op":"emit","event":"e","args":[{"_placeholder":true,"num":0}],"attachments":["YQ=="]}]}"#,
    );
    assert_eq!(client.frame().await, text(r#"451-["e",{"_placeholder":true,"num":0}]"#));
    assert_eq!(client.frame().await, Frame::Binary(b"a".into()));
    assert_eq!(client.frame().await, text(r#"461-3[{"_placeholder":true,"num":0}]"#));
    assert_eq!(client.frame().await, Frame::Binary(b"ack".into()));
}

#[tokio::test]
async fn a_socket_can_be_emitted_to_as_soon_as_its_backend_knows_of_it() {
    let mut backend = Backend::listen().await;
    let server = with_backend("pending", &backend, "", "").await;
    for (status, is_let_in) in [(204, true), (403, false)] {
        let mut client = connecting(&server, "40").await;
        let hook = backend.hook_of("connect").await;
        let sid = hook.at("sid").as_str().expect("a text").to_owned();
        let emit = format!(r#"{{"event":"early","to":{{"sids":["{sid}"]}}}}"#);
        assert_eq!(server.emit("", &emit).await.body, "{\"sockets\":1}\n");
        hook.answer(status, "");
        if is_let_in {
            assert!(client.text().await.starts_with("40{"));
            assert_eq!(client.frame().await, text(r#"42["early"]"#));
            client.send("41").await;
            backend.hook_of("disconnect").await.answer(204, "");
        } else {
            assert!(client.text().await.starts_with("44{"));
            client.send("40").await;
            backend.hook_of("connect").await.answer(204, "");
            assert!(client.text().await.starts_with("40{"), "and nothing of the time before");
        }
    }
}

/// What `tests/backend/app.py` prints of a hook.
#[track_caller]
fn printed(app: &mut App) -> impl Future<Output = Value> {
    within(async {
        let line = app.output.next_line().await.expect("UTF-8").expect("it runs");
        serde_json::from_str(&line).expect("JSON")
    })
}

/// A Python process that takes hooks.
struct App {
    child: tokio::process::Child,
    output: tokio::io::Lines<tokio::io::BufReader<tokio::process::ChildStdout>>,
    port: u64,
}

/// The base64 of 24 bytes.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

impl App {
    async fn start(port: u64) -> Self {
        use tokio::io::AsyncBufReadExt;
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/backend/app.py");
        let mut command = tokio::process::Command::new("python3");
        command.args([file, &port.to_string(), SECRET]).kill_on_drop(true).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().expect("python3 runs");
        let output = tokio::io::BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut app = Self { child, output, port };
        app.port = printed(&mut app).await["port"].as_u64().expect("a port");
        app
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = std::process::Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill runs");
        assert!(sent.success());
    }
}

#[tokio::test]
async fn an_application_in_another_language_finds_all_signatures_right() {
    let mut app = App::start(0).await;
    let options = format!("[[backend]]\nurl = 'http://127.0.0.1:{}/hook'\nsecret = '{SECRET}'", app.port);
    let server = start("python", &options).await;
    let mut client = connecting(&server, "40").await;
    assert!(client.text().await.starts_with("40{"));
    client.send(r#"421["echo","é",1.50]"#).await;
    assert_eq!(client.frame().await, text(r#"431["\u00e9",1.5]"#));
    drop(client);
    for kind in ["connect", "event", "disconnect"] {
        let hook = printed(&mut app).await;
        assert_eq!((&hook["wrong"], &hook["hook"]["type"]), (&Value::Null, &json!(kind)));
    }
    app.signal("TERM");
}

#[tokio::test]
async fn who_joins_while_the_backend_is_away_waits_and_is_never_refused() {
    let mut backend = Backend::listen().await;
    let engine = "[engine]\nping_interval = '100ms'\nping_timeout = '1m'";
    let server = with_backend("away", &backend, "timeout = '2s'\nbreaker_failures = 0", engine).await;
    let mut client = connecting(&server, "40").await;
    let first = backend.hook_of("connect").await;
    let (id, sid, text_before) = (first.at("id").clone(), first.at("sid").clone(), first.text.clone());
    first.answer(503, "");
    // It is the same hook each time, also behind one that was not answered in time, and one that was cut off.
    let late = backend.hook_of("connect").await;
    assert_eq!((late.at("id"), &late.text), (&id, &text_before));
    drop(backend.hook_of("connect").await);
    let address = backend.stop().await;
    // Heartbeats go on meanwhile.
    for _ in 0..3 {
        assert_eq!(client.frame().await, text("2"));
        client.send("3").await;
    }
    let mut backend = Backend::listen_at(address).await;
    let hook = backend.hook_of("connect").await;
    assert_eq!((hook.at("id"), hook.at("seq")), (&id, &json!(1)));
    hook.done(r#"{"rooms":["r"]}"#);
    loop {
        let frame = client.text().await;
        if frame != "2" {
            assert_eq!(frame, format!("40{{\"sid\":{sid}}}"));
            break;
        }
        client.send("3").await;
    }
    drop(late);
}

#[tokio::test]
async fn who_waits_for_too_long_loses_its_connection_and_is_told_nothing() {
    let mut backend = Backend::listen().await;
    let spaces = "[engine]\nconnect_timeout = '1500ms'\n[[namespace]]\n[[namespace]]\nname = '/b'";
    let server = with_backend("given-up", &backend, "timeout = '10s'", spaces).await;
    // The first namespace of a connection, and a second one, for which the time is the backend's alone.
    for is_second in [false, true] {
        let (mut client, sid) = if is_second {
            let (mut client, _) = join(&server, &mut backend).await;
            client.send("40/b,").await;
            let sid = backend.hook_of("connect").await;
            (client, sid)
        } else {
            let client = connecting(&server, "40").await;
            let sid = backend.hook_of("connect").await;
            (client, sid)
        };
        assert_eq!(client.frame().await, tests::frames::CLOSED, "no CONNECT_ERROR, and no DISCONNECT");
        // Its backend may have let it in, and hears that it is gone. So it does of the namespace before.
        let mut gone = vec![backend.hook_of("disconnect").await];
        if is_second {
            gone.push(backend.hook_of("disconnect").await);
        }
        assert!(gone.iter().any(|hook| hook.at("sid") == sid.at("sid")));
        gone.into_iter().for_each(|hook| hook.answer(204, ""));
    }
    let unanswered = |namespace| format!("socketio_connects_total{{namespace=\"{namespace}\",result=\"unanswered\"}}");
    assert_eq!(metric(&server, &unanswered("/b")).await, 1.0);
    assert_eq!(metric(&server, "socketio_sockets{namespace=\"/b\"}").await, 0.0);
}

#[tokio::test]
async fn who_leaves_a_namespace_while_it_waits_keeps_its_connection() {
    let mut backend = Backend::listen().await;
    let spaces = "[[namespace]]\n[[namespace]]\nname = '/chat'";
    let server = with_backend("left", &backend, "breaker_failures = 0", spaces).await;
    let (mut client, _sid) = join(&server, &mut backend).await;
    for (round, is_sent_away) in [false, true].into_iter().enumerate() {
        client.send("40/chat,").await;
        let mut connect = Some(backend.hook_of("connect").await);
        if is_sent_away {
            let sid = connect.as_ref().expect("not answered").at("sid").as_str().expect("a text");
            assert_eq!(server.call(&format!("DELETE /api/v1/sockets/{sid}"), "", "").await.status, 200);
            assert_eq!(client.frame().await, text(r#"44/chat,{"message":"Connection refused"}"#));
        } else {
            client.send("41/chat,").await;
        }
        for _behind in 0..2 {
            client.send(r#"421["still there?"]"#).await;
            backend.hook_of("event").await.done(r#"{"ack":[true]}"#);
            assert_eq!(client.frame().await, text("431[true]"));
            if let Some(connect) = connect.take() {
                connect.answer(503, "");
                metric_is(&server, "socketio_connects_total{namespace=\"/chat\",result=\"left\"}", (round + 1) as f64)
                    .await;
            }
        }
    }
}

#[tokio::test]
async fn who_goes_while_it_waits_leaves_nothing_behind() {
    let mut backend = Backend::listen().await;
    let server = with_backend("gone", &backend, "", "").await;
    let client = connecting(&server, "40").await;
    let hook = backend.hook_of("connect").await;
    let sid = hook.at("sid").clone();
    drop(client);
    metric_is(&server, "socketio_connections{transport=\"websocket\"}", 0.0).await;
    hook.answer(204, "");
    let hook = backend.hook_of("disconnect").await;
    assert_eq!((hook.at("sid"), hook.at("reason")), (&sid, &json!("transport close")));
    hook.answer(204, "");
    metric_is(&server, "socketio_sockets{namespace=\"*\"}", 0.0).await;
    let emit = format!(r#"{{"event":"e","to":{{"sids":[{sid}]}}}}"#);
    assert_eq!(server.emit("", &emit).await.body, "{\"sockets\":0}\n");
}

#[tokio::test]
async fn an_event_beyond_a_queue_is_told_to_its_client() {
    for (name, options, reason) in [
        ("socket", "queue_per_socket = 2", "queue_per_socket"),
        ("all", "queue = 2", "queue"),
        ("bytes", "queue_bytes = 12", "queue"),
    ] {
        let _row = Row(name);
        let mut backend = Backend::listen().await;
        let server = with_backend(&format!("full-{name}"), &backend, options, "").await;
        let (other, _) = join(&server, &mut backend).await;
        let (mut client, _) = join(&server, &mut backend).await;
        client.send(r#"420["e",0]"#).await;
        let first = backend.hook_of("event").await;
        for at in 1..=3 {
            client.send(&format!(r#"42{at}["e",{at}]"#)).await;
        }
        // Each is three bytes of arguments, and one of its name.
        if name == "bytes" {
            client.send(r#"424["e",4]"#).await;
        }
        assert_eq!(client.frame().await, unavailable("e", "overloaded"));
        let line = format!("socketio_backend_dropped_total{{backend=\"default\",reason=\"{reason}\"}}");
        assert_eq!(metric(&server, &line).await, 1.0);
        // By events, however large, no disconnect is lost.
        drop(other);
        backend.hook_of("disconnect").await.answer(204, "");
        echo(first);
        assert_eq!(client.frame().await, text("430[0]"));
        let kept = if name == "bytes" { 3 } else { 2 };
        for at in 1..=kept {
            echo(backend.hook_of("event").await);
            assert_eq!(client.frame().await, text(format!("43{at}[{at}]")));
        }
    }
}

#[tokio::test]
async fn so_many_hooks_are_under_way_and_events_of_one_socket_overtake_each_other_on_request() {
    let mut backend = Backend::listen().await;
    let options = "ordering = 'none'\nmax_in_flight = 2\ndisconnect = false";
    let server = with_backend("parallel", &backend, options, "").await;
    let (mut client, _) = join(&server, &mut backend).await;
    for at in 0..3 {
        client.send(&format!(r#"42{at}["e",{at}]"#)).await;
    }
    let mut under_way = [backend.hook_of("event").await, backend.hook_of("event").await];
    // They go in order, but by two connections.
    under_way.sort_by_key(|hook| hook.at("args").to_string());
    let [first, later] = under_way;
    assert_eq!((first.at("args"), later.at("args")), (&json!([0]), &json!([1])));
    metric_is(&server, "socketio_backend_in_flight{backend=\"default\"}", 2.0).await;
    metric_is(&server, "socketio_backend_queue{backend=\"default\"}", 1.0).await;
    assert!(backend.is_idle());
    echo(later);
    assert_eq!(client.frame().await, text("431[1]"));
    echo(backend.hook_of("event").await);
    assert_eq!(client.frame().await, text("432[2]"));
    echo(first);
    assert_eq!(client.frame().await, text("430[0]"));
}

#[tokio::test]
async fn a_backend_that_fails_again_and_again_has_a_pause() {
    let mut backend = Backend::listen().await;
    let options = "breaker_failures = 2\nbreaker_pause = '3s'";
    let mut server = with_backend("breaker", &backend, options, "").await;
    let (mut client, _) = join(&server, &mut backend).await;
    // What one event does wrong is no matter of all others.
    for _ in 0..3 {
        client.send(r#"42["bug"]"#).await;
        backend.hook_of("event").await.answer(500, "");
        assert_eq!(client.frame().await, unavailable("bug", "error"));
    }
    for _ in 0..2 {
        client.send(r#"42["e"]"#).await;
        backend.hook_of("event").await.answer(503, "");
        assert_eq!(client.frame().await, unavailable("e", "error"));
    }
    assert!(server.logged("has a pause").await.contains("backend=\"default\""));
    client.send(r#"42["e"]"#).await;
    assert_eq!(client.frame().await, unavailable("e", "unavailable"));
    assert!(backend.is_idle(), "it was not asked");
    assert_eq!(metric(&server, "socketio_backend_dropped_total{backend=\"default\",reason=\"open\"}").await, 1.0);
    // Who wants to join waits, and is the probe.
    let mut other = connecting(&server, "40").await;
    backend.hook_of("connect").await.answer(204, "");
    assert!(other.text().await.starts_with("40{"));
    server.logged("answers again").await;
    client.send(r#"421["e"]"#).await;
    echo(backend.hook_of("event").await);
    assert_eq!(client.frame().await, text("431[]"));
}

#[tokio::test]
async fn events_go_again_as_often_as_they_are_to() {
    let mut backend = Backend::listen().await;
    let server = with_backend("retries", &backend, "retries = 1\nbreaker_failures = 0", "").await;
    let (mut client, _) = join(&server, &mut backend).await;
    client.send(r#"421["e",1]"#).await;
    client.send(r#"422["e",2]"#).await;
    let first = backend.hook_of("event").await;
    let (id, body) = (first.at("id").clone(), first.text.clone());
    first.answer(500, "");
    let again = backend.hook_of("event").await;
    assert_eq!(
        (again.at("id"), &again.text, again.head.header("webhook-id")),
        (&id, &body, id.as_str().expect("a text"))
    );
    echo(again);
    assert_eq!(client.frame().await, text("431[1]"));
    for _ in 0..2 {
        backend.hook_of("event").await.answer(500, "");
    }
    assert_eq!(client.frame().await, unavailable("e", "error"));
}

#[tokio::test]
async fn disconnects_are_told_again_and_the_last_ones_before_the_server_ends() {
    let mut backend = Backend::listen().await;
    let mut server = with_backend("leaving", &backend, "breaker_failures = 0\ndisconnect_rate = 1", "").await;
    let (client, sid) = join(&server, &mut backend).await;
    drop(client);
    let hook = backend.hook_of("disconnect").await;
    let id = hook.at("id").clone();
    hook.answer(500, "");
    let hook = backend.hook_of("disconnect").await;
    assert_eq!((hook.at("sid"), hook.at("id")), (&json!(sid), &id));
    hook.answer(204, "");
    // More than go at once by their pace, for which the end does not wait.
    let mut clients = Vec::new();
    for _ in 0..15 {
        clients.push(join(&server, &mut backend).await);
    }
    server.signal("TERM");
    for _ in 0..15 {
        let hook = backend.hook_of("disconnect").await;
        assert_eq!(hook.at("reason"), "server shutting down");
        hook.answer(204, "");
    }
    assert!(within(server.child.wait()).await.expect("it ends").success());
}

#[tokio::test]
async fn the_server_ends_soon_without_the_backend_that_is_to_be_told() {
    // Two are too few to open the breaker.
    for (name, clients, is_paused) in [("few", 2, false), ("many", 20, false), ("paused", 1, true)] {
        let _row = Row(name);
        let mut backend = Backend::listen().await;
        let mut server = with_backend(&format!("dead-{name}"), &backend, "", "[drain]\ntimeout = '5m'").await;
        let mut joined = Vec::new();
        for _ in 0..clients {
            joined.push(join(&server, &mut backend).await);
        }
        backend.stop().await;
        if is_paused {
            let (client, _) = &mut joined[0];
            for _ in 0..5 {
                client.send(r#"42["e"]"#).await;
                assert_eq!(client.frame().await, unavailable("e", "unavailable"));
            }
            server.logged("has a pause").await;
        }
        server.signal("TERM");
        assert!(within(server.child.wait()).await.expect("it ends").success());
        let mut log = String::new();
        while let Some(line) = within(server.log.next_line()).await.expect("UTF-8") {
            log.push_str(&line);
        }
        assert!(log.contains("a hook was") && !log.contains("cut off"), "{log}");
    }
}

#[tokio::test]
async fn a_backend_that_is_there_again_is_told_by_a_server_that_ends() {
    let mut backend = Backend::listen().await;
    let options = "breaker_failures = 1\nbreaker_pause = '5m'";
    let mut server = with_backend("there-again", &backend, options, "[drain]\ntimeout = '5m'").await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(join(&server, &mut backend).await);
    }
    clients[0].0.send(r#"42["e"]"#).await;
    backend.hook_of("event").await.answer(503, "");
    server.logged("has a pause").await;
    // It is asked in spite of that, by one first.
    server.signal("TERM");
    let probe = backend.hook_of("disconnect").await;
    assert!(backend.is_idle());
    probe.answer(204, "");
    for _ in 0..2 {
        backend.hook_of("disconnect").await.answer(204, "");
    }
    assert!(within(server.child.wait()).await.expect("it ends").success());
}

#[tokio::test]
async fn what_was_under_way_is_answered_before_the_server_ends() {
    let mut backend = Backend::listen().await;
    let mut server = with_backend("drain", &backend, "disconnect = false", "").await;
    let (mut client, _) = join(&server, &mut backend).await;
    let mut waiting = connecting(&server, "40").await;
    let joining = backend.hook_of("connect").await;
    client.send(r#"421["e"]"#).await;
    let hook = backend.hook_of("event").await;
    server.signal("TERM");
    metric_is(&server, "socketio_draining", 1.0).await;
    echo(hook);
    assert_eq!(client.frame().await, text("431[]"));
    joining.answer(503, "");
    assert_eq!(client.frame().await, tests::frames::closed(1001));
    let end = waiting.frame().await;
    assert!(matches!(end, Frame::Close(..) | Frame::End), "no CONNECT_ERROR: {end:?}");
    assert!(within(server.child.wait()).await.expect("it ends").success());
}

#[tokio::test]
async fn who_comes_back_is_told_of_behind_its_absence() {
    for (hook, is_asked) in [("true", true), ("false", false)] {
        let mut backend = Backend::listen().await;
        let recovery = format!("[recovery]\nmode = 'buffer'\nhook = {hook}");
        let server = with_backend(&format!("recovery-{hook}"), &backend, "", &recovery).await;
        let mut client = connecting(&server, r#"40{"token":"t"}"#).await;
        let connect = backend.hook_of("connect").await;
        let sid = connect.at("sid").clone();
        connect.done(r#"{"rooms":["r"],"session":[1],"user":"ann"}"#);
        let answer = client.text().await;
        let pid = answer.split("\"pid\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a pid").to_owned();
        drop(client);
        let gone = backend.hook_of("disconnect").await;
        let mut client = connecting(&server, &format!(r#"40{{"token":"t","pid":"{pid}"}}"#)).await;
        if is_asked {
            // The order of both is kept, though the first one is not answered yet.
            assert!(server.ask("/readyz").await.status == 200 && backend.is_idle());
        }
        gone.answer(204, "");
        if is_asked {
            let back = backend.hook_of("connect").await;
            assert_eq!((back.at("sid"), back.at("recovered"), back.at("seq")), (&sid, &json!(true), &json!(3)));
            assert_eq!(
                (back.at("rooms"), back.at("session"), back.at("user")),
                (&json!(["r"]), &json!([1]), &json!("ann"))
            );
            assert_eq!(back.at("auth"), &json!({ "token": "t" }), "what lets it come back is its own");
            back.answer(204, "");
        }
        assert!(client.text().await.starts_with(&format!("40{{\"sid\":{sid},")), "{hook}");
        client.send(r#"421["e"]"#).await;
        echo(backend.hook_of("event").await);
        assert_eq!(client.frame().await, text("431[]"));
    }
}

/// A client in `/` that can come back, with the id of its socket and the CONNECT that claims it.
async fn recoverable(server: &Process, backend: &mut Backend) -> (WebSocket, Value, String) {
    let mut client = connecting(server, "40").await;
    let connect = backend.hook_of("connect").await;
    let sid = connect.at("sid").clone();
    connect.answer(204, "");
    let answer: Value = serde_json::from_str(&client.text().await[2..]).expect("JSON");
    (client, sid, format!(r#"40{{"pid":{}}}"#, answer["pid"]))
}

#[tokio::test]
async fn who_is_back_and_is_not_let_in_is_told_to_be_gone() {
    let mut backend = Backend::listen().await;
    let more = "[engine]\nconnect_timeout = '2s'\n[recovery]\nmode = 'buffer'";
    let server = with_backend("back-in-vain", &backend, "", more).await;
    let (client, sid, claim) = recoverable(&server, &mut backend).await;
    drop(client);
    let gone = backend.hook_of("disconnect").await;
    let mut client = connecting(&server, &claim).await;
    metric_is(&server, WAITING, 1.0).await;
    // Not told again within the second before it would be, as its client is back.
    gone.answer(500, "");
    let told = loop {
        let hook = backend.hook().await;
        if hook.at("type") != "connect" {
            break hook;
        }
        assert_eq!((hook.at("seq"), hook.at("recovered")), (&json!(3), &json!(true)));
        hook.answer(500, "");
    };
    assert_eq!((told.at("type"), told.at("sid"), told.at("seq")), (&json!("disconnect"), &sid, &json!(4)));
    told.answer(204, "");
    assert_eq!(client.frame().await, tests::frames::CLOSED);
}

#[tokio::test]
async fn who_is_back_twice_is_not_told_to_be_gone_unless_it_is() {
    let mut backend = Backend::listen().await;
    let more = "[engine]\nconnect_timeout = '2s'\n[recovery]\nmode = 'buffer'";
    let server = with_backend("back-twice", &backend, "", more).await;
    for (row, is_let_in) in [("let in", true), ("unanswered", false)] {
        let _row = Row(row);
        let (client, sid, claim) = recoverable(&server, &mut backend).await;
        drop(client);
        backend.hook_of("disconnect").await.answer(204, "");
        let mut first = connecting(&server, &claim).await;
        let hook = backend.hook_of("connect").await;
        let mut second = connecting(&server, &claim).await;
        assert_eq!(first.frame().await, tests::frames::CLOSED, "the other one has taken its place");
        metric_is(&server, WAITING, 1.0).await;
        hook.answer(204, "");
        let hook = backend.hook_of("connect").await;
        assert_eq!((hook.at("sid"), hook.at("seq")), (&sid, &json!(4)));
        if is_let_in {
            hook.answer(204, "");
            assert!(second.text().await.starts_with(&format!("40{{\"sid\":{sid},")));
            second.send(r#"421["e"]"#).await;
            echo(backend.hook_of("event").await);
            assert_eq!(second.frame().await, text("431[]"));
            drop(second);
        } else {
            hook.answer(500, "");
        }
        let gone = loop {
            let hook = backend.hook().await;
            if hook.at("type") != "connect" {
                break hook;
            }
            hook.answer(500, "");
        };
        assert_eq!((gone.at("type"), gone.at("sid")), (&json!("disconnect"), &sid));
        gone.answer(204, "");
        assert!(backend.is_idle());
    }
}

#[tokio::test]
async fn several_backends_have_each_their_namespaces_and_events() {
    let (mut chat, mut other) = (Backend::listen().await, Backend::listen().await);
    let text_of = format!(
        "[[backend]]\nname = 'chat'\nurl = '{}'\nnamespaces = '/chat'\nevents = ['say*']\ninclude_request = false\n\
         include_rooms = false\n[[backend]]\nname = 'other'\nurl = '{}'\nforward_headers = 'x-team'",
        chat.url(),
        other.url()
    );
    let server = start("several", &text_of).await;
    let mut client = connecting(&server, "40/chat,").await;
    chat.hook_of("connect").await.answer(204, "");
    assert!(client.text().await.starts_with("40/chat,{"));
    client.send(r#"42/chat,1["say hello"]"#).await;
    let hook = chat.hook_of("event").await;
    assert_eq!((hook.at("request"), hook.at("rooms")), (&Value::Null, &Value::Null));
    echo(hook);
    assert_eq!(client.frame().await, text("43/chat,1[]"));
    client.send(r#"42/chat,2["ask"]"#).await;
    let hook = other.hook_of("event").await;
    assert!(hook.at("request.headers").get("user-agent").is_none(), "{}", hook.text);
    echo(hook);
    assert_eq!(client.frame().await, text("43/chat,2[]"));
    let mut client = connecting(&server, "40/else,").await;
    other.hook_of("connect").await.answer(204, "");
    assert!(client.text().await.starts_with("40/else,{"));
    assert!(chat.is_idle() && other.is_idle());
}

#[tokio::test]
async fn an_application_that_is_stopped_costs_nobody_a_connection() {
    let mut app = App::start(0).await;
    let options = format!(
        "[[backend]]\nurl = 'http://127.0.0.1:{}/hook'\nsecret = '{SECRET}'\ntimeout = '2s'\nbreaker_pause = '500ms'\n\
         [engine]\nping_interval = '100ms'\nping_timeout = '10s'",
        app.port
    );
    let server = start("stopped", &options).await;
    let mut client = connecting(&server, "40").await;
    let next = async |client: &mut WebSocket| loop {
        match client.text().await {
            ping if ping == "2" => client.send("3").await,
            frame => return frame,
        }
    };
    assert!(next(&mut client).await.starts_with("40{"));
    app.signal("STOP");
    for at in 0..8 {
        client.send(&format!(r#"42{at}["slow",{at}]"#)).await;
    }
    // Emits do not wait for it.
    assert_eq!(server.emit("", r#"{"event":"news"}"#).await.body, "{\"sockets\":1}\n");
    assert_eq!(next(&mut client).await, r#"42["news"]"#);
    let failed = next(&mut client).await;
    assert_eq!(Frame::Text(failed), unavailable("slow", "timeout"));
    app.signal("CONT");
    // What is left is answered in order, or failed.
    let (mut answered, mut told) = (Vec::new(), 1);
    while told + answered.len() < 8 {
        let frame = next(&mut client).await;
        match frame.strip_prefix("43").and_then(|rest| rest.split('[').next()?.parse::<usize>().ok()) {
            Some(id) => answered.push(id),
            None => {
                assert!(frame.contains("backend unavailable"), "{frame}");
                told += 1;
            }
        }
    }
    assert!(answered.is_sorted() && !answered.is_empty(), "{answered:?}");
    app.signal("TERM");
    within(app.child.wait()).await.expect("it ends");
}

#[tokio::test]
async fn a_restart_of_the_application_refuses_nobody_who_joins() {
    let port = port::free().port().into();
    let mut app = App::start(port).await;
    let options =
        format!("[[backend]]\nurl = 'http://127.0.0.1:{port}/hook'\nsecret = '{SECRET}'\nbreaker_pause = '300ms'");
    let server = start("restart", &options).await;
    let mut clients = Vec::new();
    for at in 0..30 {
        if at == 10 {
            app.signal("KILL");
            within(app.child.wait()).await.expect("it ends");
        }
        if at == 20 {
            app = App::start(port).await;
        }
        clients.push(connecting(&server, "40").await);
    }
    for client in &mut clients {
        let answer = client.text().await;
        assert!(answer.starts_with("40{"), "{answer}");
    }
    app.signal("TERM");
}

/// Takes connections by TLS with this certificate and key, or by a Unix socket, and passes them on to the backend.
async fn pass_on<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(mut stream: S, to: SocketAddr) {
    let mut backend = TcpStream::connect(to).await.expect("it listens");
    // Either end may close it.
    let _closed = tokio::io::copy_bidirectional(&mut stream, &mut backend).await;
}

#[tokio::test]
async fn backends_are_reached_by_tls_and_by_unix_sockets() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("webhooks");
    fs::create_dir_all(&folder).expect("writable");
    let mut backend = Backend::listen().await;
    let to = backend.address;

    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".into()]).expect("drawn");
    let trusted = folder.join("trusted.pem");
    fs::write(&trusted, cert.pem()).expect("writable");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key))
        .expect("a certificate and its key");
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let secure = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who does not trust it ends the handshake.
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(pass_on(stream, to));
            }
        }
    });
    let socket = folder.join("app.sock");
    let _none_before = fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).expect("a path");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(pass_on(stream, to));
        }
    });

    let https = format!("https://localhost:{secure}/hook");
    let unix = format!("unix:{}:/hook", socket.display());
    let ports = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    for (url, host) in [(&https, format!("localhost:{secure}")), (&unix, "localhost".to_owned())] {
        let _row = Row(url);
        let mut command = command(BINARY, &[&ports[..], &["--backend", url]].concat());
        command.env("SSL_CERT_FILE", &trusted);
        let server = Process::start(command).await;
        assert!(server.announced.contains(&format!("hooks to {url}")), "{}", server.announced);
        let mut client = connecting(&server, "40").await;
        let hook = backend.hook_of("connect").await;
        assert_eq!((hook.head.line.as_str(), hook.head.header("host")), ("POST /hook HTTP/1.1", host.as_str()));
        hook.answer(204, "");
        assert!(client.text().await.starts_with("40{"));
        drop(client);
        backend.hook_of("disconnect").await.answer(204, "");
    }
    // Who proves another name, or nothing, is asked nothing.
    let other = format!("https://127.0.0.1:{secure}/hook");
    let mut command = command(BINARY, &[&ports[..], &["--backend", &other]].concat());
    command.env("SSL_CERT_FILE", &trusted);
    let server = Process::start(command).await;
    let _waiting = connecting(&server, "40").await;
    let line = "socketio_backend_requests_total{backend=\"default\",code=\"unreachable\",type=\"connect\"}";
    within(async { while metric(&server, line).await == 0.0 {} }).await;
    assert!(backend.is_idle());
}

#[tokio::test]
async fn what_takes_hooks_is_not_passed_on_to() {
    let mut backend = Backend::listen().await;
    let proxy = format!("[proxy]\nupstream = 'http://localhost:{}'", backend.address.port());
    let server = with_backend("deny", &backend, "", &proxy).await;
    for path in ["/hook", "/hook/", "/x/../hook", "/%68ook"] {
        let answer = server.post(path, r#"{"type":"event"}"#).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    assert!(backend.is_idle());
    let _client = connecting(&server, "40").await;
    backend.hook_of("connect").await.answer(204, "");
}

#[tokio::test]
async fn who_has_a_token_is_asked_about_only_where_that_is_wanted() {
    let secret = "a secret of thirty-two bytes, or more";
    let set = format!("auth.jwt.secret={secret}");
    let token = run(BINARY, &["token", "--set", &set, "--sub", "ann"]).await;
    let token = String::from_utf8(token.stdout).expect("UTF-8").trim().to_owned();
    assert!(token.starts_with("ey"), "{token}");
    let auth =
        format!("[auth]\nmode = 'jwt_optional'\n[auth.jwt]\nsecret = '{secret}'\n[[namespace]]\nrequire_user = true");
    let with_token = format!(r#"40{{"token":"{token}"}}"#);
    for (connect, of_token, of_stranger) in [("true", false, true), ("'always'", true, true), ("false", false, false)] {
        let _row = Row(connect);
        let mut backend = Backend::listen().await;
        let options = format!("connect = {connect}");
        let server = with_backend(&format!("token-{}", connect.trim_matches('\'')), &backend, &options, &auth).await;
        let mut ann = connecting(&server, &with_token).await;
        if of_token {
            let hook = backend.hook_of("connect").await;
            assert_eq!(hook.at("user"), "ann", "what the token says is known");
            hook.answer(204, "");
        }
        assert!(ann.text().await.starts_with("40{"));
        let mut stranger = connecting(&server, "40").await;
        if of_stranger {
            backend.hook_of("connect").await.done(r#"{"user":"bob"}"#);
            assert!(stranger.text().await.starts_with("40{"));
            // One whom the backend lets in, and the server does not, is gone again.
            let mut nobody = connecting(&server, "40").await;
            backend.hook_of("connect").await.answer(204, "");
            assert!(nobody.text().await.contains("User required"));
            backend.hook_of("disconnect").await.answer(204, "");
        } else {
            assert!(stranger.text().await.contains("User required"));
        }
        assert!(backend.is_idle());
        ann.send(r#"421["e"]"#).await;
        let hook = backend.hook_of("event").await;
        assert_eq!(hook.at("user"), "ann");
        echo(hook);
        assert_eq!(ann.frame().await, text("431[]"));
        drop(ann);
        backend.hook_of("disconnect").await.answer(204, "");
    }
}

#[tokio::test]
async fn rooms_with_presence_show_what_a_backend_says_of_a_socket() {
    let mut backend = Backend::listen().await;
    let server = with_backend("presence", &backend, "", "[[room]]\nmatch = 'doc'\npresence = true").await;
    let mut client = connecting(&server, "40").await;
    backend.hook_of("connect").await.done(r#"{"user":"ann","info":{"color":"red"},"rooms":["doc"]}"#);
    assert!(client.text().await.starts_with("40{"));
    let state = r#"42["presence_state",{"members":{"ann":{"count":1,"info":{"color":"red"}}},"room":"doc"}]"#;
    assert_eq!(client.frame().await, text(state));
}

#[tokio::test]
async fn what_a_token_says_of_a_user_stays_until_a_backend_says_more() {
    let mut backend = Backend::listen().await;
    let secret = "a secret of thirty-two bytes, or more";
    let more = format!("[auth]\nmode = 'jwt'\n[auth.jwt]\nsecret = '{secret}'\n[[room]]\nmatch = '*'\npresence = true");
    let server = with_backend("presence-token", &backend, "connect = 'always'", &more).await;
    let set = format!("auth.jwt.secret={secret}");
    let token = run(BINARY, &["token", "--set", &set, "--sub", "ann", "--info", "1"]).await.stdout;
    let token = String::from_utf8(token).expect("UTF-8");
    let mut client = connecting(&server, &format!(r#"40{{"token":"{}"}}"#, token.trim())).await;
    backend.hook_of("connect").await.done(r#"{"user":"bob","rooms":["a"]}"#);
    assert!(client.text().await.starts_with("40{"));
    let state = |user: &str, info: u8, room: &str| {
        let members = format!(r#"{{"{user}":{{"count":1,"info":{info}}}}}"#);
        text(format!(r#"42["presence_state",{{"members":{members},"room":"{room}"}}]"#))
    };
    assert_eq!(client.frame().await, state("bob", 1, "a"));
    for (answer, user, info, room) in [
        (r#"{"info":2,"rooms":["b"]}"#, "bob", 2, "b"),
        (r#"{"user":"cy","rooms":["c"]}"#, "cy", 2, "c"),
        (r#"{"user":"dan","info":3,"rooms":["d"]}"#, "dan", 3, "d"),
    ] {
        client.send(r#"42["e"]"#).await;
        backend.hook_of("event").await.done(answer);
        assert_eq!(client.frame().await, state(user, info, room));
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_left_out_and_all_else_is_done() {
    let mut backend = Backend::listen().await;
    let limits = "[limits]\nmax_rooms_per_socket = 2";
    let mut server = with_backend("left-out", &backend, "", limits).await;
    let (mut client, sid) = join(&server, &mut backend).await;
    client.send(r#"421["e"]"#).await;
    let answer = json!({
        "rooms": ["a", "b", "c"],
        "actions": [
            { "op": "session", "sid": "nobody", "set": {} },
            { "op": "emit", "event": "to b", "room": "b" },
            { "op": "emit", "event": "to c", "room": "c" },
            { "op": "user", "sid": sid, "user": null },
        ],
        "ack": [],
    });
    backend.hook_of("event").await.done(&answer.to_string());
    assert_eq!(client.frame().await, text(r#"42["to b"]"#));
    assert_eq!(client.frame().await, text("431[]"));
    let line = server.logged("an action was left out").await;
    assert!(line.contains("backend=\"default\"") && !line.contains(&sid), "{line}");
}
