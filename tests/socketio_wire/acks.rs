//! Answers that the server asks its clients for.

use std::time::Duration;

use socketio::{AckError, Args, Namespace, Socket, Value};
use tests::{
    Row,
    frames::{Frame, WebSocket, text},
    socket,
};
use tokio::time::Instant;

use crate::{Told, heard, namespace, serve};

/// What became of a question, in words.
type Outcome = String;

/// A namespace whose event `ask` asks its client, `ask soon` with a timeout of 50 ms.
fn asking(name: &str) -> (Namespace, Told<Outcome>) {
    let (sender, told) = Told::new();
    let patient = sender.clone();
    let namespace = namespace(name)
        .on("ask", move |socket: Socket, args: Args| {
            let told = patient.clone();
            async move {
                let answer = socket.emit_with_ack::<Args>("question", &args).expect("connected").await;
                told.send(outcome(answer)).expect("the test waits");
            }
        })
        .on("ask soon", move |socket: Socket| {
            let told = sender.clone();
            async move {
                let soon = socket.timeout(Duration::from_millis(50));
                let answer = soon.emit_with_ack::<Args>("question", &()).expect("connected").await;
                told.send(outcome(answer)).expect("the test waits");
            }
        });
    (namespace, told)
}

fn outcome(answer: Result<Args, AckError>) -> Outcome {
    match answer {
        Ok(args) => (0..args.len())
            .map(|at| match args.get(at).expect("any value") {
                Value::Binary(data) => format!("{data:?}"),
                value => serde_json::to_string(&value).expect("JSON"),
            })
            .collect::<Vec<_>>()
            .join(","),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn ak_04_11_an_answer_reaches_who_asked() {
    let ((root, mut told), (chat, mut told_in_chat)) = (asking("/"), asking("/chat"));
    let (server, _io) = serve([root, chat]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut client, "/chat").await;

    let rows = [
        (r#"42["ask"]"#, r#"420["question"]"#, "430[]", ""),
        (r#"42["ask","a",1]"#, r#"421["question","a",1]"#, r#"431["yes",{"b":null}]"#, r#""yes",{"b":null}"#),
        (r#"42["ask"]"#, r#"422["question"]"#, "43002[1]", "1"),
    ];
    for (ask, question, answer, expected) in rows {
        let _row = Row(answer);
        client.send(ask).await;
        assert_eq!(client.frame().await, text(question));
        client.send(answer).await;
        assert_eq!(told.next().await, expected);
    }

    client.send(r#"42/chat,["ask"]"#).await;
    assert_eq!(client.frame().await, text(r#"42/chat,0["question"]"#));
    client.send("43/chat,0[true]").await;
    assert_eq!(told_in_chat.next().await, "true");
}

#[tokio::test]
async fn ak_02_binary_in_question_and_answer() {
    let (root, mut told) = asking("/");
    let (server, _io) = serve([root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send(r#"451-["ask",{"_placeholder":true,"num":0}]"#).await;
    client.send_binary(b"q").await;
    assert_eq!(client.frame().await, text(r#"451-0["question",{"_placeholder":true,"num":0}]"#));
    assert_eq!(client.frame().await, Frame::Binary(b"q".into()));
    client.send(r#"461-0[{"_placeholder":true,"num":0},1]"#).await;
    client.send_binary(b"a").await;
    assert_eq!(told.next().await, r#"b"a",1"#);
}

#[tokio::test]
async fn ak_05_j12_j19_only_the_first_answer_of_who_was_asked_counts() {
    let ((root, mut told), (chat, mut told_in_chat)) = (asking("/"), asking("/chat"));
    let (server, _io) = serve([root, chat]).await;
    let (mut asked, _id) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut asked, "/chat").await;
    let (mut other, _id) = socket::connect(server.endpoint, "/").await;
    asked.send(r#"42["ask"]"#).await;
    assert_eq!(asked.frame().await, text(r#"420["question"]"#));

    other.send(r#"430["of another client"]"#).await;
    assert_eq!(heard(&mut other).await, []);
    asked.send(r#"43/chat,0["of another namespace"]"#).await;
    asked.send(r#"431["of another question"]"#).await;
    asked.send(r#"43["of none"]"#).await;
    assert_eq!(heard(&mut asked).await, []);
    told.none();

    asked.send(r#"430["first"]"#).await;
    asked.send(r#"430["second"]"#).await;
    assert_eq!(told.next().await, r#""first""#);
    assert_eq!(heard(&mut asked).await, []);
    told.none();
    told_in_chat.none();
}

#[tokio::test]
async fn ak_06_after_its_timeout_nobody_waits_for_an_answer() {
    let (root, mut told) = asking("/");
    let (server, _io) = serve([root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    let since = Instant::now();
    client.send(r#"42["ask soon"]"#).await;
    assert_eq!(client.frame().await, text(r#"420["question"]"#));
    assert_eq!(told.next().await, "operation has timed out");
    assert!(since.elapsed() >= Duration::from_millis(50));

    client.send(r#"42["ask"]"#).await;
    assert_eq!(client.frame().await, text(r#"421["question"]"#));
    client.send(r#"430["late"]"#).await;
    assert_eq!(heard(&mut client).await, []);
    told.none();
    client.send(r#"431["in time"]"#).await;
    assert_eq!(told.next().await, r#""in time""#);
}

#[tokio::test]
async fn ak_06_with_no_time_at_all_it_times_out() {
    let (sender, mut told) = Told::new();
    let root = namespace("/").on("ask", move |socket: Socket| {
        let told = sender.clone();
        async move {
            let answer = socket.timeout(Duration::ZERO).emit_with_ack::<Args>("question", &()).expect("connected");
            told.send(outcome(answer.await)).expect("the test waits");
        }
    });
    let (server, _io) = serve([root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send(r#"42["ask"]"#).await;
    assert_eq!(client.frame().await, text(r#"420["question"]"#));
    assert_eq!(told.next().await, "operation has timed out");
}

#[tokio::test]
async fn who_waits_for_an_answer_learns_at_once_that_the_client_left() {
    let (root, mut told) = asking("/");
    let (server, io) = serve([root.on("kick", async |socket: Socket| socket.disconnect())]).await;
    let kinds: [(&str, Option<&str>); 4] = [
        ("it leaves the namespace", Some("41")),
        ("it is disconnected", Some(r#"42["kick"]"#)),
        ("it breaks the protocol", Some("4abc")),
        ("its connection ends", None),
    ];
    for (label, packet) in kinds {
        let _row = Row(label);
        let (mut client, _id): (WebSocket, _) = socket::connect(server.endpoint, "/").await;
        client.send(r#"42["ask"]"#).await;
        client.send(r#"42["ask"]"#).await;
        client.frame().await;
        client.frame().await;
        match packet {
            Some(packet) => client.send(packet).await,
            None => drop(client),
        }
        assert_eq!(told.next().await, "the socket disconnected before it answered");
        assert_eq!(told.next().await, "the socket disconnected before it answered");
    }
    assert_eq!(io.of("/").expect("served").sockets(), []);
}

#[tokio::test]
async fn an_answer_of_another_type_is_an_error() {
    let (sender, mut told) = Told::new();
    let root = namespace("/").on("ask", move |socket: Socket| {
        let told = sender.clone();
        async move {
            let answer = socket.emit_with_ack::<u8>("question", &()).expect("connected").await;
            told.send(matches!(answer, Err(AckError::Decode(_)))).expect("the test waits");
        }
    });
    let (server, _io) = serve([root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    for answer in [r#"430["x"]"#, "431[256]", "432[]"] {
        client.send(r#"42["ask"]"#).await;
        client.frame().await;
        client.send(answer).await;
        assert!(told.next().await, "{answer}");
    }
}
