//! Connection state recovery in buffer mode: events are as they are, and clients get again what they may lack.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use socketio::{Config, DisconnectReason, Limits, Namespace, Recovery, RecoveryMode, Socket, SocketIo, Value};
use tests::{
    Row,
    frames::{CLOSED, Frame, WebSocket, text},
    polling::Polling,
    server::{self, Server},
};

use crate::{
    Told, heard, namespace,
    recovery::{Client, asked, await_cuts, cut, ids, join},
    telling,
};

const RECOVERY: Recovery = Recovery {
    mode: RecoveryMode::Buffer,
    max_disconnection_duration: Duration::from_secs(120),
    skip_middlewares: true,
    max_bytes: 1_000_000,
    total_bytes: 10_000_000,
    max_sessions: 100,
};

/// A server that sends no pings while a test runs.
async fn serve(namespaces: impl IntoIterator<Item = Namespace>) -> (Server, SocketIo) {
    let config = Config { connection_state_recovery: Some(RECOVERY), ..Config::default() };
    server::socketio(config, namespaces).await
}

/// A server that pings often, and is patient.
async fn serve_pinging(namespaces: impl IntoIterator<Item = Namespace>) -> (Server, SocketIo) {
    let mut config = Config { connection_state_recovery: Some(RECOVERY), ..Config::default() };
    (config.engine.ping_interval, config.engine.ping_timeout) = (Duration::from_millis(50), Duration::from_secs(60));
    server::socketio(config, namespaces).await
}

/// Emits these events to everybody.
fn emit(io: &SocketIo, names: &[&str]) {
    for name in names {
        io.of("/").expect("served").emit(name, &()).expect("emitted");
    }
}

/// The frames of these events, as they are.
fn frames(names: &[&str]) -> Vec<Frame> {
    names.iter().map(|name| text(format!(r#"42["{name}"]"#))).collect()
}

/// What a client was sent before its CONNECT, without pings.
fn missed(client: &Client) -> Vec<Frame> {
    client.missed.iter().filter(|frame| **frame != text("2")).cloned().collect()
}

/// The next frame that is no ping.
async fn next(websocket: &mut WebSocket) -> Frame {
    loop {
        match websocket.frame().await {
            Frame::Text(ping) if ping == "2" => {}
            frame => return frame,
        }
    }
}

/// Reads up to the first ping of a connection, which may have come before its CONNECT.
async fn ping(client: &mut Client) {
    while !client.missed.contains(&text("2")) {
        client.missed.push(client.websocket.frame().await);
    }
}

/// Answers a ping behind all that was read so far; returns when the server has read that. Only pings may be under way.
async fn pong(websocket: &mut WebSocket) {
    // If there was one already, the next one waits for this.
    websocket.send("3").await;
    while websocket.frame().await != text("2") {}
    websocket.send("3").await;
    websocket.send(r#"427["ack"]"#).await;
    while websocket.frame().await != text("437[]") {}
}

#[tokio::test]
async fn rc_02_03_events_are_as_they_are() {
    let (server, io) = serve([namespace("/"), namespace("/other")]).await;
    let mut client = join(server.endpoint, "").await;
    assert_eq!((client.sid.len(), client.pid.len()), (20, 40));
    let root = io.of("/").expect("served");
    root.emit("all", &"é").expect("emitted");
    root.clone().to(&client.sid).sockets()[0].emit("one", &Value::Binary(vec![1].into())).expect("emitted");
    root.volatile().emit("volatile", &1).expect("emitted");
    client.websocket.send("40/other,").await;
    let expected =
        [text(r#"42["all","é"]"#), text(r#"451-["one",{"_placeholder":true,"num":0}]"#), Frame::Binary(vec![1])];
    for frame in expected {
        assert_eq!(client.websocket.frame().await, frame);
    }
    let rest = heard(&mut client.websocket).await;
    let rest: Vec<_> = rest.iter().filter(|frame| **frame != text(r#"42["volatile",1]"#)).collect();
    assert!(matches!(&rest[..], [Frame::Text(connect)] if connect.contains(r#"","pid":""#)), "{rest:?}");
    io.of("/other").expect("served").emit("news", &()).expect("emitted");
    assert_eq!(client.websocket.text().await, r#"42/other,["news"]"#);
}

#[tokio::test]
async fn rc_04_05_07_08_09_what_nothing_shows_to_have_arrived_comes_again_and_in_order() {
    let (root, mut told) = telling(asked(namespace("/")));
    let (server, io) = serve([root]).await;
    emit(&io, &["before"]);
    let mut client = join(server.endpoint, "").await;
    client.ask(r#"["join","room"]"#).await;
    client.ask(r#"["keep","kept"]"#).await;
    emit(&io, &["sent"]);
    assert_eq!(client.websocket.frame().await, frames(&["sent"])[0]);
    let (sid, pid) = (client.sid.clone(), client.pid.clone());
    let claim = client.claim_without_offset();
    cut(client, &mut told).await;
    let root = io.of("/").expect("served");
    root.clone().to("room").emit("room", &Value::Binary(vec![5].into())).expect("emitted");
    root.clone().to("elsewhere").emit("elsewhere", &()).expect("emitted");
    root.clone().except("room").emit("excepted", &()).expect("emitted");
    root.volatile().emit("volatile", &()).expect("emitted");
    emit(&io, &["missed"]);
    let expected = [
        text(r#"42["sent"]"#),
        text(r#"451-["room",{"_placeholder":true,"num":0}]"#),
        Frame::Binary(vec![5]),
        text(r#"42["missed"]"#),
    ];
    // As often as it is cut before it shows to have something.
    for _ in 0..3 {
        let mut client = join(server.endpoint, &claim).await;
        assert_eq!(client.ids(), (&*sid, &*pid));
        assert_eq!(client.missed, expected);
        assert_eq!(client.ask(r#"["state"]"#).await, r#"431[true,["room"],"kept"]"#);
        cut(client, &mut told).await;
    }
    let unknown = claim.replace(&pid[20..], &"x".repeat(20));
    let stranger = join(server.endpoint, &unknown).await;
    assert!(stranger.sid != sid && stranger.missed.is_empty());
}

#[tokio::test]
async fn rc_04_07_what_stands_for_an_offset_is_the_end_of_some_event() {
    let (root, mut told) = telling(namespace("/"));
    let (server, io) = serve([root]).await;
    let client = join(server.endpoint, "").await;
    let (claim, sid) = (client.claim_without_offset(), client.sid.clone());
    cut(client, &mut told).await;
    emit(&io, &["missed"]);
    for offset in [r#""""#, r#""missed""#, r#""AAAAAAAA.7""#, r#""é \"""#, "1", "null", "[]"] {
        let _row = Row(offset);
        let client = join(server.endpoint, &claim.replace('}', &format!(r#","offset":{offset}}}"#))).await;
        assert_eq!(client.sid, sid);
        assert_eq!(client.missed, frames(&["missed"]));
        cut(client, &mut told).await;
    }
}

#[tokio::test]
async fn rc_04_a_pong_shows_what_was_before_its_ping() {
    let (root, mut told) = telling(namespace("/"));
    let (server, io) = serve_pinging([root]).await;
    let mut client = join(server.endpoint, "").await;
    let (claim, sid) = (client.claim_without_offset(), client.sid.clone());
    emit(&io, &["1", "2"]);
    for frame in frames(&["1", "2"]) {
        assert_eq!(next(&mut client.websocket).await, frame);
    }
    pong(&mut client.websocket).await;
    emit(&io, &["3"]);
    assert_eq!(next(&mut client.websocket).await, frames(&["3"])[0]);
    cut(client, &mut told).await;
    emit(&io, &["4"]);
    // A ping that it reads and does not answer shows nothing, and what was missed counts as sent on this connection.
    let mut client = join(server.endpoint, &claim).await;
    assert_eq!((&*client.sid, missed(&client)), (&*sid, frames(&["3", "4"])));
    ping(&mut client).await;
    cut(client, &mut told).await;
    let mut client = join(server.endpoint, &claim).await;
    assert_eq!(missed(&client), frames(&["3", "4"]));
    pong(&mut client.websocket).await;
    cut(client, &mut told).await;
    emit(&io, &["5"]);
    let client = join(server.endpoint, &claim).await;
    assert_eq!((&*client.sid, missed(&client)), (&*sid, frames(&["5"])));
}

#[tokio::test]
async fn rc_04_a_pong_that_is_not_due_shows_nothing() {
    let (root, mut told) = telling(namespace("/"));
    let (server, io) = serve([root]).await;
    let mut client = join(server.endpoint, "").await;
    let claim = client.claim_without_offset();
    emit(&io, &["sent"]);
    client.websocket.send("3").await;
    assert_eq!(heard(&mut client.websocket).await, frames(&["sent"]));
    client.websocket.send("3").await;
    assert_eq!(heard(&mut client.websocket).await, []);
    cut(client, &mut told).await;
    assert_eq!(join(server.endpoint, &claim).await.missed, frames(&["sent"]));
}

#[tokio::test]
async fn rc_04_what_was_emitted_when_its_connection_had_just_ended_is_not_lost() {
    let root = namespace("/").on("close and tell", async |socket: Socket| {
        socket.close();
        socket.namespace().emit("late", &()).map(drop)
    });
    let (root, mut told) = telling(root);
    let (server, _io) = serve_pinging([root]).await;
    let mut client = join(server.endpoint, "").await;
    ping(&mut client).await;
    // Of all that it was sent before, it now has everything.
    client.websocket.send("3").await;
    client.websocket.send(r#"42["close and tell"]"#).await;
    assert_eq!(told.next().await.0, "forced close");
    let again = join(server.endpoint, &client.claim_without_offset()).await;
    assert_eq!((&again.sid, missed(&again)), (&client.sid, frames(&["late"])));
}

/// A session that polls and has joined, with its ids and what it was sent before.
async fn poll(server: &Server, auth: &str) -> (Polling, String, String, Vec<String>) {
    let mut polling = Polling::open(server.endpoint).await;
    polling.post(format!("40{auth}")).await;
    let mut packets = Vec::new();
    while packets.is_empty() {
        let body = polling.get().await.body;
        packets.extend(body.split('\x1e').filter(|packet| *packet != "2").map(str::to_owned));
    }
    let (sid, pid) = ids(&packets.pop().expect("a CONNECT"));
    (polling, sid, pid, packets)
}

#[tokio::test]
async fn rc_04_a_get_shows_what_the_one_before_brought() {
    let (root, mut told) = telling(namespace("/"));
    let (server, io) = serve([root]).await;
    let (mut polling, sid, pid, _) = poll(&server, "").await;
    emit(&io, &["1"]);
    assert_eq!(polling.get().await.body, r#"42["1"]"#);
    emit(&io, &["2", "3"]);
    assert_eq!(polling.get().await.body, "42[\"2\"]\x1e42[\"3\"]");
    polling.post("1").await;
    told.next().await;
    emit(&io, &["4"]);
    let claim = format!(r#"{{"pid":"{pid}"}}"#);
    let (mut polling, again, _pid, missed) = poll(&server, &claim).await;
    assert_eq!((again, missed), (sid, vec![r#"42["2"]"#.into(), r#"42["3"]"#.into(), r#"42["4"]"#.into()]));
    // Parked, it shows that all of this is there.
    polling.send_get().await;
    server.waiting(1).await;
    polling.post("1").await;
    told.next().await;
    emit(&io, &["5"]);
    assert_eq!(join(server.endpoint, &claim).await.missed, frames(&["5"]));
}

#[tokio::test]
async fn rc_04_an_upgrade_in_the_middle_loses_nothing() {
    let (root, mut told) = telling(namespace("/"));
    let (server, io) = serve_pinging([root]).await;
    let rows = [("before a ping", false, vec!["2", "3", "4"]), ("behind a pong", true, vec!["3", "4"])];
    for (label, is_answered, expected) in rows {
        let _row = Row(label);
        let (mut polling, sid, pid, _) = poll(&server, "").await;
        emit(&io, &["1"]);
        assert!(polling.get().await.body.contains(r#"42["1"]"#));
        emit(&io, &["2"]);
        let mut websocket = polling.probing().await;
        // The last GET, which shows that `1` is there, brings `2`.
        assert!(polling.get().await.body.contains(r#"42["2"]"#));
        websocket.send("5").await;
        if is_answered {
            pong(&mut websocket).await;
        }
        emit(&io, &["3"]);
        assert_eq!(next(&mut websocket).await, frames(&["3"])[0]);
        drop(websocket);
        told.next().await;
        emit(&io, &["4"]);
        let client = join(server.endpoint, &format!(r#"{{"pid":"{pid}"}}"#)).await;
        assert_eq!(client.sid, sid);
        assert_eq!(missed(&client), frames(&expected));
        cut(client, &mut told).await;
    }
}

#[tokio::test]
async fn rc_04_what_was_sent_while_a_websocket_probes_is_not_lost_with_it() {
    let (root, mut told) = telling(namespace("/"));
    let (server, io) = serve([root]).await;
    let (polling, sid, pid, _) = poll(&server, "").await;
    let mut websocket = polling.probing().await;
    emit(&io, &["waits"]);
    websocket.send("5").await;
    assert_eq!(websocket.frame().await, frames(&["waits"])[0]);
    drop((websocket, polling));
    told.next().await;
    let client = join(server.endpoint, &format!(r#"{{"pid":"{pid}"}}"#)).await;
    assert_eq!((client.sid, client.missed), (sid, frames(&["waits"])));
}

#[tokio::test]
async fn i21_a_client_takes_over_from_a_connection_that_is_not_known_to_be_dead() {
    let (sender, mut reasons) = Told::new();
    let root = asked(namespace("/")).on_disconnect(move |reason: DisconnectReason| {
        let _over = sender.send(reason);
        async {}
    });
    let (server, io) = serve_pinging([root]).await;
    let mut before = join(server.endpoint, "").await;
    before.ask(r#"["join","room"]"#).await;
    emit(&io, &["seen"]);
    assert_eq!(next(&mut before.websocket).await, frames(&["seen"])[0]);
    pong(&mut before.websocket).await;
    emit(&io, &["sent into the void"]);
    let mut after = join(server.endpoint, &before.claim_without_offset()).await;
    assert_eq!(reasons.next().await, DisconnectReason::TakenOver);
    assert_eq!(after.ids(), before.ids());
    assert_eq!(missed(&after), frames(&["sent into the void"]));
    assert_eq!(next(&mut before.websocket).await, frames(&["sent into the void"])[0]);
    assert_eq!(next(&mut before.websocket).await, CLOSED, "nobody listens there");
    assert_eq!(io.of("/").expect("served").to("room").emit("once", &()).expect("emitted"), 1);
    assert_eq!(next(&mut after.websocket).await, frames(&["once"])[0]);
    // The one that took over is cut before it shows anything: what it was sent comes again, and the rest of it.
    let again = join(server.endpoint, &before.claim_without_offset()).await;
    assert_eq!(missed(&again), frames(&["sent into the void", "once"]));
}

#[tokio::test]
async fn rc_07_whoever_may_lack_something_that_had_to_go_is_new() {
    let few_bytes = Recovery { max_bytes: 5_000, ..RECOVERY };
    let no_time = Recovery { max_disconnection_duration: Duration::ZERO, ..RECOVERY };
    let no_sessions = Recovery { max_sessions: 0, ..RECOVERY };
    let rows = [
        ("within all bounds", few_bytes, 10, true),
        ("too many bytes", few_bytes, 100, false),
        ("too long", no_time, 0, false),
        ("too many that are away", no_sessions, 0, false),
    ];
    for (label, recovery, events, is_recovered) in rows {
        let _row = Row(label);
        let (root, mut told) = telling(asked(namespace("/")));
        let config = Config { connection_state_recovery: Some(recovery), ..Config::default() };
        let (server, io) = server::socketio(config, [root]).await;
        let client = join(server.endpoint, "").await;
        let (claim, sid) = (client.claim_without_offset(), client.sid.clone());
        cut(client, &mut told).await;
        emit(&io, &vec!["event"; events]);
        let mut client = join(server.endpoint, &claim).await;
        assert_eq!(client.sid == sid, is_recovered);
        assert_eq!(client.missed.len(), if is_recovered { events } else { 0 });
        assert_eq!(client.ask(r#"["state"]"#).await, format!("431[{is_recovered},[],null]"));
    }
}

#[tokio::test]
async fn rc_07_of_a_broken_connection_too_what_had_to_go_makes_its_client_new() {
    let (root, mut told) = telling(namespace("/"));
    let recovery = Recovery { max_bytes: 5_000, ..RECOVERY };
    let config = Config { connection_state_recovery: Some(recovery), ..Config::default() };
    let (server, io) = server::socketio(config, [root]).await;
    let mut client = join(server.endpoint, "").await;
    // It was sent all of it, but did not show to have it.
    emit(&io, &["event"; 100]);
    assert_eq!(heard(&mut client.websocket).await.len(), 100);
    let (claim, sid) = (client.claim_without_offset(), client.sid.clone());
    cut(client, &mut told).await;
    let client = join(server.endpoint, &claim).await;
    assert!(client.sid != sid && client.missed.is_empty());
}

#[tokio::test]
async fn rc_04_a_quiet_client_is_recovered() {
    let (root, mut told) = telling(namespace("/"));
    let recovery = Recovery { max_bytes: 5_000, ..RECOVERY };
    let mut config = Config { connection_state_recovery: Some(recovery), ..Config::default() };
    (config.engine.ping_interval, config.engine.ping_timeout) = (Duration::from_millis(10), Duration::from_millis(750));
    let (server, io) = server::socketio(config, [root]).await;
    let mut client = join(server.endpoint, "").await;
    client.pong().await;
    let (claim, sid) = (client.claim_without_offset(), client.sid.clone());
    let elsewhere = io.of("/").expect("served").to("others");
    for _ in 0..50 {
        elsewhere.emit("not for it", &"x".repeat(100)).expect("emitted");
    }
    // Longer than a connection can be dead before that is known: an interval and four times the timeout.
    for _ in 0..302 {
        assert_eq!(client.websocket.frame().await, text("2"));
        client.websocket.send("3").await;
    }
    emit(&io, &["lost on its way"]);
    cut(client, &mut told).await;
    emit(&io, &["missed"]);
    let client = join(server.endpoint, &claim).await;
    assert_eq!(client.sid, sid);
    assert_eq!(missed(&client), frames(&["lost on its way", "missed"]));
}

#[tokio::test]
async fn rc_03_what_clients_keep_of_an_event_is_short() {
    let (root, mut told) = telling(namespace("/"));
    let (server, io) = serve([root, namespace("/other")]).await;
    let mut client = join(server.endpoint, "").await;
    let claim = client.claim_without_offset();
    let (short, long) = ("x".repeat(1022), "x".repeat(1023));
    let (short_quotes, long_quotes) = ("\"".repeat(511), "\"".repeat(512));
    let binary = Value::Binary(vec![7].into());
    let root = io.of("/").expect("served");
    let mut expected = Vec::new();
    for (end, is_long) in [(&short, false), (&long, true), (&short_quotes, false), (&long_quotes, true)] {
        root.emit("text", &(&long, end)).expect("emitted");
        expected.push(text(format!(r#"42["text","{long}",{}]"#, serde_json::to_string(end).expect("JSON"))));
        expected.extend(is_long.then(|| text(r#"42[""]"#)));
    }
    root.emit("no text", &(&long, 1)).expect("emitted");
    expected.push(text(format!(r#"42["no text","{long}",1]"#)));
    root.emit(&long, &()).expect("emitted");
    expected.extend([text(format!(r#"42["{long}"]"#)), text(r#"42[""]"#)]);
    root.clone().to(&client.sid).sockets()[0].emit("binary", &(&binary, &long)).expect("emitted");
    expected.extend([
        text(format!(r#"451-["binary",{{"_placeholder":true,"num":0}},"{long}"]"#)),
        Frame::Binary(vec![7]),
        text(r#"42[""]"#),
    ]);
    assert_eq!(heard(&mut client.websocket).await, expected);
    assert_eq!(root.volatile().emit("volatile", &long).expect("emitted"), 1);
    let volatile = [text(format!(r#"42["volatile","{long}"]"#)), text(r#"42[""]"#)];
    assert_eq!(heard(&mut client.websocket).await, volatile);
    client.websocket.send("40/other,").await;
    client.websocket.text().await;
    let other = io.of("/other").expect("served");
    other.emit("binary", &(&binary, &long)).expect("emitted");
    let frames = [client.websocket.frame().await, client.websocket.frame().await, client.websocket.frame().await];
    assert_eq!(frames[1..], [Frame::Binary(vec![7]), text(r#"42/other,[""]"#)]);
    cut(client, &mut told).await;
    assert_eq!(join(server.endpoint, &claim).await.missed, expected);
}

#[tokio::test]
async fn rc_04_what_a_client_adds_to_its_auth_is_not_counted() {
    for mode in [RecoveryMode::Full, RecoveryMode::Buffer] {
        let _row = Row(&format!("{mode:?}"));
        let (root, mut told) = telling(namespace("/"));
        let recovery = Some(Recovery { mode, ..RECOVERY });
        let limits = Limits { max_auth: 100, ..Limits::default() };
        let config = Config { limits, connection_state_recovery: recovery, ..Config::default() };
        let (server, io) = server::socketio(config, [root]).await;
        let auth = format!(r#"{{"token":"{}"}}"#, "t".repeat(88));
        assert_eq!(auth.len(), 100);
        let mut client = join(server.endpoint, &auth).await;
        io.of("/").expect("served").emit("ends", &"x".repeat(1022)).expect("emitted");
        let Frame::Text(event) = client.websocket.frame().await else { panic!("a text") };
        let offset = event.rsplit('"').nth(1).expect("a text at the end");
        // As stock clients do: theirs first.
        let claim = format!(r#"{{"pid":"{}","offset":"{offset}",{}"#, client.pid, &auth[1..]);
        let sid = client.sid.clone();
        cut(client, &mut told).await;
        assert_eq!(join(server.endpoint, &claim).await.sid, sid);
    }
}

#[tokio::test]
async fn v2_clients_of_protocol_4_get_nothing_more() {
    let mut config = Config { connection_state_recovery: Some(RECOVERY), ..Config::default() };
    config.engine.allow_eio3 = true;
    let (server, io) = server::socketio(config, [namespace("/")]).await;
    let (mut old, _sid) = WebSocket::open(server.endpoint.asked("EIO=3")).await;
    assert_eq!(old.frame().await, text("40"));
    let _new = join(server.endpoint, "").await;
    let long = "x".repeat(2000);
    io.of("/").expect("served").emit("all", &long).expect("emitted");
    assert_eq!(heard(&mut old).await, [text(format!(r#"42["all","{long}"]"#))]);
}

/// Emits numbered events from a thread of its own, as fast as it can.
fn emit_numbers(io: &SocketIo, count: usize, cuts: Arc<AtomicUsize>) -> std::thread::JoinHandle<()> {
    let root = io.of("/").expect("served");
    std::thread::spawn(move || {
        for number in 0..count {
            await_cuts(&cuts, number == count / 2);
            drop(root.emit("event", &number));
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rc_04_nothing_is_lost_or_out_of_order_however_often_a_client_is_cut() {
    const EVENTS: usize = 3000;
    let mut config = Config { connection_state_recovery: Some(RECOVERY), ..Config::default() };
    (config.engine.ping_interval, config.engine.ping_timeout) = (Duration::from_millis(2), Duration::from_secs(60));
    let (server, io) = server::socketio(config, [asked(namespace("/"))]).await;
    let mut client = join(server.endpoint, "").await;
    let (sid, claim) = (client.sid.clone(), client.claim_without_offset());
    let done = Arc::<AtomicUsize>::default();
    let thread = emit_numbers(&io, EVENTS, done.clone());
    let (mut seen, mut repeats, mut cuts) = (0, 0, 0_usize);
    // An event is the next one, or was there before.
    let mut see = |event: &str| {
        let number = event.strip_prefix("42[\"event\",").and_then(|event| event.strip_suffix(']'));
        let number: usize = number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{event}"));
        assert!(number <= seen, "{number} in place of {seen}");
        repeats += usize::from(number < seen);
        seen = seen.max(number + 1);
        seen == EVENTS
    };
    'all: loop {
        for _ in 0..cuts.saturating_sub(1) * 7 % 300 {
            match &*client.websocket.text().await {
                "2" => client.websocket.send("3").await,
                event if see(event) => break 'all,
                _ => {}
            }
        }
        client = join(server.endpoint, &claim).await;
        assert_eq!(client.sid, sid, "after {cuts} cuts");
        cuts += 1;
        done.store(cuts, Ordering::Relaxed);
        for frame in missed(&client) {
            let Frame::Text(event) = frame else { panic!("not text: {frame:?}") };
            if see(&event) {
                break 'all;
            }
        }
        client.pong().await;
    }
    assert!(cuts > 1);
    thread.join().expect("no panic");
    println!("{cuts} cuts, {repeats} repeats");
}
