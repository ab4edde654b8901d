//! Servers of a cluster that go, say nothing, or say what they should not; and messages of nobody.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Wake, Waker},
    thread,
    time::Duration,
};

use bytes::Bytes;
use serde_json::json;
use socketio::{
    AckError, Args, ClusterError, ClusterOptions, ClusterTimes, Config, Data, Incomplete, Limits, Namespace, Reply,
    ReplyError, ServerId, Socket, SocketIo, Value,
};
use tests::{
    frames::text,
    server::{self, Server},
    socket, within,
};

use crate::{
    Told,
    cluster::{Cluster, soon},
    heard, namespace,
};

/// The name of a server that there is not.
const ANOTHER: &str = "another-server-00000";

/// A message of a server of this name.
fn message(from: &str, body: serde_json::Value, parts: &[&[u8]]) -> Bytes {
    let envelope = json!({ "version": 1, "from": from, "body": body }).to_string();
    framed(std::iter::once(envelope.as_bytes()).chain(parts.iter().copied()))
}

fn framed<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Bytes {
    let length = |part: &[u8]| u32::try_from(part.len()).expect("short").to_be_bytes();
    parts.into_iter().flat_map(|part| [&length(part)[..], part].concat()).collect()
}

/// Everybody in `/`.
fn everybody() -> serde_json::Value {
    json!({ "namespace": "/", "rooms": [], "except": [] })
}

/// A server that is alone in its cluster, and what it says there but for its greeting.
async fn alone() -> (Server, SocketIo, Told<Bytes>) {
    let (server, io) = server::socketio(Config::default(), [namespace("/")]).await;
    let (sender, mut said) = Told::new();
    let publish = move |message: Bytes| {
        let _over = sender.send(message);
    };
    io.join_cluster(publish, ClusterOptions::default().times(soon()));
    said.next().await;
    (server, io, said)
}

/// T32, Q1, Q2: nothing that comes by the carrier does harm.
#[tokio::test]
async fn t32_q1_q2_messages_of_others_are_left() {
    let (server, io, mut said) = alone().await;
    io.greet_cluster();
    let hello = said.next().await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    io.of("/").expect("served").emit("news", &Value::Binary(vec![1, 2].into())).expect("emitted");
    let news = said.next().await;
    assert_eq!(heard(&mut client).await.len(), 2);
    for own in [&hello, &news] {
        assert_eq!(io.receive(own.clone()), Ok(()), "its own, come back");
    }
    let from_another = |body: serde_json::Value| message(ANOTHER, body, &[]);
    for length in 0..news.len() {
        let cut = news.slice(..length);
        let has_whole_parts = io.receive(cut.clone()).is_ok();
        assert!(!has_whole_parts || length > hello.len(), "{cut:?}");
    }
    for malformed in [
        framed([&b"null"[..]]),
        framed([&br#"{"version":1}"#[..]]),
        from_another(json!("what")),
        from_another(json!({ "emit": [everybody(), {}] })),
        from_another(json!({ "emit": [{ "namespace": "/" }, {}] })),
        from_another(json!({ "join": [everybody()] })),
        message("no server has this name", json!("hello"), &[]),
        message(
            ANOTHER,
            json!({ "emit": [everybody(), {}] }),
            &[br#"["e",{"_placeholder":true,"num":1}]"#, b"x", b"y"],
        ),
        message(ANOTHER, json!({ "emit": [everybody(), {}] }), &[br#"["e"]"#, b"too many"]),
        message(ANOTHER, json!({ "emit": [everybody(), {}] }), &[b"[]"]),
        message(ANOTHER, json!({ "ask": [1, everybody(), {}, null] }), &[b"{}"]),
        message(ANOTHER, json!({ "call": null }), &[b"\xff"]),
        Bytes::from_static(b"\xff\xff\xff\xff"),
        Bytes::from_static(b"{\"a\":1}"),
    ] {
        assert_eq!(io.receive(malformed.clone()), Err(ClusterError::Malformed), "{malformed:?}");
    }
    let newer = json!({ "version": 2, "from": ANOTHER, "body": "unheard of" }).to_string();
    assert_eq!(io.receive(framed([newer.as_bytes()])), Err(ClusterError::Version));
    // Answers to questions that nobody asked, or not of it.
    for answer in [json!("failed"), json!({ "sockets": [] }), json!({ "acks": [[["x", 5]], []] })] {
        assert_eq!(io.receive(from_another(json!({ "answer": [0, answer] }))), Ok(()));
        assert_eq!(io.receive(from_another(json!({ "part": [0, answer] }))), Ok(()));
    }
    let elsewhere = json!({ "namespace": "/nowhere", "rooms": ["a"], "except": [] });
    assert_eq!(io.receive(from_another(json!({ "disconnect": [elsewhere, true] }))), Ok(()));
    assert_eq!(heard(&mut client).await, []);
    let (mut left, mut state) = (0, 0x9e37_79b9_7f4a_7c15_u64);
    for at in 0..20_000_usize {
        // One bit of a good message is another one.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let mut bytes = news.to_vec();
        let bit = usize::try_from(state >> 33).expect("31 bits") % (bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes.truncate(if at % 2 == 0 { bytes.len() } else { bit / 8 + 1 });
        left += usize::from(io.receive(bytes.into()).is_err());
    }
    assert!(left > 10_000, "{left} of 20,000 were left");
    client.send(r#"421["ack",1]"#).await;
    while client.frame().await != text("431[1]") {}
}

#[tokio::test]
async fn nobody_joins_a_room_named_like_a_socket_of_another_server() {
    let enter = || {
        let enter = async |socket: Socket, Data(room): Data<String>| {
            socket.join(room.clone()).or_else(|_| socket.force_join("forced")).map(|()| Reply(socket.rooms().len()))
        };
        vec![namespace("/").on("enter", enter)]
    };
    let cluster = Cluster::of(enter).await;
    let (mut clients, ids) = cluster.clients().await;
    let ([eve, victim, _], id) = (&mut clients, &ids[1]);
    for (room, rooms) in [(id.as_str(), r#"431[1]"#), ("a-room-of-20-letters", "431[2]"), (&ids[2], "431[2]")] {
        eve.send(&format!(r#"421["enter","{room}"]"#)).await;
        assert_eq!(eve.frame().await, text(rooms), "{room}");
    }
    cluster.all(2).to(id).emit("secret", &1).expect("emitted");
    assert_eq!(victim.frame().await, text(r#"42["secret",1]"#));
    assert_eq!(heard(eve).await, []);
    // Also not while its server says nothing, or once it has gone.
    within(cluster.io(1).close()).await;
    eve.send(&format!(r#"421["enter","{id}"]"#)).await;
    assert_eq!(eve.frame().await, text("431[2]"));
}

#[tokio::test]
async fn clients_owe_no_answers_that_nobody_waits_for() {
    let config = Config { limits: Limits { max_pending_acks: 2, ..Limits::default() }, ..Config::default() };
    let cluster = Cluster::with(config, || vec![namespace("/")], |_| ClusterOptions::default().times(soon())).await;
    let (_clients, _ids) = cluster.clients().await;
    let ask = |at: usize| cluster.all(at).emit_with_ack::<Args>("question", &()).expect("asked");
    let owed = |at: usize| cluster.all(at).sockets().iter().map(Socket::pending_acks).sum::<usize>();
    let asked = [ask(0), ask(0)];
    assert_eq!([owed(0), owed(1), owed(2)], [2, 2, 2]);
    drop(asked);
    let nobody_owes = async || {
        while (0..3).any(|at| owed(at) > 0) {
            tokio::task::yield_now().await
        }
    };
    within(nobody_owes()).await;
    // Nor is one waited for whose server has gone, or does not wait for ever.
    let asked = ask(1);
    within(cluster.io(1).close()).await;
    within(async {
        while owed(0) + owed(2) > 0 {
            tokio::task::yield_now().await
        }
    })
    .await;
    drop(asked);
    let late = cluster.all(0).timeout(Duration::from_millis(20)).emit_with_ack::<Args>("question", &()).expect("asked");
    let Err(Incomplete { missing, .. }) = within(late).await else { panic!("nobody answers") };
    assert!(missing.iter().all(|(_, why)| matches!(why, AckError::Timeout)), "{missing:?}");
    within(nobody_owes()).await;
}

#[tokio::test]
async fn a_server_that_has_closed_waits_for_nobody() {
    let cluster = Cluster::of(|| vec![namespace("/")]).await;
    let (_clients, _ids) = cluster.clients().await;
    let asked = cluster.all(0).emit_with_ack::<Args>("question", &()).expect("asked");
    within(cluster.io(0).close()).await;
    let Err(Incomplete { servers, .. }) = within(asked).await else { panic!("its own client has gone, too") };
    assert_eq!(servers.len(), 2);
    assert_eq!(within(cluster.all(0).fetch_sockets()).await.expect("nobody is asked").len(), 0);
    let asked = cluster.all(0).emit_with_ack::<Args>("question", &()).expect("asked");
    assert_eq!(within(asked).await.expect("nobody is asked").len(), 0);
}

#[tokio::test]
async fn a_server_that_closes_brings_what_its_clients_answered() {
    let cluster = Cluster::of(|| vec![namespace("/")]).await;
    let ((mut ann, _), (mut bob, _)) = (cluster.connect(1).await, cluster.connect(1).await);
    let asked = cluster.all(0).timeout(Duration::from_secs(20)).emit_with_ack::<u32>("n?", &()).expect("asked");
    assert_eq!([ann.frame().await, bob.frame().await], [text(r#"420["n?"]"#), text(r#"420["n?"]"#)]);
    ann.send("430[7]").await;
    assert_eq!(heard(&mut ann).await, []);
    let (answers, ()) = tokio::join!(within(asked), within(cluster.io(1).close()));
    let Err(Incomplete { answers, missing, servers }) = answers else { panic!("one has not answered") };
    assert_eq!((answers.len(), answers[0].1, servers), (1, 7, vec![]));
    assert!(matches!(missing[..], [(_, AckError::Disconnected)]), "{missing:?}");
}

#[tokio::test]
async fn a_server_whose_greeting_was_lost_is_heard_all_the_same() {
    let lossy = |to: &SocketIo| {
        let to = to.clone();
        move |message: Bytes| {
            if !message.windows(7).any(|found| found == b"\"hello\"") {
                to.receive(message).expect("a message of a server");
            }
        }
    };
    let (_server, here) = server::socketio(Config::default(), [namespace("/")]).await;
    let (server, there) = server::socketio(Config::default(), [namespace("/")]).await;
    here.join_cluster(lossy(&there), ClusterOptions::default());
    there.join_cluster(lossy(&here), ClusterOptions::default());
    assert_eq!(here.other_servers(), []);
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    let ask = || here.timeout(Duration::from_secs(5)).emit_with_ack::<u32>("n?", &()).expect("asked");
    let asked = ask();
    assert_eq!(client.frame().await, text(r#"420["n?"]"#));
    assert_eq!(within(asked).await.expect("nobody is known").len(), 0);
    assert_eq!(there.other_servers(), [here.server_id().clone()]);
    there.greet_cluster();
    client.send("430[7]").await;
    within(async {
        while here.other_servers().is_empty() {
            tokio::task::yield_now().await
        }
    })
    .await;
    let asked = ask();
    assert_eq!(client.frame().await, text(r#"421["n?"]"#));
    client.send("431[8]").await;
    assert_eq!(within(asked).await.expect("it answers").len(), 1);
}

/// A task that goes with whoever could wake it last, as its executor has.
struct Orphan(Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>);

impl Wake for Orphan {
    fn wake(self: Arc<Self>) {}
}

#[tokio::test]
async fn a_task_that_ends_when_it_is_woken_ends_nothing_else() {
    let (_server, io, _said) = alone().await;
    io.receive(message(ANOTHER, json!({ "here": 0 }), &[])).expect("a message of a server");
    let asked = io.server_side_emit_with_ack::<Args>("n?", &()).expect("asked");
    let waits = Box::pin(async { drop(asked.await) });
    let orphan = Arc::new(Orphan(Mutex::new(Some(waits))));
    let waker = Waker::from(orphan.clone());
    let mut task = orphan.0.lock().expect("not poisoned");
    assert!(task.as_mut().expect("it is there").as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(task);
    drop((waker, orphan));
    let (done, is_done) = mpsc::channel();
    let answer = message(ANOTHER, json!({ "answer": [0, "failed"] }), &[]);
    thread::spawn(move || done.send(io.receive(answer)));
    assert_eq!(is_done.recv_timeout(Duration::from_secs(10)), Ok(Ok(())));
}

#[test]
fn what_comes_before_a_server_joins_does_nothing() {
    let io = SocketIo::new(Config::default(), [Namespace::new("/")]);
    let ask = message(ANOTHER, json!({ "ask": [1, everybody(), {}, null] }), &[br#"["n?"]"#]);
    assert_eq!(io.receive(ask), Ok(()));
    assert_eq!(io.other_servers(), []);
}

#[test]
fn a_server_joins_in_a_runtime_or_not_at_all() {
    let io = SocketIo::new(Config::default(), [Namespace::new("/")]);
    let (sender, said) = mpsc::channel();
    let outside = io.clone();
    let joining =
        move || outside.join_cluster(move |message: Bytes| drop(sender.send(message)), ClusterOptions::default());
    assert!(thread::spawn(joining).join().is_err());
    io.of("/").expect("served").emit("news", &()).expect("emitted");
    assert!(said.try_recv().is_err());
    assert!(io.of("nowhere").is_none());
}

#[tokio::test]
async fn a_server_that_has_closed_lets_go_of_its_carrier() {
    let token = Arc::new(());
    let io = SocketIo::new(Config::default(), [Namespace::new("/").state(token.clone())]);
    let (held, kept) = (io.clone(), token.clone());
    let carrier = move |_: Bytes| {
        let _holds = (&held, &kept);
    };
    io.join_cluster(carrier, ClusterOptions::default());
    io.close().await;
    drop(io);
    within(async {
        while Arc::strong_count(&token) > 1 {
            tokio::task::yield_now().await
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_dropped_says_goodbye() {
    let (server, io, mut said) = alone().await;
    within(server.stop()).await;
    drop(io);
    let last = said.next().await;
    assert!(last.ends_with(br#""body":"bye"}"#), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_gone() {
    let (_server, io, _said) = alone().await;
    io.receive(message(ANOTHER, json!({ "here": 0 }), &[])).expect("a message of a server");
    let asked = io.emit_with_ack::<Args>("n?", &()).expect("asked");
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(io.other_servers().len(), 1);
    let Err(Incomplete { servers, .. }) = asked.await else { panic!("it says nothing") };
    assert!(matches!(&servers[..], [(server, ReplyError::Gone)] if server.as_str() == ANOTHER), "{servers:?}");
    assert_eq!(io.other_servers(), []);
    io.receive(message(ANOTHER, json!({ "here": 0 }), &[])).expect("a message of a server");
    assert_eq!(io.other_servers().len(), 1, "it was cut off");
}

#[tokio::test(start_paused = true)]
async fn times_that_fit_not_together_are_mended() {
    let (interval, timeout) = (Duration::from_secs(20), Duration::from_secs(10));
    let times = ClusterTimes { heartbeat_interval: interval, heartbeat_timeout: timeout, ..ClusterTimes::default() };
    let cluster =
        Cluster::with(Config::default(), || vec![namespace("/")], |_| ClusterOptions::default().times(times)).await;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(7)).await;
        assert_eq!(cluster.io(0).other_servers().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_carrier_that_panics_ends_no_heartbeat() {
    let io = SocketIo::new(Config::default(), [Namespace::new("/")]);
    let said = Arc::new(AtomicUsize::new(0));
    let count = said.clone();
    let carrier = move |_: Bytes| assert!(count.fetch_add(1, Ordering::Relaxed) != 2, "the second heartbeat");
    io.join_cluster(carrier, ClusterOptions::default());
    tokio::time::sleep(Duration::from_secs(26)).await;
    assert_eq!(said.load(Ordering::Relaxed), 6);
}

#[tokio::test]
async fn answers_that_are_too_many_for_one_message_come_in_parts() {
    let (first, second) = (
        server::socketio(Config::default(), [namespace("/")]).await,
        server::socketio(Config::default(), [namespace("/")]).await,
    );
    let ((_server, here), (server, there)) = (first, second);
    let (parts, loses) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(usize::MAX)));
    let carrier = |to: &SocketIo| {
        let (to, parts, loses) = (to.clone(), parts.clone(), loses.clone());
        move |message: Bytes| {
            let is_part = message.windows(8).take(120).any(|found| found == b"{\"part\":");
            let at = if is_part { parts.fetch_add(1, Ordering::Relaxed) } else { usize::MAX - 1 };
            if at != loses.load(Ordering::Relaxed) {
                to.receive(message).expect("a message of a server");
            }
        }
    };
    here.join_cluster(carrier(&there), ClusterOptions::default().times(soon()));
    there.join_cluster(carrier(&here), ClusterOptions::default().times(soon()));
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(socket::connect(server.endpoint, "/").await.0);
    }
    for (is_torn, heard) in [(false, 4), (true, 3)] {
        if is_torn {
            loses.store(parts.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
        let asked = here.timeout(Duration::from_secs(5)).emit_with_ack::<String>("much?", &()).expect("asked");
        for client in &mut clients {
            let question = client.text().await;
            let id =
                question.strip_prefix("42").and_then(|rest| rest.strip_suffix(r#"["much?"]"#)).expect("a question");
            client.send(&format!(r#"43{id}["{}"]"#, "x".repeat(200_000))).await;
        }
        match within(asked).await {
            Ok(answers) => assert_eq!((answers.len(), is_torn), (heard, false)),
            Err(Incomplete { answers, missing, servers }) => {
                assert_eq!((answers.len(), missing.len()), (heard, 0));
                assert_eq!(servers, [(there.server_id().clone(), ReplyError::Torn)]);
            }
        }
    }
    assert_eq!(parts.load(Ordering::Relaxed), 8, "each answer a message");
}

/// Makes two servers one cluster, by carriers that bring messages of up to 256 KiB only.
fn join_narrowly(servers: &[SocketIo; 2], options: impl Fn() -> ClusterOptions) {
    for (at, io) in servers.iter().enumerate() {
        let to = servers[1 - at].clone();
        let carrier = move |message: Bytes| {
            if message.len() <= 256 << 10 {
                to.receive(message).expect("a message of a server");
            }
        };
        io.join_cluster(carrier, options());
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_missed_at_once() {
    let identify = async |socket: Socket, Data(info): Data<String>| {
        socket.identify("ann", info);
        Reply(())
    };
    let (_server, here) = server::socketio(Config::default(), [Namespace::new("/")]).await;
    let (server, there) = server::socketio(Config::default(), [namespace("/").on("identify", identify)]).await;
    let large = "x".repeat(300_000);
    join_narrowly(&[here.clone(), there.clone()], || {
        let reply = large.clone();
        ClusterOptions::default().on("much?", move |_: ServerId, _: Args| {
            let reply = reply.clone();
            async move { Reply(reply) }
        })
    });
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    let torn = [(there.server_id().clone(), ReplyError::Torn)];

    let asked = here.timeout(Duration::from_secs(60)).emit_with_ack::<String>("much?", &()).expect("asked");
    assert!(client.text().await.ends_with(r#"["much?"]"#));
    client.send(&format!(r#"430["{large}"]"#)).await;
    let Incomplete { answers, missing, servers } = within(asked).await.expect_err("a message was lost");
    assert_eq!((answers.len(), missing.len(), &*servers), (0, 0, &torn[..]));

    let asked = here.server_side_emit_with_ack::<String>("much?", &()).expect("asked");
    let partial = within(asked).await.expect_err("a message was lost");
    assert_eq!((partial.heard, &*partial.missing), (vec![], &torn[..]));

    client.send(&format!(r#"421["identify","{large}"]"#)).await;
    assert_eq!(client.text().await, "431[]");
    let partial = within(here.of("/").expect("served").fetch_sockets()).await.expect_err("a message was lost");
    assert_eq!((partial.heard.len(), &*partial.missing), (0, &torn[..]));
}
