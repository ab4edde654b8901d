//! Every bound of `Limits`: the option, what passes it, and what is then seen. What is just within it is let pass.

use std::{pin::Pin, time::Duration};

use socketio::{Cause, Config, EmitError, EventRate, Hooks, Limits, Namespace, OnExcess, Reply, Socket, Value};
use tests::{
    Row,
    frames::{BINARY, CLOSED, Frame, TEXT, WebSocket, masked, text},
    in_time,
    server::{self, Server},
    socket, within,
};
use tokio::sync::watch;

use crate::{Told, heard, namespace, telling};

type Case = Pin<Box<dyn Future<Output = String>>>;

async fn serve(limits: Limits, namespaces: impl IntoIterator<Item = Namespace>) -> (Server, socketio::SocketIo) {
    server::socketio(Config { limits, ..Config::default() }, namespaces).await
}

/// What a client sends: text, or binary.
#[derive(Clone, Copy)]
enum Sent<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

use Sent::{Binary as B, Text as T};

async fn send(client: &mut WebSocket, sent: &[Sent<'_>]) {
    for packet in sent {
        let frame = match packet {
            T(text) => masked(TEXT, text.as_bytes()),
            B(data) => masked(BINARY, data),
        };
        client.connection.send(frame).await;
    }
}

/// What is just within a bound must be let pass. What comes of what is beyond it: the next frame, in a word.
async fn beyond(limits: Limits, just_within: &'static [Sent<'static>], beyond: &'static [Sent<'static>]) -> String {
    let (server, _io) = serve(limits, [namespace("/"), namespace("/other"), namespace("/more")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    send(&mut client, just_within).await;
    heard(&mut client).await;
    send(&mut client, beyond).await;
    word(client.frame().await)
}

fn word(frame: Frame) -> String {
    match frame {
        closed if closed == CLOSED => "closed".into(),
        Frame::Text(text) => text,
        other => format!("{other:?}"),
    }
}

fn default() -> Limits {
    Limits::default()
}

#[tokio::test]
async fn i3_i4_i11_j11_j12_j20_k1_k6_k9_kb3_kb5_kb13_l3_every_bound_and_what_passing_it_brings() {
    let rows: Vec<(&str, &str, &str, Case)> = vec![
        (
            "max_attachments",
            "a third one",
            "closed",
            Box::pin(beyond(
                Limits { max_attachments: 2, ..default() },
                &[T(r#"452-["x"]"#), B(b"1"), B(b"2")],
                &[T(r#"453-["x"]"#)],
            )),
        ),
        (
            "max_attachment_bytes",
            "the eleventh byte",
            "closed",
            Box::pin(beyond(
                Limits { max_attachment_bytes: 10, ..default() },
                &[T(r#"453-["x"]"#), B(b"12345"), B(b"12345"), B(b"")],
                &[T(r#"453-["x"]"#), B(b"12345"), B(b"123456")],
            )),
        ),
        ("attachment_timeout", "half a packet", "closed", Box::pin(attachment_timeout())),
        (
            "max_args",
            "a fifth item",
            "closed",
            Box::pin(beyond(
                Limits { max_args: 4, ..default() },
                &[T(r#"42["x",1,2,3]"#), T("43[1,2,3,4]")],
                &[T(r#"42["x",1,2,3,4]"#)],
            )),
        ),
        (
            "max_depth",
            "a list in four others",
            "closed",
            Box::pin(beyond(
                Limits { max_depth: 4, ..default() },
                &[T(r#"42["x",[{"a":[]},"[[[[["]]"#)],
                &[T(r#"42["x",[{"a":[[]]}]]"#)],
            )),
        ),
        (
            "max_number",
            "a fifth character",
            "closed",
            Box::pin(beyond(
                Limits { max_number: 4, ..default() },
                &[T(r#"42["12345",1234,[12.5,-1e5]]"#)],
                &[T(r#"42["x",-1e50]"#)],
            )),
        ),
        (
            "max_event_name",
            "a sixth byte",
            "closed",
            Box::pin(beyond(Limits { max_event_name: 5, ..default() }, &[T(r#"42["12345"]"#)], &[T(r#"42["1234é"]"#)])),
        ),
        (
            "max_auth",
            "one byte more",
            r#"44/more,{"message":"auth payload too large"}"#,
            Box::pin(beyond(
                Limits { max_auth: 10, ..default() },
                &[T(r#"40/other,{"a":"12"}"#)],
                &[T(r#"40/more,{"a":"123"}"#)],
            )),
        ),
        ("max_refusals", "a third one", "closed", Box::pin(refusals())),
        (
            "max_waiting_events",
            "a third one",
            "closed",
            Box::pin(waiting(Limits { max_waiting_events: 2, ..default() }, r#"42/slow,["x"]"#)),
        ),
        (
            "max_waiting_bytes",
            "the eleventh byte",
            "closed",
            Box::pin(waiting(Limits { max_waiting_bytes: 10, ..default() }, r#"42/slow,["x","a"]"#)),
        ),
        (
            "max_running_events",
            "a third one",
            "begun: 2, then 3",
            Box::pin(running(Limits { max_running_events: 2, ..default() })),
        ),
        (
            "max_running_bytes",
            "what comes after the seventh byte",
            "begun: 2, then 3",
            Box::pin(running(Limits { max_running_bytes: 7, ..default() })),
        ),
        ("max_pending_acks", "a third one", "the socket owes too many answers already", Box::pin(pending_acks())),
        (
            "max_unknown_acks",
            "a third one",
            "closed",
            Box::pin(beyond(Limits { max_unknown_acks: 2, ..default() }, &[T("435[]"), T("436[]")], &[T("437[]")])),
        ),
        (
            "max_namespace_name",
            "an eighth byte",
            "closed",
            Box::pin(beyond(
                Limits { max_namespace_name: 7, ..default() },
                &[T("40/other,"), T("40/1234é,")],
                &[T("40/12345é,")],
            )),
        ),
        (
            "max_namespaces",
            "a third one",
            r#"44/more,{"message":"Too many namespaces"}"#,
            Box::pin(beyond(Limits { max_namespaces: 2, ..default() }, &[T("40/other,")], &[T("40/more,")])),
        ),
        (
            "max_dynamic_namespaces",
            "a third one",
            r#"44/game-3,{"message":"Too many namespaces"}"#,
            Box::pin(dynamic_namespaces()),
        ),
        (
            "event_rate",
            "a third event",
            r#"431["b"] 432[{"error":{"message":"Too many events"}}]"#,
            Box::pin(event_rate(OnExcess::Drop)),
        ),
        (
            "event_rate",
            "a third event, where it closes",
            r#"431["b"] 432[{"error":{"message":"Too many events"}}] closed"#,
            Box::pin(event_rate(OnExcess::Close)),
        ),
        ("max_rooms", "a third one", "the socket is in too many rooms", Box::pin(rooms("c"))),
        ("max_room_name", "a sixth byte", "the name of the room is too long", Box::pin(rooms("123456"))),
    ];
    for (option, input, answer, case) in rows {
        let label = format!("Limits::{option}: {input}");
        let _row = Row(&label);
        assert_eq!(in_time(case).await, answer);
    }
}

/// Two events at once, and one in a second; what is answered to these two and a third one, of another namespace.
async fn event_rate(on_excess: OnExcess) -> String {
    let (sender, mut told) = Told::new();
    let hooks = Hooks::default().on_failure(move |failure| {
        let is_that = matches!(failure.cause, Cause::TooManyEvents);
        let _over = sender.send((failure.to_string(), failure.socket.id().to_string(), is_that));
    });
    let limits = Limits { event_rate: Some(EventRate { per_second: 1, burst: 2, on_excess }), ..default() };
    let config = Config { limits, hooks, error_acks: true, ..Config::default() };
    let (server, _io) = server::socketio(config, [namespace("/"), namespace("/other")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    let id = socket::join(&mut client, "/other").await;
    // In one piece, so that no second passes.
    let events = [r#"42["none"]"#, r#"421["ack","b"]"#, r#"42/other,2["ack","c"]"#];
    client.connection.send(events.map(|event| masked(TEXT, event.as_bytes())).concat()).await;
    let (failure, socket, is_that) = told.next().await;
    assert_eq!(
        failure,
        format!("a handler of /other for the socket {id} and its event \"ack\" was not called: too many events")
    );
    assert!(socket.as_str() == id && is_that);
    let mut answers = vec![word(client.frame().await), word(client.frame().await).replace("/other,", "")];
    if on_excess == OnExcess::Close {
        answers.push(word(client.frame().await));
    }
    answers.join(" ")
}

#[tokio::test]
async fn events_are_not_limited_in_number_unless_that_is_wanted() {
    let (server, _io) = serve(default(), [namespace("/")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    for number in 0..1000 {
        client.send(&format!(r#"42{number}["ack"]"#)).await;
    }
    for number in 0..1000 {
        assert_eq!(client.frame().await, text(format!("43{number}[]")));
    }
}

async fn attachment_timeout() -> String {
    let limits = Limits { attachment_timeout: Duration::from_millis(50), ..default() };
    let (server, _io) = serve(limits, [namespace("/")]).await;
    let (mut whole, _id) = socket::connect(server.endpoint, "/").await;
    send(&mut whole, &[T(r#"451-1["ack"]"#), B(b"x")]).await;
    assert_eq!(whole.frame().await, text("431[]"));
    let (mut half, _id) = socket::connect(server.endpoint, "/").await;
    send(&mut half, &[T(r#"452-["x"]"#), B(b"x")]).await;
    let word = word(half.frame().await);
    assert_eq!(heard(&mut whole).await, [], "the packet that was begun before is whole");
    word
}

async fn refusals() -> String {
    let (server, _io) = serve(Limits { max_refusals: 3, ..default() }, [namespace("/")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    for _ in 0..3 {
        client.send("40/x,").await;
        assert_eq!(client.frame().await, text(r#"44/x,{"message":"Invalid namespace"}"#));
    }
    word(client.frame().await)
}

/// The rest of a packet that is not read is not late.
#[tokio::test]
async fn kb5_the_time_for_attachments_does_not_pass_while_a_client_is_held_back() {
    let (slow, let_in) = slow("/slow");
    let (gate, (sender, mut begun)) = (watch::Sender::new(false), Told::new());
    let opened = gate.clone();
    let slow = slow.on("long", move || {
        let _over = sender.send(());
        let mut opened = opened.subscribe();
        async move { drop(opened.wait_for(|opened| *opened).await) }
    });
    let time = Duration::from_millis(500);
    let limits = Limits { attachment_timeout: time, max_running_events: 1, ..default() };
    let (server, io) = serve(limits, [namespace("/"), slow]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    let in_root = io.sockets().remove(0);
    send(&mut client, &[T("40/slow,"), T(r#"42/slow,["long"]"#), T(r#"451-1["ack",{"_placeholder":true,"num":0}]"#)])
        .await;
    within(async {
        while in_root.stats().packets_received < 4 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let_in.send_replace(true);
    assert!(client.text().await.starts_with("40/slow,{"));
    begun.next().await;
    send(&mut client, &[B(b"x")]).await;
    tokio::time::sleep(time * 3 / 2).await;
    gate.send_replace(true);
    assert_eq!(client.frame().await, text(r#"461-1[{"_placeholder":true,"num":0}]"#));
    assert_eq!(client.frame().await, Frame::Binary(b"x".to_vec()));
    // From here on it passes again.
    send(&mut client, &[T(r#"451-["ack",{"_placeholder":true,"num":0}]"#)]).await;
    assert_eq!(client.frame().await, CLOSED);
}

/// A namespace whose connect handler waits until it may go on.
fn slow(name: &str) -> (Namespace, watch::Sender<bool>) {
    let gate = watch::Sender::new(false);
    let opened = gate.clone();
    let slow = namespace(name).on_connect(move |_: Socket| {
        let mut opened = opened.subscribe();
        async move { drop(opened.wait_for(|opened| *opened).await) }
    });
    (slow, gate)
}

/// Twice the packet is within the limits, three times it is not.
async fn waiting(limits: Limits, packet: &'static str) -> String {
    let (slow, _gate) = slow("/slow");
    let (server, _io) = serve(limits, [namespace("/"), slow]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    send(&mut client, &[T("40/slow,"), T(packet), T(packet)]).await;
    assert_eq!(heard(&mut client).await, []);
    client.send(packet).await;
    word(client.frame().await)
}

/// Of three events in one segment, each of 6 bytes, those whose handlers begin before one has ended, and after it.
async fn running(limits: Limits) -> String {
    let (begin, mut begun) = watch::channel(0);
    let gate = watch::Sender::new(false);
    let opened = gate.clone();
    let root = namespace("/").on("wait", move |_: Socket| {
        begin.send_modify(|begun| *begun += 1);
        let mut opened = opened.subscribe();
        async move { drop(opened.wait_for(|opened| *opened).await) }
    });
    let (server, io) = serve(limits, [root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    let event = masked(TEXT, br#"42["wait",12]"#);
    client.connection.send(event.repeat(3)).await;
    begun.wait_for(|begun| *begun == 2).await.expect("the server runs");
    io.volatile().emit("written", &()).expect("encoded");
    assert_eq!(client.frame().await, text(r#"42["written"]"#));
    let before = *begun.borrow();
    gate.send_replace(true);
    begun.wait_for(|begun| *begun == 3).await.expect("the server runs");
    format!("begun: {before}, then {}", *begun.borrow())
}

async fn pending_acks() -> String {
    let (server, io) = serve(Limits { max_pending_acks: 2, ..default() }, [namespace("/")]).await;
    let (_client, _id) = socket::connect(server.endpoint, "/").await;
    let socket = io.sockets().remove(0);
    let ask = || socket.emit_with_ack::<Value>("question", &());
    let (_first, _second) = (ask().expect("asked"), ask().expect("asked"));
    ask().expect_err("too many").to_string()
}

/// Those of one client and of another count together.
async fn dynamic_namespaces() -> String {
    let limits = Limits { max_dynamic_namespaces: 2, ..default() };
    let (server, _io) = serve(limits, [Namespace::pattern("/game-{id}")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/game-1").await;
    let (_other, _id) = socket::connect(server.endpoint, "/game-2").await;
    client.send("40/game-3,").await;
    word(client.frame().await)
}

async fn rooms(room: &'static str) -> String {
    let limits = Limits { max_rooms: 2, max_room_name: 5, ..default() };
    let (server, io) = serve(limits, [namespace("/")]).await;
    let (_client, _id) = socket::connect(server.endpoint, "/").await;
    let socket = io.sockets().remove(0);
    socket.join_all(["a", "12345"]).expect("within the limits");
    socket.join(room).expect_err("beyond them").to_string()
}

/// The bounds that hold unless the application says otherwise.
#[tokio::test]
async fn i3_k6_kb13_bounds_by_default() {
    let (server, _io) = serve(default(), [namespace("/"), namespace("/other"), namespace("/more")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    let auth = |bytes: usize| format!("{{\"token\":\"{}\"}}", "x".repeat(bytes - 12));
    socket_joined(&mut client, &format!("40/other,{}", auth(16 * 1024))).await;
    client.send(&format!("40/more,{}", auth(16 * 1024 + 1))).await;
    assert_eq!(client.frame().await, text(r#"44/more,{"message":"auth payload too large"}"#), "I3");
    client.send(&format!("40/more,{}", auth(100_000))).await;
    assert_eq!(client.frame().await, text(r#"44/more,{"message":"auth payload too large"}"#), "I3");

    let number = "7".repeat(512);
    client.send(&format!(r#"421["ack",{number},"{number}{number}"]"#)).await;
    assert_eq!(client.frame().await, text(format!(r#"431[{number},"{number}{number}"]"#)), "K6");
    let (mut other, _id) = socket::connect(server.endpoint, "/").await;
    other.send(&format!(r#"421["ack",{}]"#, "7".repeat(100_000))).await;
    assert_eq!(other.frame().await, CLOSED, "K6");

    let mut config = Config::default();
    config.engine.max_payload = 20_000_000;
    config.engine.max_outbox_bytes = 20_000_000;
    let (server, _io) = server::socketio(config, [namespace("/")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    let half = vec![7; 5_000_000];
    send(&mut client, &[T(r#"452-1["ack",{"_placeholder":true,"num":0}]"#), B(&half), B(&half)]).await;
    assert_eq!(client.frame().await, text(r#"461-1[{"_placeholder":true,"num":0}]"#), "Kb13");
    assert_eq!(client.frame().await, Frame::Binary(half.clone()));
    send(&mut client, &[T(r#"453-["ack"]"#), B(&half), B(&half), B(b"x")]).await;
    assert_eq!(client.frame().await, CLOSED, "Kb13");
}

async fn socket_joined(client: &mut WebSocket, connect: &str) {
    client.send(connect).await;
    assert!(client.text().await.starts_with(r#"40/other,{"sid":""#));
}

/// The time to join a namespace and the time to complete a packet are two: neither puts off nor ends the other.
#[tokio::test]
async fn kb5_ns_04_who_joins_has_yet_to_complete_the_packet_that_was_begun() {
    let (slow, gate) = slow("/");
    let (root, mut told) = telling(slow);
    let limits = Limits { attachment_timeout: Duration::from_secs(1), ..default() };
    let config = Config { limits, connect_timeout: Duration::from_secs(60), ..Config::default() };
    let (server, _io) = server::socketio(config, [root]).await;
    let (mut client, _sid) = WebSocket::open(server.endpoint).await;
    send(&mut client, &[T("40"), T(r#"451-["x"]"#)]).await;
    gate.send_replace(true);
    assert!(client.text().await.starts_with(r#"40{"sid":""#));
    assert_eq!(client.frame().await, CLOSED);
    assert_eq!(told.next().await.0, "forced close");
}

#[tokio::test]
async fn ns_04_kb5_a_whole_packet_does_not_put_off_the_time_to_join() {
    let (slow, _gate) = slow("/");
    let config = Config { connect_timeout: Duration::from_millis(100), ..Config::default() };
    let (server, _io) = server::socketio(config, [slow]).await;
    let (mut client, _sid) = WebSocket::open(server.endpoint).await;
    send(&mut client, &[T("40"), T(r#"451-["x"]"#), B(b"x"), T(r#"451-["x"]"#)]).await;
    assert_eq!(client.frame().await, CLOSED);
}

#[tokio::test]
async fn kb12_a_binary_event_for_a_namespace_not_joined_closes_at_its_header() {
    let (server, _io) = serve(default(), [namespace("/"), namespace("/other")]).await;
    for header in [r#"451-/other,["x"]"#, r#"451-/nowhere,["x"]"#, r#"461-/other,1["x"]"#] {
        let _row = Row(header);
        let (mut client, _id) = socket::connect(server.endpoint, "/").await;
        client.send(header).await;
        assert_eq!(client.frame().await, CLOSED);
    }
    let (mut stranger, _sid) = WebSocket::open(server.endpoint).await;
    stranger.send(r#"451-["x"]"#).await;
    assert_eq!(stranger.frame().await, CLOSED, "before CONNECT");
}

#[tokio::test]
async fn cv_08_cv_09_j7_j9_a_binary_packet_that_is_none_closes_at_its_header() {
    let (server, _io) = serve(default(), [namespace("/")]).await;
    for header in [r#"451-["x""#, "451-{}", "461-1null", r#"452-["connect"]"#, "451-[null]"] {
        let _row = Row(header);
        let (mut client, _id) = socket::connect(server.endpoint, "/").await;
        client.send(header).await;
        assert_eq!(client.frame().await, CLOSED);
    }
}

#[tokio::test]
async fn kb3_kb11_what_clients_could_not_read_is_not_sent() {
    let (sender, mut told) = Told::new();
    let root = namespace("/").on("go", move |socket: Socket| {
        let binary = |count: usize| vec![Value::Binary(vec![7].into()); count];
        let placeholder = serde_json::json!({ "_placeholder": true, "num": 0 });
        let outcomes = [
            socket.emit("x", &binary(11)),
            socket.emit("x", &(binary(1), &placeholder)),
            socket.emit("x", &placeholder),
            socket.emit("y", &binary(10)),
        ];
        let _over = sender.send(outcomes);
        async { Reply(vec![Value::Binary(vec![7].into()); 11]) }
    });
    let (server, _io) = serve(default(), [root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send(r#"421["go"]"#).await;
    let outcomes = told.next().await;
    assert!(matches!(outcomes, [Err(EmitError::TooManyAttachments), Err(EmitError::Placeholder), Ok(()), Ok(())]));
    assert_eq!(client.frame().await, text(r#"42["x",{"_placeholder":true,"num":0}]"#), "alone it is data");
    assert!(client.text().await.starts_with(r#"4510-["y",[{"_placeholder":true,"num":0},"#));
    for _ in 0..10 {
        assert_eq!(client.frame().await, Frame::Binary(vec![7]));
    }
    assert_eq!(heard(&mut client).await, [], "nor is an ack");
}
