//! The binary's figures: each is seen to change from outside, by real clients and real requests.

use serde_json::{Value, json};
use tests::{Row, frames::WebSocket, http::Connection, polling::Polling, process::Process, socket, within};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

/// Starts a server with this file, on any free ports.
async fn start(name: &str, configuration: &str) -> Process {
    let file = format!("{}/metrics-{name}.toml", env!("CARGO_TARGET_TMPDIR"));
    Process::configured(BINARY, &file, configuration).await
}

/// The figures of a server.
async fn metrics(server: &Process) -> String {
    let answer = server.ask("/metrics").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; charset=utf-8"));
    answer.body
}

/// A figure without its prefix, with its labels; `None` while there is none.
fn figure(metrics: &str, name: &str) -> Option<f64> {
    let start = format!("socketio_{name} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&start))?;
    Some(line.parse().expect("a number"))
}

/// Waits until a figure has this value: some are told just behind what a client sees.
async fn comes_to(server: &Process, name: &str, value: f64) {
    within(async {
        while figure(&metrics(server).await, name) != Some(value) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn emit(server: &Process, body: Value) -> String {
    let answer = server.emit("", &body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

/// Carries out ops, one right behind the other.
async fn batch(server: &Process, ops: Value) -> Value {
    let body = json!({ "ops": ops }).to_string();
    let answer = server.call("POST /api/v1/batch", "content-type: application/json\r\n", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).expect("JSON")
}

/// A client in `/` that polls.
async fn polls(server: &Process) -> Polling {
    let mut polling = Polling::open(server.endpoint()).await;
    assert_eq!(polling.post("40").await.body, "ok");
    assert!(polling.get().await.body.starts_with("40{\"sid\":"));
    polling
}

#[tokio::test]
async fn what_happens_is_counted() {
    let server = start("counted", "").await;
    let (mut websocket, _) = socket::connect(server.endpoint(), "/").await;
    websocket.send("42[\"e\"]").await;
    let _polling = polls(&server).await;
    assert_eq!(server.get("/socket.io/?EIO=4&transport=x", "").await.status, 400);
    emit(&server, json!({ "event": "news" })).await;
    assert_eq!(websocket.text().await, "42[\"news\"]");
    let metrics = metrics(&server).await;
    for line in [
        "socketio_connections{transport=\"polling\"} 1",
        "socketio_connections{transport=\"websocket\"} 1",
        "socketio_connections_opened_total{transport=\"websocket\"} 1",
        "socketio_sockets{namespace=\"/\"} 2",
        "socketio_connects_total{namespace=\"/\",result=\"accepted\"} 2",
        "socketio_handshakes_rejected_total{reason=\"UNKNOWN_TRANSPORT\"} 1",
        "socketio_events_received_total{event=\"other\",namespace=\"/\"} 1",
        "socketio_emits_total{source=\"api\"} 1",
        "socketio_deliveries_total 2",
        "socketio_packets_received_total 3",
        "socketio_bytes_received_total{transport=\"polling\"} 1",
        "socketio_bytes_received_total{transport=\"websocket\"} 7",
        "socketio_api_requests_total{code=\"200\",route=\"/api/v1/emit\"} 1",
        "socketio_api_duration_seconds_count{route=\"/api/v1/emit\"} 1",
        "socketio_api_duration_seconds_bucket{route=\"/api/v1/emit\",le=\"0.0005\"} ",
        "socketio_api_duration_seconds_bucket{route=\"/api/v1/emit\",le=\"0.002\"} ",
        "socketio_draining 0",
        "socketio_build_info{version=\"0.1.0\"} 1",
        "process_open_fds ",
        "process_max_fds ",
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    drop(websocket);
    comes_to(&server, "connections_closed_total{reason=\"transport close\"}", 1.0).await;
    comes_to(&server, "connections{transport=\"websocket\"}", 0.0).await;
    let without = start("without", "[metrics]\nenabled = false").await;
    assert_eq!(without.ask("/metrics").await.status, 404);
}

#[tokio::test]
async fn bytes_are_counted_once_they_have_left_and_shown_while_they_wait() {
    let server = start("bytes", "").await;
    let (mut websocket, _) = socket::connect(server.endpoint(), "/").await;
    let mut polling = polls(&server).await;
    // What opens both, and lets both in.
    comes_to(&server, "packets_sent_total", 4.0).await;
    let sent = |metrics: &str, transport| {
        figure(metrics, &format!("bytes_sent_total{{transport=\"{transport}\"}}")).expect("there from the start")
    };
    let before = metrics(&server).await;
    let (by_websocket, by_polling) = (sent(&before, "websocket"), sent(&before, "polling"));
    assert!(by_websocket > 100.0 && by_polling > 100.0, "the packets that open a connection: {before}");
    // Ten bytes, and two of the header that it would have as a frame.
    emit(&server, json!({ "event": "news" })).await;
    assert_eq!(websocket.text().await, "42[\"news\"]");
    comes_to(&server, "bytes_sent_total{transport=\"websocket\"}", by_websocket + 12.0).await;
    let meanwhile = metrics(&server).await;
    assert_eq!((sent(&meanwhile, "polling"), figure(&meanwhile, "send_queue_bytes")), (by_polling, Some(12.0)));
    assert_eq!(polling.get().await.body, "42[\"news\"]");
    comes_to(&server, "bytes_sent_total{transport=\"polling\"}", by_polling + 12.0).await;
    comes_to(&server, "send_queue_bytes", 0.0).await;
}

#[tokio::test]
async fn users_are_those_who_have_a_socket_in_any_namespace() {
    let server = start("users", "[[namespace]]\nname = '/'\n[[namespace]]\nname = '/chat'\n").await;
    let (mut clients, mut sids) = (Vec::new(), Vec::new());
    for namespace in ["/", "/chat", "/"] {
        let (client, sid) = socket::connect(server.endpoint(), namespace).await;
        clients.push(client);
        sids.push((namespace, sid));
    }
    comes_to(&server, "users", 0.0).await;
    for ((namespace, sid), (user, users)) in sids.iter().zip([("ann", 1.0), ("ann", 1.0), ("bob", 2.0)]) {
        batch(&server, json!([{ "op": "user", "namespace": namespace, "sid": sid, "user": user }])).await;
        assert_eq!(figure(&metrics(&server).await, "users"), Some(users), "{user}");
    }
    assert_eq!(figure(&metrics(&server).await, "rooms{namespace=\"/\"}"), Some(0.0), "theirs are not shown");
    for (client, users) in clients.into_iter().zip([2.0, 1.0, 0.0]) {
        drop(client);
        comes_to(&server, "users", users).await;
    }
}

#[tokio::test]
async fn the_time_that_clients_take_to_answer_is_measured() {
    let server = start("acks", "").await;
    let (mut client, _) = socket::connect(server.endpoint(), "/").await;
    let _silent = socket::connect(server.endpoint(), "/").await;
    assert_eq!(figure(&metrics(&server).await, "ack_latency_seconds_count"), Some(0.0));
    let mut call = Connection::open(server.admin.expect("an admin listener")).await;
    let body = json!({ "event": "q", "timeout": "3s" }).to_string();
    call.request("POST /api/v1/call", &format!("content-length: {}\r\n", body.len())).await;
    call.send(&body).await;
    let question = client.text().await;
    let id = question.strip_prefix("42").and_then(|rest| rest.strip_suffix("[\"q\"]")).expect("a question");
    client.send(&format!("43{id}[1]")).await;
    assert!(call.answer().await.body.contains("\"args\":[1]"));
    let after = metrics(&server).await;
    assert_eq!(figure(&after, "ack_latency_seconds_count"), Some(1.0), "who did not answer is not measured");
    assert_eq!(figure(&after, "ack_latency_seconds_bucket{le=\"60\"}"), Some(1.0));
}

#[tokio::test]
async fn what_rooms_keep_replay_and_hold_back_is_shown() {
    let rooms = "
        [[room]]
        match = 'news'
        history = 10
        replay = 2
        [[room]]
        match = 'ticker'
        throttle = '1h'";
    let server = start("rooms", rooms).await;
    let (mut client, sid) = socket::connect(server.endpoint(), "/").await;
    assert_eq!(figure(&metrics(&server).await, "history_bytes"), Some(0.0));
    for number in 1..=3 {
        emit(&server, json!({ "event": "news", "data": number, "room": "news" })).await;
        emit(&server, json!({ "event": "tick", "data": number, "room": "ticker" })).await;
    }
    let kept = metrics(&server).await;
    assert!(figure(&kept, "history_bytes").is_some_and(|bytes| bytes > 100.0), "{kept}");
    assert_eq!(figure(&kept, "throttled_total"), Some(2.0), "the first one is sent at once");
    assert_eq!(figure(&kept, "replayed_total"), Some(0.0));
    batch(&server, json!([{ "op": "join", "target": { "sids": [sid] }, "rooms": ["news"] }])).await;
    for number in 2..=3 {
        assert_eq!(client.text().await, format!("42[\"news\",{number}]"));
    }
    assert_eq!(figure(&metrics(&server).await, "replayed_total"), Some(2.0));
    assert_eq!(server.call("DELETE /api/v1/rooms/news/history", "", "").await.status, 200);
    assert_eq!(figure(&metrics(&server).await, "history_bytes"), Some(0.0));
}

#[tokio::test]
async fn who_comes_back_is_counted_by_what_becomes_of_it() {
    let server = start("recovery", "[recovery]\nmode = 'full'\n").await;
    let result = |result: &str| format!("recovery_total{{result=\"{result}\"}}");
    let names = ["recovered", "unknown_session", "missed_too_much"].map(result);
    let mut claim = "40".to_owned();
    for (row, expected, next_offset) in [
        ("new", [0.0, 0.0, 0.0], None),
        ("with what it was given", [1.0, 0.0, 0.0], Some("nothing that was ever sent")),
        ("with an offset that is none", [1.0, 0.0, 1.0], None),
        ("recovered once more", [2.0, 0.0, 1.0], None),
    ] {
        let _row = Row(row);
        let (mut client, _) = WebSocket::open(server.endpoint()).await;
        client.send(&claim).await;
        let answer = client.text().await;
        let ids: Value = serde_json::from_str(answer.strip_prefix("40").expect("let in")).expect("JSON");
        claim = match next_offset {
            Some(offset) => format!("40{}", json!({ "pid": ids["pid"], "offset": offset })),
            None => format!("40{}", json!({ "pid": ids["pid"] })),
        };
        let now = metrics(&server).await;
        assert_eq!(names.each_ref().map(|name| figure(&now, name)), expected.map(Some));
        drop(client);
        // While it leaves, nobody can have its session.
        within(async { while !server.ask("/api/v1/stats").await.body.contains("\"sockets\":0,") {} }).await;
    }
    // That of another process.
    let other = start("recovery_other", "[recovery]\nmode = 'full'\n").await;
    let (mut client, _) = WebSocket::open(other.endpoint()).await;
    client.send(&claim).await;
    assert!(client.text().await.starts_with("40{\"sid\":"));
    assert_eq!(figure(&metrics(&other).await, &names[1]), Some(1.0));
}

#[tokio::test]
async fn deliveries_that_come_to_nothing_are_counted_by_the_reason() {
    let server = start("dropped", "[limits]\nsend_queue_messages = 1\n").await;
    let dropped = |metrics: &str| {
        ["volatile", "slow_consumer", "closed"]
            .map(|reason| figure(metrics, &format!("deliveries_dropped_total{{reason=\"{reason}\"}}")))
    };
    let polling = polls(&server).await;
    assert_eq!(dropped(&metrics(&server).await), [Some(0.0); 3]);
    // Its GET does not wait.
    assert_eq!(emit(&server, json!({ "event": "e", "volatile": true })).await, "{\"sockets\":0}\n");
    assert_eq!(dropped(&metrics(&server).await), [Some(1.0), Some(0.0), Some(0.0)]);
    let results = batch(&server, json!([{ "op": "emit", "event": "a" }, { "op": "emit", "event": "b" }])).await;
    assert_eq!(results["results"], json!([{ "sockets": 1 }, { "sockets": 0 }]), "one may wait");
    let now = metrics(&server).await;
    assert_eq!(dropped(&now), [Some(1.0), Some(1.0), Some(0.0)]);
    comes_to(&server, "slow_consumers_total", 1.0).await;
    drop(polling);
    let (_client, sid) = socket::connect(server.endpoint(), "/").await;
    let to = json!({ "sids": [sid] });
    let ops = json!([
        { "op": "disconnect", "target": to, "transport": true },
        { "op": "emit", "event": "late", "to": to },
        { "op": "emit", "event": "late" },
    ]);
    assert_eq!(batch(&server, ops).await["results"][2], json!({ "sockets": 0 }));
    assert_eq!(dropped(&metrics(&server).await), [Some(1.0), Some(1.0), Some(2.0)]);
}

#[tokio::test]
async fn a_backend_that_has_a_pause_is_shown() {
    let backend = "[[backend]]\nurl = 'http://127.0.0.1:1/'\nbreaker_failures = 1\nbreaker_pause = '1h'\n";
    let server = start("paused", backend).await;
    assert_eq!(figure(&metrics(&server).await, "backend_paused{backend=\"default\"}"), Some(0.0));
    let (mut client, _) = WebSocket::open(server.endpoint()).await;
    client.send("40").await;
    comes_to(&server, "backend_paused{backend=\"default\"}", 1.0).await;
    let now = metrics(&server).await;
    let asked = "backend_duration_seconds_bucket{backend=\"default\",type=\"connect\",le=\"0.001\"}";
    assert!(figure(&now, asked).is_some(), "{now}");
}
