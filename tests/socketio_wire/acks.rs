//! Answers that the server asks its clients for.

use std::time::Duration;

use futures_util::FutureExt;
use socketio::{AckError, Args, Config, EmitError, Incomplete, Limits, Namespace, Socket, SocketId, Transport, Value};
use tests::{
    Row,
    frames::{CLOSED, Frame, WebSocket, text},
    polling::Polling,
    server, socket, within,
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
async fn ak_07_without_a_timeout_an_answer_is_waited_for_as_long_as_the_client_stays() {
    let (root, mut told) = asking("/");
    let day = Duration::from_secs(24 * 60 * 60);
    let mut config = Config::default();
    config.engine.ping_interval = 2 * day;
    let (server, _io) = server::socketio(config, [root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send(r#"42["ask"]"#).await;
    assert_eq!(client.frame().await, text(r#"420["question"]"#));
    tokio::time::pause();
    tokio::time::advance(day).await;
    tokio::time::resume();
    told.none();
    client.send(r#"430["at last"]"#).await;
    assert_eq!(told.next().await, r#""at last""#);
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

/// What became of a question to many: the answers, sorted, and how many are missing for which reason.
fn outcomes(answers: Result<Vec<(SocketId, u8)>, Incomplete<u8>>) -> (Vec<u8>, Vec<String>) {
    let (answers, missing) = match answers {
        Ok(answers) => (answers, Vec::new()),
        Err(incomplete) => (incomplete.answers, incomplete.missing),
    };
    let mut answers: Vec<_> = answers.into_iter().map(|(_id, answer)| answer).collect();
    answers.sort_unstable();
    (answers, missing.iter().map(|(_id, why)| why.to_string()).collect())
}

#[tokio::test]
async fn ak_08_11_all_who_are_asked_answer() {
    let (server, io) = serve([namespace("/")]).await;
    let (mut ann, ann_id) = socket::connect(server.endpoint, "/").await;
    let (mut bob, bob_id) = socket::connect(server.endpoint, "/").await;
    let (mut other, _id) = socket::connect(server.endpoint, "/").await;
    let asked = io.to(&ann_id).to(&bob_id);
    let answers = asked.emit_with_ack::<u8>("question", &Value::Binary(b"q".to_vec().into())).expect("emitted");
    for client in [&mut ann, &mut bob] {
        let question = r#"451-0["question",{"_placeholder":true,"num":0}]"#;
        assert_eq!(client.frame().await, text(question), "one id, so that it is encoded once");
        assert_eq!(client.frame().await, Frame::Binary(b"q".into()));
    }
    assert_eq!(heard(&mut other).await, []);
    other.send("430[9]").await;
    bob.send("430[2]").await;
    bob.send("430[3]").await;
    ann.send("430[1]").await;
    let mut answers = within(answers).await.expect("all answered");
    answers.sort_by_key(|(_id, answer)| *answer);
    let answers: Vec<_> = answers.iter().map(|(id, answer)| (id.as_str(), *answer)).collect();
    assert_eq!(answers, [(&*ann_id, 1), (&*bob_id, 2)]);
}

#[tokio::test]
async fn ak_09_some_are_missing() {
    let (server, io) = serve([namespace("/")]).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(socket::connect(server.endpoint, "/").await);
    }
    let soon = io.timeout(Duration::from_secs(3));
    let asking = tokio::spawn(soon.emit_with_ack::<u8>("question", &()).expect("emitted"));
    for (client, _id) in &mut clients {
        assert_eq!(client.frame().await, text(r#"420["question"]"#));
    }
    let [(answering, answering_id), (leaving, leaving_id), (odd, odd_id), (_gone, gone_id), (silent, silent_id)] =
        clients.as_mut_slice()
    else {
        panic!("five clients");
    };
    answering.send("430[7]").await;
    leaving.send("41").await;
    odd.send(r#"430["x"]"#).await;
    io.to(&*gone_id).sockets()[0].close();
    let incomplete = within(asking).await.expect("no panic").expect_err("not all answered");
    let answers: Vec<_> = incomplete.answers.iter().map(|(id, answer)| (id.as_str(), *answer)).collect();
    assert_eq!(answers, [(&**answering_id, 7)]);
    assert_eq!(incomplete.to_string(), "4 of 5 sockets gave no answer");
    let why = |id: &str| {
        let (_id, why) = incomplete.missing.iter().find(|(missing, _why)| missing.as_str() == id).expect("missing");
        why
    };
    assert!(matches!(why(leaving_id), AckError::Disconnected));
    assert!(matches!(why(gone_id), AckError::Disconnected));
    assert!(matches!(why(odd_id), AckError::Decode(_)));
    assert_eq!(why(silent_id).to_string(), "operation has timed out");

    silent.send("430[8]").await;
    assert_eq!(heard(silent).await, [], "too late");
}

#[tokio::test]
async fn ak_10_with_nobody_to_ask_there_is_nothing_to_wait_for() {
    let (server, io) = serve([namespace("/"), namespace("/other")]).await;
    let (mut client, id) = socket::connect(server.endpoint, "/").await;
    for nobody in [io.to("nobody"), io.of("/other").expect("served"), io.except(&id)] {
        let answers = nobody.emit_with_ack::<u8>("question", &()).expect("emitted");
        assert_eq!(answers.now_or_never().map(outcomes), Some((vec![], vec![])));
    }
    assert_eq!(heard(&mut client).await, []);
}

#[tokio::test]
async fn ak_06_09_with_no_time_at_all_everybody_is_missing() {
    let (server, io) = serve([namespace("/")]).await;
    let (mut ann, _id) = socket::connect(server.endpoint, "/").await;
    let (mut bob, _id) = socket::connect(server.endpoint, "/").await;
    let answers = io.timeout(Duration::ZERO).emit_with_ack::<u8>("question", &()).expect("emitted");
    assert_eq!(outcomes(within(answers).await), (vec![], vec!["operation has timed out".to_owned(); 2]));
    for client in [&mut ann, &mut bob] {
        assert_eq!(heard(client).await, [text(r#"420["question"]"#)]);
    }
}

fn limited(limits: Limits) -> Config {
    Config { limits, ..Config::default() }
}

/// As many may be due as the limit says, so one that is left behind would be found.
#[tokio::test]
async fn t17_ak_09_j20_nothing_is_left_behind_in_the_sockets() {
    let config = limited(Limits { max_pending_acks: 1, ..Limits::default() });
    let (server, io) = server::socketio(config, [namespace("/")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    let asked = io.of("/").expect("served").sockets().remove(0);
    for at in 0..300_u64 {
        let soon = io.timeout(Duration::ZERO);
        match at % 3 {
            0 => {
                let answers = soon.emit_with_ack::<u8>("question", &()).expect("emitted");
                assert_eq!(outcomes(within(answers).await).1, ["operation has timed out"]);
            }
            1 => drop(soon.emit_with_ack::<u8>("question", &()).expect("emitted")),
            _ => drop(asked.emit_with_ack::<u8>("question", &()).expect("emitted")),
        }
        assert_eq!(client.frame().await, text(format!(r#"42{at}["question"]"#)));
    }
    // Answers that come too late are no fault of the client's, however many they are.
    for at in 0..300_u64 {
        client.send(&format!("43{at}[]")).await;
    }
    assert_eq!(heard(&mut client).await, []);
    assert_eq!(asked.pending_acks(), 0);
    let stats = asked.stats();
    // Beside these events and answers there were CONNECTs, and whatever `heard` needs.
    assert!(stats.packets_sent > 300 && stats.packets_received > 300 && stats.bytes_received > 1000, "{stats:?}");
    assert_eq!((stats.transport, stats.outbox_packets), (Transport::WebSocket, 0));
}

#[tokio::test]
async fn j20_a_socket_owes_so_many_answers_and_no_more() {
    let config = limited(Limits { max_pending_acks: 2, ..Limits::default() });
    let (server, io) = server::socketio(config, [namespace("/")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    let asked = io.of("/").expect("served").sockets().remove(0);
    let first = asked.emit_with_ack::<u8>("question", &()).expect("emitted");
    let second = io.emit_with_ack::<u8>("question", &()).expect("emitted");
    assert!(matches!(asked.emit_with_ack::<u8>("question", &()), Err(EmitError::TooManyAcks)));
    assert_eq!(asked.pending_acks(), 2);
    let third = io.emit_with_ack::<u8>("question", &()).expect("emitted");
    assert_eq!(outcomes(within(third).await), (vec![], vec!["the socket owes too many answers already".into()]));
    assert_eq!(heard(&mut client).await, [r#"420["question"]"#, r#"421["question"]"#].map(text));

    client.send("431[5]").await;
    assert_eq!(outcomes(within(second).await), (vec![5], vec![]));
    let again = asked.emit_with_ack::<u8>("question", &()).expect("there is room again");
    assert_eq!(client.frame().await, text(r#"424["question"]"#));
    client.send("434[6]").await;
    client.send("430[4]").await;
    assert_eq!((within(again).await.ok(), within(first).await.ok()), (Some(6), Some(4)));
}

#[tokio::test]
async fn j12_answers_that_nobody_asked_for_are_ignored_until_they_are_too_many() {
    let config = limited(Limits { max_unknown_acks: 3, ..Limits::default() });
    let (server, io) = server::socketio(config, [namespace("/")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    let answer = io.of("/").expect("served").sockets()[0].emit_with_ack::<u8>("question", &()).expect("emitted");
    assert_eq!(client.frame().await, text(r#"420["question"]"#));
    for ack in ["430[1]", "430[2]", "437[]", "438[]"] {
        client.send(ack).await;
    }
    assert_eq!(heard(&mut client).await, []);
    assert_eq!(within(answer).await.ok(), Some(1));
    client.send("430[]").await;
    assert_eq!(client.frame().await, CLOSED);
}

/// As official clients bring them, whose callbacks outlive a connection.
#[tokio::test]
async fn j12_answers_to_questions_of_the_connection_before_are_ignored() {
    let (server, io) = serve([namespace("/")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    let asked = io.of("/").expect("served").sockets().remove(0);
    let answers: Vec<_> = (0..150).map(|_| asked.emit_with_ack::<u8>("question", &()).expect("emitted")).collect();
    assert_eq!(heard(&mut client).await.len(), 150);
    drop(client);
    for answer in answers {
        assert!(matches!(within(answer).await, Err(AckError::Disconnected)));
    }
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    for id in 0..150 {
        client.send(&format!("43{id}[1]")).await;
    }
    assert_eq!(heard(&mut client).await, []);
}

/// Volatile or not: who is asked has got the question.
#[tokio::test]
async fn ev_10_ak_09_who_was_not_ready_is_not_asked() {
    let (server, io) = serve([namespace("/")]).await;
    let (mut websocket, id) = socket::connect(server.endpoint, "/").await;
    let mut polling = Polling::open(server.endpoint).await;
    polling.post("40").await;
    polling.get().await;
    let answers = io.volatile().emit_with_ack::<u8>("question", &()).expect("emitted");
    assert_eq!(websocket.frame().await, text(r#"420["question"]"#));
    websocket.send("430[1]").await;
    assert_eq!(outcomes(within(answers).await), (vec![1], vec![]));

    let other = io.except(&id).sockets().remove(0);
    let answer = other.volatile().emit_with_ack::<u8>("question", &());
    assert!(matches!(answer, Err(EmitError::NotReady)));
    polling.send_get().await;
    server.waiting(1).await;
    let answer = other.volatile().emit_with_ack::<u8>("question", &()).expect("emitted");
    assert_eq!(polling.gets.answer().await.body, r#"422["question"]"#);
    polling.post("432[2]").await;
    assert_eq!(within(answer).await.ok(), Some(2));
}
