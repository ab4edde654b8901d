//! Events and acks with binary in them: a text with placeholders, and right behind it the binaries.

use socketio::{Data, Reply, Socket, Value};
use tests::{
    Row,
    frames::{Frame, text},
    polling::Polling,
    socket,
};

use crate::{heard, namespace, serve};

fn binary(data: &[u8]) -> Frame {
    Frame::Binary(data.into())
}

#[tokio::test]
async fn ev_03_rm_01_binary_both_ways() {
    let (server, io) = serve([namespace("/"), namespace("/chat")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut client, "/chat").await;
    let rows: [(&str, &str, &[&[u8]]); 5] = [
        ("alone", r#"451-["echo",{"_placeholder":true,"num":0}]"#, &[&[1, 2, 3, 4]]),
        ("empty", r#"451-["echo",{"_placeholder":true,"num":0}]"#, &[&[]]),
        (
            "amid other values",
            r#"452-["echo","a",{"_placeholder":true,"num":0},null,{"b":[{"_placeholder":true,"num":1}],"c":1}]"#,
            &[b"x", b"yz"],
        ),
        ("in a namespace", r#"451-/chat,["echo",[[{"_placeholder":true,"num":0}]]]"#, &[b"4text"]),
        (
            "as many as there may be",
            r#"4510-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{"_placeholder":true,"num":2},{"_placeholder":true,"num":3},{"_placeholder":true,"num":4},{"_placeholder":true,"num":5},{"_placeholder":true,"num":6},{"_placeholder":true,"num":7},{"_placeholder":true,"num":8},{"_placeholder":true,"num":9}]"#,
            &[b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9"],
        ),
    ];
    for (label, header, attachments) in rows {
        let _row = Row(label);
        client.send(header).await;
        for data in attachments {
            client.send_binary(data).await;
        }
        assert_eq!(client.frame().await, text(header));
        for data in attachments {
            assert_eq!(client.frame().await, binary(data));
        }
    }

    let mixed = ("a", Value::Binary(b"x".to_vec().into()), [Value::Binary(b"y".to_vec().into()), Value::Null]);
    io.of("/").expect("served").emit("up", &mixed).expect("emitted");
    let header = r#"452-["up","a",{"_placeholder":true,"num":0},[{"_placeholder":true,"num":1},null]]"#;
    assert_eq!(heard(&mut client).await, [text(header), binary(b"x"), binary(b"y")]);
}

#[tokio::test]
async fn ak_02_binary_in_acks_of_the_server() {
    let root = namespace("/").on("plain", async |Data(data): Data<Value>| match data {
        Value::Binary(data) => Reply(data.len()),
        other => panic!("not binary: {other:?}"),
    });
    let (server, _io) = serve([root, namespace("/chat")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut client, "/chat").await;

    client.send(r#"451-12["ack",{"_placeholder":true,"num":0}]"#).await;
    client.send_binary(&[1, 2]).await;
    assert_eq!(client.frame().await, text(r#"461-12[{"_placeholder":true,"num":0}]"#));
    assert_eq!(client.frame().await, binary(&[1, 2]));

    client.send(r#"451-/chat,1["ack","a",{"_placeholder":true,"num":0}]"#).await;
    client.send_binary(&[3]).await;
    assert_eq!(client.frame().await, text(r#"461-/chat,1["a",{"_placeholder":true,"num":0}]"#));
    assert_eq!(client.frame().await, binary(&[3]));

    client.send(r#"451-1["plain",{"_placeholder":true,"num":0}]"#).await;
    client.send_binary(&[4, 5, 6]).await;
    assert_eq!(client.frame().await, text("431[3]"));
}

#[tokio::test]
async fn kb6_kb10_odd_binary_packets_are_answered() {
    let (server, _io) = serve([namespace("/")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;

    client.send(r#"451-1["ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#).await;
    client.send_binary(b"x").await;
    assert_eq!(
        client.frame().await,
        text(r#"462-1[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#),
        "Kb10: one binary twice"
    );
    assert_eq!((client.frame().await, client.frame().await), (binary(b"x"), binary(b"x")));

    client.send(r#"452-1["ack","a"]"#).await;
    client.send_binary(b"x").await;
    client.send_binary(b"y").await;
    assert_eq!(client.frame().await, text(r#"431["a"]"#), "Kb10: no placeholder");

    client.send(r#"451-1["ack",{"num":0,"_placeholder":true,"more":1}]"#).await;
    client.send("3").await;
    client.send("6").await;
    client.send_binary(b"x").await;
    let header = r#"461-1[{"_placeholder":true,"num":0}]"#;
    assert_eq!(heard(&mut client).await, [text(header), binary(b"x")], "Kb6: packets of the transport in between");
}

#[tokio::test]
async fn tr_03_binary_over_polling() {
    let (server, _io) = serve([namespace("/")]).await;
    let mut client = Polling::open(server.endpoint).await;
    client.post("40").await;
    client.get().await;
    let packets =
        "452-1[\"ack\",{\"_placeholder\":true,\"num\":1},{\"_placeholder\":true,\"num\":0}]\x1ebAQIDBA==\x1ebBQ==";
    client.post(packets).await;
    let ack = "462-1[{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]\x1ebBQ==\x1ebAQIDBA==";
    assert_eq!(client.get().await.body, ack);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kb14_binaries_follow_their_header_at_once() {
    const EVENTS: u8 = 200;
    let root = namespace("/").on("start", async |socket: Socket| {
        for task in 0..4_u8 {
            let socket = socket.clone();
            tokio::spawn(async move {
                for at in 0..EVENTS {
                    let pair = [[task], [at]].map(|data| Value::Binary(data.to_vec().into()));
                    socket.emit("pair", &pair).expect("connected");
                    socket.emit("text", &at).expect("connected");
                    tokio::task::yield_now().await;
                }
            });
        }
    });
    let (server, _io) = serve([root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send(r#"42["start"]"#).await;
    let header = text(r#"452-["pair",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#);
    let mut next = [0; 4];
    while next != [EVENTS; 4] {
        match client.frame().await {
            Frame::Text(text) if text.starts_with(r#"42["text","#) => {}
            frame => {
                assert_eq!(frame, header);
                let (Frame::Binary(task), Frame::Binary(at)) = (client.frame().await, client.frame().await) else {
                    panic!("not two binaries behind their header");
                };
                assert_eq!(at, [next[usize::from(task[0])]]);
                next[usize::from(task[0])] += 1;
            }
        }
    }
}
