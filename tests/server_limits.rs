//! What the binary's bounds in time and number bring about: rates, recovery's bounds, the time to drain.

use std::time::{Duration, Instant};

use tests::{
    Row,
    frames::{CLOSED, WebSocket, text},
    process::Process,
    within,
};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

/// Starts a server with these options, on any free ports.
async fn start(options: &[&str]) -> Process {
    Process::with_options(BINARY, options).await
}

#[tokio::test]
async fn new_connections_are_bounded_in_a_second() {
    let server = start(&["limits.connect_rate=1"]).await;
    let mut statuses = Vec::new();
    // The third one of a second is one too many; a slow machine has some seconds for ten.
    for _ in 0..10 {
        let answer = server.get("/socket.io/?EIO=4&transport=polling", "").await;
        if answer.status == 503 {
            assert_eq!(answer.body, "{\"code\":4,\"message\":\"Too many new connections\"}");
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses[..2], [200, 200]);
    assert!(statuses.contains(&503), "{statuses:?}");
    let metrics = server.ask("/metrics").await.body;
    assert!(metrics.contains("socketio_handshakes_rejected_total{reason=\"MIDDLEWARE_FAILURE\"}"), "{metrics}");
}

#[tokio::test]
async fn events_beyond_the_rate_are_left_out_or_end_the_connection() {
    for (on_excess, burst) in [("drop", 3), ("disconnect", 5)] {
        let _row = Row(on_excess);
        // One more comes in an hour.
        let rate = ["limits.events_per_second=1", &format!("limits.events_burst={burst}")].map(str::to_owned);
        let excess = format!("limits.on_excess={on_excess}");
        let unhandled = "namespace=[{\"name\":\"/\",\"unhandled\":\"error\"}]";
        let server = start(&[&rate[0], &rate[1], &excess, unhandled]).await;
        let (mut client, _) = WebSocket::open(server.endpoint()).await;
        client.send("40").await;
        client.text().await;
        for event in 0..20 {
            client.send(&format!("42[\"e{event}\"]")).await;
        }
        for event in 0..burst {
            assert!(client.text().await.contains(&format!("\"event\":\"e{event}\"")));
        }
        if on_excess == "disconnect" {
            // Of a slow machine's seconds each has brought one event more.
            while client.frame().await != CLOSED {}
        } else {
            server.emit("", "{\"event\":\"end\"}").await;
            let mut others = 0;
            while client.frame().await != text("42[\"end\"]") {
                others += 1;
            }
            assert!(others < 20 - burst, "{others} more were let pass");
        }
    }
}

/// A client that may come back: its connection, id and pid.
async fn recoverable(server: &Process, connect: &str) -> (WebSocket, String, String) {
    let (mut client, _) = WebSocket::open(server.endpoint()).await;
    client.send(connect).await;
    loop {
        let answer = client.text().await;
        // Events that were missed come before it.
        if let Some(answer) = answer.strip_prefix("40") {
            let ids: serde_json::Value = serde_json::from_str(answer).expect("JSON");
            let [sid, pid] = ["sid", "pid"].map(|key| ids[key].as_str().expect("there").to_owned());
            return (client, sid, pid);
        }
    }
}

/// The last argument of the event that comes next.
async fn offset(client: &mut WebSocket) -> String {
    let event = client.text().await;
    let args: Vec<serde_json::Value> = serde_json::from_str(event.trim_start_matches("42")).expect("an event");
    args.last().and_then(|last| last.as_str()).expect("an offset").to_owned()
}

async fn closed(server: &Process, connections: usize) {
    within(async {
        while !server
            .ask("/metrics")
            .await
            .body
            .contains(&format!("closed_total{{reason=\"transport close\"}} {connections}"))
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn clients_come_back_within_the_bounds_of_recovery() {
    for (option, comes_back) in [
        ("recovery.window=1h", [true, true]),
        ("recovery.window=1ms", [false, false]),
        ("recovery.max_sessions=1", [false, true]),
        ("recovery.max_bytes=1000", [false, false]),
        ("recovery.total_bytes=1000", [false, false]),
    ] {
        let _row = Row(option);
        let server = start(&["recovery.mode=full", option]).await;
        let mut away = Vec::new();
        let mut clients = Vec::new();
        for _ in 0..2 {
            clients.push(recoverable(&server, "40").await);
        }
        server.emit("", "{\"event\":\"e\"}").await;
        for (at, (mut client, sid, pid)) in clients.into_iter().enumerate() {
            away.push((sid, pid, offset(&mut client).await));
            drop(client);
            closed(&server, at + 1).await;
        }
        server.emit("", &format!("{{\"event\":\"missed\",\"data\":\"{}\"}}", "x".repeat(600))).await;
        server.emit("", &format!("{{\"event\":\"missed\",\"data\":\"{}\"}}", "x".repeat(600))).await;
        // A window of a millisecond is over once one has passed.
        tokio::time::sleep(Duration::from_millis(2)).await;
        let mut back = Vec::new();
        for ((sid, pid, offset), comes_back) in away.into_iter().zip(comes_back) {
            let claim = format!("40{{\"pid\":\"{pid}\",\"offset\":\"{offset}\"}}");
            let (client, found, _) = recoverable(&server, &claim).await;
            assert_eq!(found == sid, comes_back);
            back.push(client);
        }
    }
}

#[tokio::test]
async fn the_end_takes_no_longer_than_the_time_to_drain() {
    let mut server = start(&["drain.timeout=300ms"]).await;
    // It answers no close frame, for which a server without haste waits five seconds.
    let (mut client, _) = WebSocket::open(server.endpoint()).await;
    client.send("40").await;
    client.text().await;
    let begin = Instant::now();
    server.signal("TERM");
    let status = within(server.child.wait()).await.expect("it ends");
    assert!(status.success() && begin.elapsed() < Duration::from_secs(4), "{status} after {:?}", begin.elapsed());
}
