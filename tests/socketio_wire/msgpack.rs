//! The MessagePack parser: literal bytes, as `socket.io-msgpack-parser` 3 has them, which `notepack.io` wrote.

use std::time::Duration;

use serde_json::{Value as Json, json};
use socketio::{
    Args, Auth, Config, ConnectError, Data, EmitError, Limits, Namespace, Parser, Recovery, Reply, Socket, SocketIo,
    Value,
};
use tests::{
    Row, bytes,
    frames::{CLOSED, Frame, WebSocket, text},
    polling::Polling,
    server::{self, Endpoint, Server},
};

use crate::{Told, namespace, telling};

async fn serve_with(config: Config, namespaces: impl IntoIterator<Item = Namespace>) -> (Server, SocketIo) {
    server::socketio(Config { parser: Parser::Msgpack, ..config }, namespaces).await
}

async fn serve(namespaces: impl IntoIterator<Item = Namespace>) -> (Server, SocketIo) {
    serve_with(Config::default(), namespaces).await
}

fn frame(hex: &str) -> Frame {
    Frame::Binary(bytes(hex))
}

/// An event of `/` without an ack id; `data` is its list.
fn event(data: &str) -> String {
    format!("83 a4'type'02 a3'nsp' a1'/' a4'data' {data}")
}

const CONNECT: &str = "83 a4'type'00 a3'nsp' a1'/' a4'data' d40000";

/// A client in `/`.
async fn connect(endpoint: Endpoint) -> WebSocket {
    let (mut client, _sid) = WebSocket::open(endpoint).await;
    client.send_binary(&bytes(CONNECT)).await;
    let Frame::Binary(answer) = client.frame().await else { panic!("no answer") };
    // The id is the socket's, of 20 letters.
    assert_eq!(answer[..answer.len() - 20], bytes("83 a4'type'00 a3'nsp' a1'/' a4'data' 81 a3'sid' b4"));
    client
}

/// All that the client was sent so far: what comes before the answer to one more event.
async fn heard(client: &mut WebSocket) -> Vec<Frame> {
    client.send_binary(&bytes("84 a4'type'02 a3'nsp' a1'/' a4'data' 92 a3'ack' a5'heard' a2'id' cd2329")).await;
    let answer = frame("84 a4'type'03 a3'nsp' a1'/' a4'data' 91 a5'heard' a2'id' cd2329");
    let mut frames = Vec::new();
    loop {
        match client.frame().await {
            next if next == answer => return frames,
            Frame::End => panic!("closed after {frames:?}"),
            next => frames.push(next),
        }
    }
}

#[tokio::test]
async fn ns_01_02_03_mw_03_namespaces_are_joined_and_left() {
    let refusing = namespace("/refusing").on_connect(async || -> Result<(), ConnectError> {
        Err(ConnectError::new("nope").with_data(json!({"code": 403})))
    });
    let showing = namespace("/showing").on_connect(async |socket: Socket, Auth(auth): Auth<Json>| {
        socket.emit("auth", &auth).expect("the client is there");
    });
    let (chat, mut left) = telling(namespace("/chat"));
    let (server, io) = serve([namespace("/"), refusing, showing, chat]).await;
    let mut client = connect(server.endpoint).await;
    let rows = [
        (
            "82 a4'type'00 a3'nsp' a5'/none'",
            "83 a4'type'04 a3'nsp' a5'/none' a4'data' 81 a7'message' b1'Invalid namespace'",
        ),
        (
            "83 a4'type'00 a4'data'c0 a3'nsp' a9'/refusing'",
            "83 a4'type'04 a3'nsp' a9'/refusing' a4'data' 82 a7'message' a4'nope' a4'data' 81 a4'code' cd0193",
        ),
    ];
    for (sent, answer) in rows {
        let _row = Row(sent);
        client.send_binary(&bytes(sent)).await;
        assert_eq!(client.frame().await, frame(answer));
    }
    client.send_binary(&bytes("83 a4'data' 81 a5'token' 92 c0 a2c3a9 a3'nsp' a8'/showing' a4'type'00")).await;
    let Frame::Binary(answer) = client.frame().await else { panic!("no answer") };
    assert!(answer.starts_with(&bytes("83 a4'type'00 a3'nsp' a8'/showing' a4'data' 81 a3'sid' b4")));
    let auth = frame("83 a4'type'02 a3'nsp' a8'/showing' a4'data' 92 a4'auth' 81 a5'token' 92 c0 a2c3a9");
    assert_eq!(client.frame().await, auth);

    client.send_binary(&bytes("82 a4'type'00 a3'nsp' a5'/chat'")).await;
    client.frame().await;
    client.send_binary(&bytes("82 a4'type'01 a3'nsp' a5'/chat'")).await;
    assert_eq!(left.next().await.0, "client namespace disconnect");
    io.of("/").expect("served").disconnect_sockets(false);
    assert_eq!(client.frame().await, frame("82 a4'type'01 a3'nsp' a1'/'"));
}

#[tokio::test]
async fn ev_01_02_03_04_events_both_ways() {
    let (server, io) = serve([namespace("/")]).await;
    let mut client = connect(server.endpoint).await;
    let rows = [
        ("no argument", "91 a4'echo'", "91 a4'echo'"),
        ("values", "97 a4'echo' c0 c3 c2 7f e0 a0", "97 a4'echo' c0 c3 c2 7f e0 a0"),
        (
            "numbers",
            "95 a4'echo' cf0020000000000001 d38000000000000000 cb3ff8000000000000 ca3fc00000",
            "95 a4'echo' cf0020000000000001 d38000000000000000 cb3ff8000000000000 cb3ff8000000000000",
        ),
        ("no numbers", "93 a4'echo' cb7ff8000000000000 cbfff0000000000000", "93 a4'echo' c0 c0"),
        ("texts", "93 a4'echo' a4f09f8e89 d902 '\"\n'", "93 a4'echo' a4f09f8e89 a2 '\"\n'"),
        (
            "lists and maps",
            "93 a4'echo' 9290 91 80 82 a1'a' 81 a1'b' 01 a1'c' 90",
            "93 a4'echo' 929091 80 82 a1'a' 81 a1'b' 01 a1'c' 90",
        ),
        ("undefined", "94 a4'echo' d40000 82 a1'a' d40000 a1'b' 01 91 d40000", "94 a4'echo' c0 81 a1'b' 01 91 c0"),
        ("a date", "92 a4'echo' d700 0000000000000000", "92 a4'echo' b8 '1970-01-01T00:00:00.000Z'"),
        (
            "binary",
            "94 a4'echo' c4020102 81 a1'a' 91 c400 c703 00 'xyz'",
            "94 a4'echo' c4020102 81 a1'a' 91 c400 c403 'xyz'",
        ),
        ("an unknown extension", "92 a4'echo' d6ff 00000001", "92 a4'echo' 92 ff c404 00000001"),
        (
            "what looks like a placeholder",
            "92 a4'echo' 82 ac'_placeholder' c3 a3'num' 00",
            "92 a4'echo' 82 ac'_placeholder' c3 a3'num' 00",
        ),
    ];
    for (label, sent, answer) in rows {
        let _row = Row(label);
        client.send_binary(&bytes(&event(sent))).await;
        assert_eq!(client.frame().await, frame(&event(answer)));
    }
    let mixed = (1.5, [Value::Binary(b"xy".to_vec().into()), Value::Null], u64::MAX);
    io.of("/").expect("served").emit("up", &mixed).expect("emitted");
    let up = event("94 a2'up' cb3ff8000000000000 92 c402'xy' c0 cfffffffffffffffff");
    assert_eq!(heard(&mut client).await, [frame(&up)]);
    let eleven = vec![Value::Binary(Vec::new().into()); 11];
    assert!(matches!(io.of("/").expect("served").emit("up", &eleven), Err(EmitError::TooManyAttachments)));
}

#[tokio::test]
async fn ak_01_02_04_acks_both_ways() {
    let (sender, mut told) = Told::new();
    let root = namespace("/").on("ask", move |socket: Socket, args: Args| {
        let sender = sender.clone();
        async move {
            let answer = socket.emit_with_ack::<(Value, String)>("question", &args).expect("the client is there");
            let _over = sender.send(answer.await.expect("an answer"));
        }
    });
    let (server, _io) = serve([root]).await;
    let mut client = connect(server.endpoint).await;
    for (asked, answer) in [
        ("91 a3'ack' a2'id' 00", "90 a2'id' 00"),
        ("93 a3'ack' c40178 81 a1'a' 01 a2'id' cf001fffffffffffff", "92 c40178 81 a1'a' 01 a2'id' cf001fffffffffffff"),
    ] {
        let _row = Row(asked);
        client.send_binary(&bytes(&format!("84 a4'type'02 a3'nsp' a1'/' a4'data' {asked}"))).await;
        assert_eq!(client.frame().await, frame(&format!("84 a4'type'03 a3'nsp' a1'/' a4'data' {answer}")));
    }
    client.send_binary(&bytes(&event("92 a3'ask' c40178"))).await;
    assert_eq!(client.frame().await, frame("84 a4'type'02 a3'nsp' a1'/' a4'data' 92 a8'question' c40178 a2'id' 00"));
    client.send_binary(&bytes("84 a2'id' 00 a4'data' 92 c40179 a1'x' a3'nsp' a1'/' a4'type' 03")).await;
    assert_eq!(told.next().await, (Value::Binary(b"y".to_vec().into()), "x".to_owned()));
}

#[tokio::test]
async fn rm_01_a_broadcast_is_the_same_message_for_all() {
    let (server, io) = serve([namespace("/")]).await;
    let (mut first, mut second) = (connect(server.endpoint).await, connect(server.endpoint).await);
    let mut polling = Polling::open(server.endpoint).await;
    // In base64, CONNECT and the event that is `hello`.
    polling.post("bg6R0eXBlAKNuc3ChL6RkYXRh1AAA").await;
    polling.get().await;
    assert_eq!(io.emit("hello", &("you", [1])).expect("emitted"), 3);
    let hello = event("93 a5'hello' a3'you' 91 01");
    assert_eq!(first.frame().await, frame(&hello));
    assert_eq!(second.frame().await, frame(&hello));
    assert_eq!(polling.get().await.body, "bg6R0eXBlAqNuc3ChL6RkYXRhk6VoZWxsb6N5b3WRAQ==");
}

#[tokio::test]
async fn k13_what_is_no_packet_ends_the_connection() {
    let (server, _io) = serve([namespace("/")]).await;
    let deep = event(&format!("92 a4'echo' {} 90", "91".repeat(1_000_000 - 40)));
    let deep_elsewhere = format!("81 {} 90", "91".repeat(999_000));
    let rows = [
        ("nothing", String::new()),
        ("not a map", "90".to_owned()),
        ("a reserved marker", event("92 a4'echo' c1")),
        ("a list of 2^32 - 1", event("92 a4'echo' ddffffffff 00")),
        ("a map of 2^32 - 1", event("92 a4'echo' dfffffffff 00")),
        ("a text of 2^32 - 1", event("92 a4'echo' dbffffffff 'x'")),
        ("binary of 2^32 - 1", event("92 a4'echo' c6ffffffff 00")),
        ("an extension of 2^32 - 1", event("92 a4'echo' c9ffffffff 00 00")),
        ("nested a million deep", deep),
        ("a name nested that deep", deep_elsewhere),
        ("a text that is no UTF-8", event("92 a4'echo' a1ff")),
        ("half a surrogate pair", event("92 a4'echo' a3eda080")),
        ("a name that is no text", event("92 a4'echo' 81 c3 01")),
        ("cut off", event("92 a4'echo'")),
        ("something behind it", event("91 a4'echo' 00")),
        ("its data twice", "84 a4'type'02 a3'nsp' a1'/' a4'data' 91 a4'echo' a4'data' 91 a4'echo'".to_owned()),
        ("a type for servers", "83 a4'type'04 a3'nsp' a1'/' a4'data' 80".to_owned()),
        ("a type for attachments", "83 a4'type'05 a3'nsp' a1'/' a4'data' 91 a4'echo'".to_owned()),
        ("no namespace", "82 a4'type'02 a4'data' 91 a4'echo'".to_owned()),
        ("a namespace without a slash", "82 a4'type'00 a3'nsp' a4'chat'".to_owned()),
        ("an event without a name", event("90")),
        ("a reserved name", event("91 aa'disconnect'")),
        ("a negative ack id", "84 a4'type'02 a3'nsp' a1'/' a4'data' 91 a3'ack' a2'id' ff".to_owned()),
        ("an ack id of 2^53", "84 a4'type'02 a3'nsp' a1'/' a4'data' 91 a3'ack' a2'id' cf0020000000000000".to_owned()),
        ("auth that is no map", "83 a4'type'00 a3'nsp' a1'/' a4'data' 90".to_owned()),
    ];
    for (label, sent) in rows {
        let _row = Row(label);
        let mut client = connect(server.endpoint).await;
        client.send_binary(&bytes(&sent)).await;
        assert_eq!(client.frame().await, CLOSED);
    }
    let mut client = connect(server.endpoint).await;
    client.send(r#"42["echo"]"#).await;
    assert_eq!(client.frame().await, CLOSED);
    let (mut stranger, _sid) = WebSocket::open(server.endpoint).await;
    stranger.send("40").await;
    assert_eq!(stranger.frame().await, CLOSED);
}

#[tokio::test]
async fn k13_limits_hold() {
    let limits = Limits {
        max_attachments: 2,
        max_attachment_bytes: 3,
        max_args: 3,
        max_depth: 4,
        max_event_name: 4,
        max_namespace_name: 5,
        ..Limits::default()
    };
    let config = || Config { limits: limits.clone(), ..Config::default() };
    let (server, _io) = serve_with(config(), [namespace("/")]).await;
    let rows = [
        ("attachments", "92 a4'echo' 92 c400 c400", "92 a4'echo' 93 c400 c400 c400"),
        ("attachment bytes", "93 a4'echo' c402'ab' c401'c'", "93 a4'echo' c402'ab' c402'cd'"),
        ("arguments", "93 a4'echo' 01 02", "94 a4'echo' 01 02 03"),
        ("depth", "92 a4'echo' 91 81 a1'a' 90", "92 a4'echo' 91 81 a1'a' 91 90"),
        ("the name of an event", "91 a4'echo'", "91 a5'echo5'"),
    ];
    for (label, within, beyond) in rows {
        let _row = Row(label);
        let mut client = connect(server.endpoint).await;
        client.send_binary(&bytes(&event(within))).await;
        assert_eq!(client.frame().await, frame(&event(within)));
        client.send_binary(&bytes(&event(beyond))).await;
        assert_eq!(client.frame().await, CLOSED);
    }
    let mut client = connect(server.endpoint).await;
    client.send_binary(&bytes("82 a4'type'00 a3'nsp' a5'/1234'")).await;
    let Frame::Binary(_refused) = client.frame().await else { panic!("no answer") };
    client.send_binary(&bytes("82 a4'type'00 a3'nsp' a6'/12345'")).await;
    assert_eq!(client.frame().await, CLOSED);

    let (server, _io) =
        serve_with(Config { limits: Limits { max_auth: 10, ..limits }, ..Config::default() }, [namespace("/")]).await;
    let (mut client, _sid) = WebSocket::open(server.endpoint).await;
    client.send_binary(&bytes("83 a4'type'00 a3'nsp' a1'/' a4'data' 81 a1'a' a5'12345'")).await;
    let refusal = "83 a4'type'04 a3'nsp' a1'/' a4'data' 81 a7'message' b6'auth payload too large'";
    assert_eq!(client.frame().await, frame(refusal));
}

#[tokio::test]
async fn rc_02_03_04_who_comes_back_is_sent_what_it_missed() {
    let recovery = Recovery { max_disconnection_duration: Duration::from_secs(60), ..Recovery::default() };
    let config = Config { connection_state_recovery: Some(recovery), ..Config::default() };
    let (root, mut left) = telling(namespace("/"));
    let (server, io) = serve_with(config, [root]).await;
    let (mut client, _sid) = WebSocket::open(server.endpoint).await;
    client.send_binary(&bytes(CONNECT)).await;
    let Frame::Binary(connected) = client.frame().await else { panic!("no answer") };
    // The pid, of 40 letters.
    let (head, pid) = connected.split_at(connected.len() - 40);
    assert!(head.starts_with(&bytes("83 a4'type'00 a3'nsp' a1'/' a4'data' 82 a3'sid' b4")));
    assert!(head.ends_with(&bytes("a3'pid' d928")));
    let binary = Value::Binary(b"x".to_vec().into());
    io.emit("first", &(&binary, 1)).expect("emitted");
    let Frame::Binary(first) = client.frame().await else { panic!("no event") };
    // One more argument: an offset of eight letters, a dot and a digit.
    let start = bytes(&event("94 a5'first' c40178 01 aa"));
    assert_eq!(first[..first.len() - 10], start);
    let offset = &first[first.len() - 10..];
    drop(client);
    assert_eq!(left.next().await.0, "transport close");
    io.emit("second", &binary).expect("emitted");

    let (mut again, _sid) = WebSocket::open(server.endpoint).await;
    let mut claim = bytes("83 a4'type'00 a3'nsp' a1'/' a4'data' 82 a3'pid' d928");
    claim.extend(pid);
    claim.extend(bytes("a6'offset' aa"));
    claim.extend(offset);
    again.send_binary(&claim).await;
    let Frame::Binary(missed) = again.frame().await else { panic!("no event") };
    assert_eq!(missed[..missed.len() - 10], bytes(&event("93 a6'second' c40178 aa")));
    assert_ne!(&missed[missed.len() - 10..], offset);
    assert_eq!(again.frame().await, Frame::Binary(connected));
}

#[tokio::test]
async fn v2_02_04_05_clients_of_revision_3_have_the_same_packets() {
    let showing = namespace("/showing").on_connect(async |socket: Socket, Auth(auth): Auth<Json>| {
        socket.emit("auth", &auth).expect("the client is there");
    });
    let mut config = Config::default();
    config.engine.allow_eio3 = true;
    let (server, _io) = serve_with(config, [namespace("/"), showing]).await;
    // In revision 3, a binary message has its type ahead of it.
    let of_revision_3 = |hex: &str| [&[4], &*bytes(hex)].concat();
    let (mut client, _sid) = WebSocket::open(server.endpoint.asked("EIO=3")).await;
    let joined = "82 a4'type'00 a3'nsp' a1'/'";
    assert_eq!(client.frame().await, Frame::Binary(of_revision_3(joined)));
    client.send_binary(&of_revision_3(&event("92 a4'echo' c40178"))).await;
    assert_eq!(client.frame().await, Frame::Binary(of_revision_3(&event("92 a4'echo' c40178"))));
    client.send_binary(&of_revision_3("82 a4'type'00 a3'nsp' ac'/showing?a=b'")).await;
    assert_eq!(client.frame().await, Frame::Binary(of_revision_3("82 a4'type'00 a3'nsp' a8'/showing'")));
    let auth = "83 a4'type'02 a3'nsp' a8'/showing' a4'data' 92 a4'auth' 81 a1'a' a1'b'";
    assert_eq!(client.frame().await, Frame::Binary(of_revision_3(auth)));
    // The parser of their time writes these packets as JSON, which the reference's of today cannot read either.
    client.send(r#"4{"type":0,"nsp":"/chat"}"#).await;
    assert_eq!(client.frame().await, CLOSED);
}

#[tokio::test]
async fn handlers_cannot_tell_the_parser() {
    let root = || {
        namespace("/").on("sum", async |Data((numbers, name)): Data<(Vec<f64>, Option<String>)>| {
            Reply((numbers.iter().sum::<f64>(), name))
        })
    };
    let (packed, _io) = serve([root()]).await;
    let mut client = connect(packed.endpoint).await;
    client
        .send_binary(&bytes("84 a4'type'02 a3'nsp' a1'/' a4'data' 93 a3'sum' 92 cb3ff8000000000000 02 a1'n' a2'id' 05"))
        .await;
    let answer = "84 a4'type'03 a3'nsp' a1'/' a4'data' 92 cb400c000000000000 a1'n' a2'id' 05";
    assert_eq!(client.frame().await, frame(answer));
    let (plain, _io) = crate::serve([root()]).await;
    let (mut client, _id) = tests::socket::connect(plain.endpoint, "/").await;
    client.send(r#"425["sum",[1.5,2],"n"]"#).await;
    assert_eq!(client.frame().await, text(r#"435[3.5,"n"]"#));
}
