//! Servers of a cluster: what one does reaches the clients of all, each once.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use serde_json::json;
use socketio::{
    AckError, Args, Broadcast, ClusterOptions, ClusterTimes, Config, Data, Incomplete, Namespace, Parser, Partial,
    Reply, ReplyError, RoomHistory, ServerId, Socket, SocketIo, Value,
};
use tests::{
    Row,
    frames::{CLOSED, Frame, WebSocket, text},
    server::{self, Server},
    socket, within,
};

use crate::{Choice, Told, heard, hearers, join_room, namespace};

/// What carries messages here: at once, and to all, the one that published included.
#[derive(Clone, Default)]
pub(crate) struct Bus(Arc<Mutex<Vec<SocketIo>>>);

impl Bus {
    fn servers(&self) -> Vec<SocketIo> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn join(&self, io: &SocketIo, options: ClusterOptions) {
        self.0.lock().expect("not poisoned").push(io.clone());
        let bus = self.clone();
        let publish = move |message: Bytes| {
            for io in bus.servers() {
                io.receive(message.clone()).expect("a message of a server");
            }
        };
        io.join_cluster(publish, options);
    }

    /// What comes is lost from now on, and so is what this one says.
    pub(crate) fn cut(&self, io: &SocketIo) {
        let mut servers = self.0.lock().expect("not poisoned");
        servers.retain(|other| other.server_id() != io.server_id());
    }
}

/// Servers that know each other.
pub(crate) struct Cluster {
    pub(crate) bus: Bus,
    pub(crate) servers: Vec<(Server, SocketIo)>,
}

impl Cluster {
    /// Three of them.
    pub(crate) async fn of(namespaces: impl Fn() -> Vec<Namespace>) -> Self {
        Self::with(Config::default(), namespaces, |_| ClusterOptions::default()).await
    }

    pub(crate) async fn with(
        config: Config,
        namespaces: impl Fn() -> Vec<Namespace>,
        options: impl Fn(usize) -> ClusterOptions,
    ) -> Self {
        let (bus, mut servers) = (Bus::default(), Vec::new());
        for at in 0..3 {
            let (server, io) = server::socketio(config.clone(), namespaces()).await;
            bus.join(&io, options(at));
            servers.push((server, io));
        }
        Self { bus, servers }
    }

    pub(crate) fn io(&self, at: usize) -> &SocketIo {
        &self.servers[at].1
    }

    /// Everybody in `/`, as one of the servers means it.
    pub(crate) fn all(&self, at: usize) -> Broadcast {
        self.io(at).of("/").expect("served")
    }

    pub(crate) async fn connect(&self, at: usize) -> (WebSocket, String) {
        socket::connect(self.servers[at].0.endpoint, "/").await
    }

    /// One client of each server.
    pub(crate) async fn clients(&self) -> ([WebSocket; 3], [String; 3]) {
        let [(a, of_a), (b, of_b), (c, of_c)] = [self.connect(0).await, self.connect(1).await, self.connect(2).await];
        ([a, b, c], [of_a, of_b, of_c])
    }
}

/// Nobody is waited for longer than a test would take.
pub(crate) fn soon() -> ClusterTimes {
    ClusterTimes { request_timeout: Duration::from_millis(100), ..ClusterTimes::default() }
}

#[tokio::test]
async fn rm_01_to_07_emits_reach_the_clients_of_all_servers_once() {
    let cluster = Cluster::of(|| vec![namespace("/")]).await;
    let (mut clients, mut ids) = (Vec::new(), Vec::new());
    for (at, rooms) in [(0, &["a"][..]), (1, &["b"]), (2, &["a", "b"]), (0, &["a", "b", "c"]), (1, &[])] {
        let (mut client, id) = cluster.connect(at).await;
        for room in rooms {
            join_room(&mut client, room).await;
        }
        clients.push(client);
        ids.push(id);
    }
    let rows: [(&str, Choice, &[usize]); 10] = [
        ("RM-01: everybody", |all, _| all, &[0, 1, 2, 3, 4]),
        ("RM-03: a room", |all, _| all.to("a"), &[0, 2, 3]),
        ("RM-04: two rooms", |all, _| all.to("a").to("b"), &[0, 1, 2, 3]),
        ("a room that nobody is in", |all, _| all.to("nobody"), &[]),
        ("RM-05: all but a room", |all, _| all.except("a"), &[1, 4]),
        ("RM-05: a room but not another", |all, _| all.to("a").except("c"), &[0, 2]),
        ("RM-07: a socket of the second server", |all, ids| all.to(&ids[4]), &[4]),
        ("RM-07: sockets of two servers", |all, ids| all.to(&ids[0]).to(&ids[4]), &[0, 4]),
        ("RM-05: all but a socket", |all, ids| all.except(&ids[2]), &[0, 1, 3, 4]),
        ("all but a socket, in the words of a family", |all, ids| all.to("a").except(&ids[0]).except("c"), &[2]),
    ];
    for (label, choice, expected) in rows {
        let _row = Row(label);
        for at in 0..3 {
            let here = choice(cluster.all(at), &ids).emit("news", &1).expect("emitted");
            assert_eq!(hearers(&mut clients, r#"42["news",1]"#).await, expected);
            let local = expected.iter().filter(|client| *client % 3 == at).count();
            assert_eq!(here, local, "of server {at}");
        }
    }
    for (at, of_it) in [(0, &[0, 3][..]), (1, &[1, 4]), (2, &[2])] {
        let sent = cluster.all(at).local().emit("news", &1).expect("emitted");
        assert_eq!((sent, &*hearers(&mut clients, r#"42["news",1]"#).await), (of_it.len(), of_it), "local");
        let of_others: Vec<_> = (0..5).filter(|client| !of_it.contains(client)).collect();
        let elsewhere = cluster.all(at).elsewhere();
        assert_eq!((elsewhere.emit("news", &1).expect("emitted"), elsewhere.ids().len()), (0, 0));
        assert_eq!(hearers(&mut clients, r#"42["news",1]"#).await, of_others, "elsewhere");
    }
}

#[tokio::test]
async fn rm_02_a_client_s_event_reaches_those_of_other_servers() {
    let say = |name| {
        namespace(name).on("say", async |socket: Socket, args: Args| socket.broadcast().emit("said", &args).map(drop))
    };
    let cluster = Cluster::of(|| vec![say("/")]).await;
    let (mut clients, _ids) = cluster.clients().await;
    clients[1].send(r#"42["say","hi",2]"#).await;
    assert_eq!(heard(&mut clients[1]).await, []);
    assert_eq!(hearers(&mut clients, r#"42["said","hi",2]"#).await, [0, 2]);
}

#[tokio::test]
async fn events_come_as_they_were_emitted() {
    let cluster = Cluster::of(|| vec![namespace("/")]).await;
    let (mut clients, _ids) = cluster.clients().await;
    let (data, other) = (Value::Binary(vec![1, 2, 3].into()), Value::Binary(Bytes::new()));
    cluster.all(0).emit("files", &("é\u{1f600}\"", data, json!({ "deep": [null, 1.5] }), other)).expect("emitted");
    for client in &mut clients {
        let list =
            r#"["files","é😀\"",{"_placeholder":true,"num":0},{"deep":[null,1.5]},{"_placeholder":true,"num":1}]"#;
        assert_eq!(client.frame().await, text(format!("452-{list}")));
        assert_eq!(client.frame().await, Frame::Binary(vec![1, 2, 3]));
        assert_eq!(client.frame().await, Frame::Binary(Vec::new()));
    }
    let event = cluster.all(1).encode("once", &"\\").expect("encoded");
    cluster.all(1).emit_encoded(&event).expect("emitted");
    // What no client could send is no matter between servers, nor is a number changed on its way.
    let deep =
        serde_json::value::RawValue::from_string(format!("{}{}", "[".repeat(127), "]".repeat(127))).expect("JSON");
    let many: Vec<u32> = (0..3000).collect();
    cluster.all(2).emit("much", &(&deep, &many)).expect("emitted");
    let exact =
        serde_json::value::RawValue::from_string("[12345678901234567890123,1.10,1e400]".to_owned()).expect("JSON");
    cluster.all(2).emit("exact", &(&exact, Value::Binary(vec![1].into()))).expect("emitted");
    for client in &mut clients {
        assert_eq!(client.frame().await, text(r#"42["once","\\"]"#));
        let Frame::Text(much) = client.frame().await else { panic!("text") };
        assert!(much == format!(r#"42["much",{},{}]"#, deep.get(), json!(many)));
        let exact = format!(r#"451-["exact",{},{{"_placeholder":true,"num":0}}]"#, exact.get());
        assert_eq!(client.frame().await, text(exact));
        assert_eq!(client.frame().await, Frame::Binary(vec![1]));
    }
    cluster.all(2).volatile().compress(false).emit("now", &()).expect("emitted");
    assert_eq!(hearers(&mut clients, r#"42["now"]"#).await, [0, 1, 2]);
}

#[tokio::test]
async fn servers_may_have_parsers_of_their_own() {
    let config = Config { parser: Parser::Msgpack, ..Config::default() };
    let cluster = Cluster::with(config, || vec![Namespace::new("/")], |_| ClusterOptions::default()).await;
    let (server, io) = server::socketio(Config::default(), [namespace("/")]).await;
    cluster.bus.join(&io, ClusterOptions::default());
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    cluster.all(0).emit("news", &(1, Value::Binary(vec![7].into()))).expect("emitted");
    assert_eq!(client.frame().await, text(r#"451-["news",1,{"_placeholder":true,"num":0}]"#));
    assert_eq!(client.frame().await, Frame::Binary(vec![7]));
}

#[tokio::test]
async fn ut_02_03_04_sockets_of_other_servers_join_leave_and_are_disconnected() {
    let cluster = Cluster::of(|| vec![namespace("/")]).await;
    let (mut clients, ids) = cluster.clients().await;
    assert_eq!(cluster.all(0).except(&ids[2]).sockets_join("a"), 1, "of the first server");
    cluster.all(1).to("a").emit("news", &()).expect("emitted");
    assert_eq!(hearers(&mut clients, r#"42["news"]"#).await, [0, 1]);
    cluster.all(2).to(&ids[0]).sockets_leave("a");
    cluster.all(1).to("a").emit("news", &()).expect("emitted");
    assert_eq!(hearers(&mut clients, r#"42["news"]"#).await, [1]);
    cluster.all(1).local().sockets_join("b");
    cluster.all(2).to("b").emit("news", &()).expect("emitted");
    assert_eq!(hearers(&mut clients, r#"42["news"]"#).await, [1]);
    cluster.all(2).to("a").disconnect_sockets(false);
    assert_eq!(clients[1].frame().await, text("41"));
    cluster.all(1).to(&ids[0]).disconnect_sockets(true);
    assert_eq!(clients[0].frame().await, text("41"));
    assert_eq!(clients[0].frame().await, CLOSED);
    assert_eq!(cluster.all(2).fetch_sockets().await.expect("all answer").len(), 1);
}

#[tokio::test]
async fn ut_01_sockets_of_all_servers_are_fetched() {
    let cluster = Cluster::of(|| {
        let identify = async |socket: Socket, Data(name): Data<String>| {
            socket.identify(name, json!({ "color": "red" }));
            Reply(())
        };
        vec![namespace("/").on("identify", identify)]
    })
    .await;
    let (mut clients, ids) = cluster.clients().await;
    join_room(&mut clients[2], "a").await;
    clients[2].send(r#"421["identify","ann"]"#).await;
    assert_eq!(clients[2].frame().await, text("431[]"));
    for at in 0..3 {
        let mut fetched = cluster.all(at).fetch_sockets().await.expect("all answer");
        fetched.sort_by_key(|socket| ids.iter().position(|id| id == socket.id().as_str()));
        let server = |at: usize| cluster.io(at).server_id();
        assert_eq!(fetched.iter().map(|socket| socket.server()).collect::<Vec<_>>(), [server(0), server(1), server(2)]);
        let ann = &fetched[2];
        assert_eq!((ann.id().as_str(), ann.rooms()), (&*ids[2], &["a".into()][..]));
        assert_eq!((ann.user(), ann.info()), (Some("ann"), &json!({ "color": "red" })));
        assert_eq!(ann.address().map(|address| address.to_string()).as_deref(), Some("127.0.0.1"));
        assert_eq!((ann.query(), ann.header("cookie")), ("EIO=4&transport=websocket", None));
        assert_eq!((fetched[0].user(), fetched[0].rooms()), (None, &[][..]));
        let server = cluster.io(at).server_of(&ids[2]);
        assert_eq!(server, Some(cluster.io(2).server_id().clone()));
        ann.operator().emit("you", &at).expect("emitted");
        assert_eq!(clients[2].frame().await, text(format!(r#"42["you",{at}]"#)));
        let in_room = cluster.all(at).to("a").fetch_sockets().await.expect("all answer");
        assert_eq!(in_room.len(), 1);
        assert_eq!(cluster.all(at).local().fetch_sockets().await.expect("it answers").len(), 1);
    }
}

#[tokio::test]
async fn ut_01_a_server_that_does_not_answer_is_named() {
    let options = |_| ClusterOptions::default().times(soon());
    let cluster = Cluster::with(Config::default(), || vec![namespace("/")], options).await;
    let (_clients, _ids) = cluster.clients().await;
    cluster.bus.cut(cluster.io(1));
    let Err(Partial { heard, missing }) = within(cluster.all(0).fetch_sockets()).await else { panic!("it is away") };
    assert_eq!((heard.len(), missing), (2, vec![(cluster.io(1).server_id().clone(), ReplyError::Timeout)]));
}

#[tokio::test]
async fn ak_clients_of_all_servers_are_asked() {
    let cluster = Cluster::of(|| vec![namespace("/")]).await;
    let (mut clients, ids) = cluster.clients().await;
    let players = cluster.all(0).timeout(Duration::from_secs(5));
    let answers = players.emit_with_ack::<Args>("ready?", &"x").expect("asked");
    for (at, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.frame().await, text(r#"420["ready?","x"]"#));
        if at == 2 {
            client.send(r#"461-0["yes",{"_placeholder":true,"num":0}]"#).await;
            client.send_binary(&[9]).await;
        } else {
            client.send(&format!(r#"430["no",{at}]"#)).await;
        }
    }
    let mut answers = within(answers).await.expect("all answer");
    answers.sort_by_key(|(id, _)| ids.iter().position(|other| other == id.as_str()));
    let read: Vec<(String, Value)> = answers.iter().map(|(_, args)| args.read().expect("two")).collect();
    assert_eq!(read[0], ("no".into(), Value::Number(0.into())));
    assert_eq!(read[1], ("no".into(), Value::Number(1.into())));
    assert_eq!(read[2], ("yes".into(), Value::Binary(Bytes::from_static(&[9]))));

    // Who is silent, or leaves.
    let answers = cluster.all(1).timeout(Duration::from_millis(50)).emit_with_ack::<u32>("more?", &()).expect("asked");
    for client in &mut clients {
        let Frame::Text(_question) = client.frame().await else { panic!("text") };
    }
    let Err(Incomplete { answers: none, mut missing, servers }) = within(answers).await else { panic!("too late") };
    missing.sort_by_key(|(id, _)| ids.iter().position(|other| other == id.as_str()));
    assert!(missing.iter().all(|(_, why)| matches!(why, AckError::Timeout)), "{missing:?}");
    assert_eq!((none.len(), missing.len(), servers.len()), (0, 3, 0));
}

#[tokio::test]
async fn ak_a_server_that_does_not_say_whom_it_asked_is_named() {
    let options = |_| ClusterOptions::default().times(soon());
    let cluster = Cluster::with(Config::default(), || vec![namespace("/")], options).await;
    let (mut clients, _ids) = cluster.clients().await;
    cluster.bus.cut(cluster.io(2));
    let answers = cluster.all(0).timeout(Duration::from_secs(1)).emit_with_ack::<u32>("n?", &()).expect("asked");
    for client in &mut clients[..2] {
        assert_eq!(client.frame().await, text(r#"420["n?"]"#));
        client.send("430[5]").await;
    }
    let Err(incomplete) = within(answers).await else { panic!("one is away") };
    assert_eq!(incomplete.to_string(), "0 of 2 sockets gave no answer; servers that did not say whom they asked: 1");
    let mut answers: Vec<_> = incomplete.answers.iter().map(|(_, answer)| *answer).collect();
    answers.sort_unstable();
    assert_eq!(
        (answers, incomplete.servers),
        (vec![5, 5], vec![(cluster.io(2).server_id().clone(), ReplyError::Timeout)])
    );
}

#[tokio::test]
async fn ns_13_servers_have_each_other_do_things() {
    let (sender, mut told) = Told::new();
    let options = move |at: usize| {
        let sender = sender.clone();
        let options = ClusterOptions::default().on("add", async |_: ServerId, args: Args| {
            let (a, b): (u32, u32) = args.read()?;
            Ok::<_, serde_json::Error>(Reply(a + b))
        });
        let options = options.on("note", move |from: ServerId, args: Args| {
            let _over = sender.send((at, from, args.to_json()));
            async {}
        });
        if at == 2 { options.on("only here", async |_: ServerId, _: Args| Reply((1, "two"))) } else { options }
    };
    let cluster = Cluster::with(Config::default(), || vec![namespace("/")], options).await;
    let id = |at: usize| cluster.io(at).server_id().clone();
    cluster.io(0).server_side_emit("note", &("a", 1)).expect("emitted");
    for at in [1, 2] {
        assert_eq!(told.next().await, (at, id(0), r#"["a",1]"#.to_owned()));
    }
    told.none();
    let mut sums = cluster.io(1).server_side_emit_with_ack::<u32>("add", &(2, 3)).expect("asked").await.expect("both");
    sums.sort_by_key(|(from, _)| *from != id(0));
    assert_eq!(sums, [(id(0), 5), (id(2), 5)]);
    let one = cluster.io(1).to_servers([id(2)]);
    one.emit("note", &()).expect("emitted");
    assert_eq!(told.next().await, (2, id(1), "[]".to_owned()));
    told.none();
    assert_eq!(one.emit_with_ack::<u32>("add", &(1, 1)).expect("asked").await.expect("it answers"), [(id(2), 2)]);
    let answers = cluster.io(0).server_side_emit_with_ack::<(u32, String)>("only here", &()).expect("asked").await;
    let Err(Partial { heard, missing }) = answers else { panic!("one has no such handler") };
    assert_eq!((heard, missing), (vec![(id(2), (1, "two".into()))], vec![(id(1), ReplyError::NoHandler)]));
    let wrong = cluster.io(0).server_side_emit_with_ack::<bool>("add", &(2, 3)).expect("asked").await;
    let why = |partial: Partial<_>| partial.missing.into_iter().map(|(_, why)| why).collect::<Vec<_>>();
    assert_eq!(why(wrong.expect_err("numbers")), [ReplyError::Decode; 2]);
    let failed = cluster.io(0).server_side_emit_with_ack::<bool>("add", &"text").expect("asked").await;
    assert_eq!(why(failed.expect_err("no numbers")), [ReplyError::Failed; 2]);
}

#[tokio::test]
async fn namespaces_that_are_on_another_server_only_are_reached() {
    let family = || vec![namespace("/"), Namespace::pattern("/game-{id}")];
    let cluster = Cluster::of(family).await;
    let (mut client, id) = socket::connect(cluster.servers[2].0.endpoint, "/game-1").await;
    let game = cluster.io(0).of("game-1").expect("it may be elsewhere");
    assert_eq!(cluster.io(0).namespace_names(), ["/", "/game-1"]);
    assert_eq!(game.emit("news", &()).expect("emitted"), 0);
    assert_eq!(client.frame().await, text(r#"42/game-1,["news"]"#));
    let fetched = game.fetch_sockets().await.expect("all answer");
    assert_eq!(fetched.iter().map(|socket| socket.id().as_str()).collect::<Vec<_>>(), [id]);
    assert!(cluster.io(0).of("other").is_none());
    // It is the one that clients of this server join.
    let (mut here, _id) = socket::connect(cluster.servers[0].0.endpoint, "/game-1").await;
    assert_eq!(game.emit("more", &()).expect("emitted"), 1);
    for client in [&mut here, &mut client] {
        assert_eq!(client.frame().await, text(r#"42/game-1,["more"]"#));
    }
    drop((here, game, fetched));
    within(async {
        while cluster.io(0).namespace_names() != ["/"] {
            tokio::task::yield_now().await
        }
    })
    .await;
}

#[tokio::test]
async fn rooms_of_every_server_keep_what_is_emitted() {
    let kept =
        || vec![namespace("/").room_history("room:*", RoomHistory { replay: Some(9), ..RoomHistory::default() })];
    let cluster = Cluster::of(kept).await;
    for at in 0..3 {
        cluster.all(at).to("room:1").emit("news", &at).expect("emitted");
    }
    cluster.all(0).to("room:1").unkept().emit("typing", &()).expect("emitted");
    let (mut client, _id) = cluster.connect(2).await;
    client.send(r#"421["join","room:1"]"#).await;
    for expected in [r#"42["news",0]"#, r#"42["news",1]"#, r#"42["news",2]"#, "431[]"] {
        assert_eq!(client.frame().await, text(expected));
    }
}

#[tokio::test]
async fn servers_know_of_each_other_until_one_closes() {
    let cluster = Cluster::of(|| vec![namespace("/")]).await;
    let id = |at: usize| cluster.io(at).server_id().clone();
    let others = |at: usize| {
        let mut others: Vec<_> = (0..3).filter(|other| *other != at).map(id).collect();
        others.sort();
        others
    };
    for at in 0..3 {
        assert_eq!(cluster.io(at).other_servers(), others(at));
    }
    within(cluster.io(1).close()).await;
    assert_eq!(cluster.io(0).other_servers(), [id(2)]);
    // It says nothing more, and does nothing of what it is told.
    cluster.io(0).greet_cluster();
    assert_eq!(cluster.io(0).other_servers(), [id(2)]);
    assert_eq!(cluster.all(0).fetch_sockets().await.expect("the other one answers").len(), 0);
}
