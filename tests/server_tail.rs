//! The binary watched: the tail over literal HTTP, and the page for operators.

use serde_json::{Value, json};
use tests::{Row, frames::WebSocket, http::Connection, process::Process, socket};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

const KEY: &str = "x-api-key: reader\r\n";

fn file(test: &str) -> String {
    format!("{}/tail-{test}.toml", env!("CARGO_TARGET_TMPDIR"))
}

/// Starts a server with this file, on any free ports.
async fn start(test: &str, configuration: &str) -> Process {
    Process::configured(BINARY, &file(test), configuration).await
}

/// A request for the tail, with the status of its answer.
async fn request(server: &Process, query: &str, headers: &str) -> (Connection, u16) {
    let mut connection = Connection::open(server.admin.expect("it has one")).await;
    connection.request(&format!("GET /api/v1/tail{query}"), headers).await;
    let answer = connection.head().await;
    if answer.status == 200 {
        assert_eq!(answer.header("content-type"), "text/event-stream");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    (connection, answer.status)
}

/// Somebody who watches.
async fn watch(server: &Process, query: &str, headers: &str) -> Connection {
    let (mut connection, status) = request(server, query, headers).await;
    assert_eq!(status, 200);
    connection.until(": watching\n\n").await;
    connection
}

/// The next line, without its time.
async fn line(watcher: &mut Connection) -> Value {
    watcher.until("data: ").await;
    let mut line: Value = serde_json::from_str(&watcher.until("\n\n").await).expect("JSON");
    assert!(line.as_object_mut().expect("an object").remove("time").expect("a time").is_u64());
    line
}

/// A client of a namespace, and its id.
async fn join(server: &Process, connect: &str) -> (WebSocket, String) {
    let (mut client, _) = WebSocket::open(server.endpoint()).await;
    client.send(connect).await;
    let joined = client.text().await;
    let at = joined.find('{').expect("let in");
    let joined: Value = serde_json::from_str(&joined[at..]).expect("JSON");
    (client, joined["sid"].as_str().expect("an id").to_owned())
}

#[tokio::test]
async fn whoever_watches_is_told_what_happens_but_no_secrets() {
    let server = start("told", "[[namespace]]\nauto_join = ['news']\nunhandled = 'ignore'\n").await;
    let (mut watcher, mut curious) = (watch(&server, "", "").await, watch(&server, "?args=true", "").await);
    let (mut client, sid) = join(&server, "40{\"token\":\"hunter2\"}").await;
    let came = json!({ "kind": "connect", "namespace": "/", "sid": sid, "result": "accepted", "recovered": false });
    let joined = json!({ "kind": "join", "namespace": "/", "room": "news", "sid": sid });
    for watcher in [&mut watcher, &mut curious] {
        assert_eq!(line(watcher).await, came);
        assert_eq!(line(watcher).await, joined);
    }

    client.send(&format!("42[\"said\",\"{}\"]", "a".repeat(500))).await;
    let mut said =
        json!({ "kind": "event", "namespace": "/", "sid": sid, "event": "said", "wants_ack": false, "bytes": 504 });
    assert_eq!(line(&mut watcher).await, said);
    said["args"] = format!("[\"{}", "a".repeat(198)).into();
    assert_eq!(line(&mut curious).await, said, "shortened");

    server.emit("", "{\"event\":\"tick\",\"room\":\"news\",\"args\":[1],\"except\":{\"users\":[\"ann\"]}}").await;
    let mut tick = json!({
        "kind": "emit", "namespace": "/", "source": "api", "event": "tick", "recipients": 1, "bytes": 3,
        "to": { "rooms": ["news"] }, "except": { "users": ["ann"] },
    });
    assert_eq!(line(&mut watcher).await, tick);
    tick["args"] = "[1]".into();
    assert_eq!(line(&mut curious).await, tick);

    client.send("41").await;
    let went = json!({ "kind": "disconnect", "namespace": "/", "sid": sid, "reason": "client namespace disconnect" });
    let left = json!({ "kind": "leave", "namespace": "/", "room": "news", "sid": sid });
    for watcher in [&mut watcher, &mut curious] {
        assert_eq!(line(watcher).await, went);
        assert_eq!(line(watcher).await, left);
    }
}

#[tokio::test]
async fn of_a_room_there_is_what_is_emitted_to_it_and_what_its_members_do() {
    let configuration = "
        [[namespace]]
        auto_join = ['{query.room}']
        unhandled = 'error'
        [[namespace.rule]]
        on = 'say'
        relay = { room = 'news' }";
    let server = start("room", configuration).await;
    let mut watcher = watch(&server, "?room=news", "").await;
    let in_room = |query| socket::connect(server.endpoint().asked(query), "/");
    let (mut a, a_id) = in_room("EIO=4&room=news").await;
    let (mut b, b_id) = in_room("EIO=4&room=other").await;
    for client in [&mut b, &mut a] {
        client.send("42[\"x\"]").await;
        assert!(client.text().await.contains("nobody handles this event"), "so it has been told");
    }
    // Whether what is in between is left out shows the order of the others.
    for op in
        [json!({ "event": "e" }), json!({ "event": "e", "room": "other" }), json!({ "event": "e", "room": "news" })]
    {
        assert_eq!(server.emit("", &op.to_string()).await.status, 200);
    }
    let join = "{\"join\":\"news\",\"user\":\"ann\"}";
    assert_eq!(server.call(&format!("PATCH /api/v1/sockets/{b_id}"), "", join).await.status, 200);
    b.send("42[\"say\",1]").await;
    while a.text().await != "42[\"say\",1]" {}
    let question = json!({ "event": "q", "room": "news", "timeout": 0.001 }).to_string();
    assert_eq!(server.call("POST /api/v1/call", "", &question).await.status, 200);
    let leave = json!({ "target": { "sids": [b_id] }, "rooms": ["news"] }).to_string();
    assert_eq!(server.call("POST /api/v1/leave", "", &leave).await.status, 200);
    a.send("41").await;
    for expected in [
        json!({ "kind": "connect", "sid": a_id }),
        json!({ "kind": "join", "sid": a_id, "room": "news" }),
        json!({ "kind": "event", "sid": a_id, "event": "x" }),
        json!({ "kind": "emit", "source": "api", "event": "e", "to": { "rooms": ["news"] } }),
        json!({ "kind": "join", "sid": b_id, "room": "news" }),
        json!({ "kind": "event", "sid": b_id, "event": "say" }),
        json!({ "kind": "emit", "source": "rule", "event": "say", "except": { "sids": [b_id] } }),
        json!({ "kind": "emit", "source": "api", "event": "q", "recipients": 2 }),
        json!({ "kind": "leave", "sid": b_id, "room": "news" }),
        json!({ "kind": "disconnect", "sid": a_id }),
        json!({ "kind": "leave", "sid": a_id, "room": "news" }),
    ] {
        let found = line(&mut watcher).await;
        for (key, value) in expected.as_object().expect("an object") {
            assert_eq!(&found[key], value, "{key} of {found}");
        }
    }
}

#[tokio::test]
async fn a_key_sees_its_namespaces_and_a_query_names_one_or_a_room() {
    let keys = "[[api.keys]]\nkey = 'reader'\nallow = ['read']\nnamespaces = ['/chat']\n\
                [[api.keys]]\nkey = 'writer'\n[[namespace]]\n[[namespace]]\nname = '/chat'\n";
    let server = start("keys", keys).await;
    assert_eq!(request(&server, "", "").await.1, 401);
    assert_eq!(request(&server, "?args=perhaps", KEY).await.1, 422);
    assert_eq!(request(&server, "?namespace=/", KEY).await.1, 403);
    let mut limited = watch(&server, "", KEY).await;
    let mut of_room = watch(&server, "?namespace=/&room=news", "x-api-key: writer\r\n").await;
    for (namespace, room) in [("/", "other"), ("/", "news"), ("/chat", "news")] {
        let op = json!({ "event": "e", "namespace": namespace, "room": room });
        assert_eq!(server.emit("x-api-key: writer\r\n", &op.to_string()).await.status, 200);
    }
    assert_eq!(line(&mut limited).await["namespace"], "/chat");
    let found = line(&mut of_room).await;
    assert_eq!((&found["namespace"], &found["to"]), (&json!("/"), &json!({ "rooms": ["news"] })));
}

#[tokio::test]
async fn who_watches_does_so_as_long_as_its_key_is_good() {
    let after = "[api]\nkeys = ['writer', { key = 'mute', allow = 'emit' }]\n";
    for (name, before, key, is_good) in [
        ("kept", "[api]\nkeys = ['reader', 'writer']\n", "x-api-key: writer\r\n", true),
        ("gone", "[api]\nkeys = ['reader', 'writer']\n", "x-api-key: reader\r\n", false),
        ("muted", "[api]\nkeys = ['mute', 'writer']\n", "x-api-key: mute\r\n", false),
        ("wanted", "", "", false),
    ] {
        let _row = Row(name);
        let mut server = start(name, before).await;
        let mut watcher = watch(&server, "", key).await;
        std::fs::write(file(name), after).expect("writable");
        server.signal("HUP");
        server.logged("configuration read again").await;
        assert_eq!(server.emit("x-api-key: writer\r\n", "{\"event\":\"e\"}").await.status, 200);
        if is_good {
            assert_eq!(line(&mut watcher).await["event"], "e");
        } else {
            assert_eq!(watcher.until("0\r\n\r\n").await, "\r\n0\r\n\r\n", "and no line before");
        }
    }
}

#[tokio::test]
async fn so_many_may_watch_and_the_tail_ends_with_the_server() {
    let server = start("end", "").await;
    let mut watchers = Vec::new();
    for _ in 0..16 {
        watchers.push(watch(&server, "", "").await);
    }
    let one_more = server.ask("/api/v1/tail").await;
    assert_eq!((one_more.status, one_more.header("retry-after")), (503, "1"));
    assert!(one_more.body.contains("\"code\":\"too_many\""), "{}", one_more.body);
    server.signal("TERM");
    for mut watcher in watchers {
        watcher.until("0\r\n\r\n").await;
    }
}

#[tokio::test]
async fn whoever_does_not_keep_up_is_told_how_many_lines_are_lost() {
    let server = start("lost", "[api]\nmax_batch = 10000\n").await;
    let mut connection = Connection::open_narrow(server.admin.expect("it has one")).await;
    connection.request("GET /api/v1/tail?args=true", "").await;
    assert_eq!(connection.head().await.status, 200);
    let op = json!({ "op": "emit", "event": "e".repeat(200), "args": ["a".repeat(200)] });
    let ops = vec![op; 500];
    // What fits into the buffers of the system between is bounded.
    for _ in 0..40 {
        let answer = server
            .call("POST /api/v1/batch", "content-type: application/json\r\n", &json!({ "ops": ops }).to_string())
            .await;
        assert_eq!(answer.status, 200);
    }
    loop {
        let line = line(&mut connection).await;
        if line["kind"] == "missed" {
            assert!(line["lines"].as_u64().expect("a number") > 0);
            break;
        }
    }
}

#[tokio::test]
async fn the_page_is_on_the_admin_listener_unless_it_is_off() {
    let server = start("page", "").await;
    let page = server.ask("/").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    let nonce = policy.split("script-src 'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).expect("a nonce");
    assert!(page.body.contains(&format!("<script nonce=\"{nonce}\">")));
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert!(page.body.len() < 60_000);
    assert!(!server.ask("/").await.body.contains(nonce), "each answer has its own");
    assert_eq!(server.get("/", "").await.status, 404, "it is not for clients");
    let metrics = server.ask("/metrics").await;
    assert!(metrics.body.contains("socketio_event_loop_lag_seconds{quantile=\"0.99\"}"));
    let without = start("without", "[ui]\nenabled = false\n").await;
    assert_eq!(without.ask("/").await.status, 404);
}
