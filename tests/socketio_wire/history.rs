//! What rooms keep of what is emitted to them, and what a socket is sent of it that joins.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use socketio::{
    Config, HistoryMode, JoinError, Namespace, Parser, Recovery, RecoveryMode, RoomChange, RoomHistory, Socket,
    SocketIo, Value,
};
use tests::{
    Row,
    frames::{Frame, WebSocket, text},
    polling::Polling,
    server::{self, Server},
    socket,
};
use tokio::sync::Notify;

use crate::{
    Told, heard, namespace,
    recovery::{self, cut},
    serve, telling,
};

/// A namespace whose rooms `kept:*` keep what is emitted to them.
fn keeping(history: RoomHistory) -> Namespace {
    namespace("/").room_history("kept:*", history)
}

async fn join(client: &mut WebSocket, room: &str) -> Vec<Frame> {
    client.send(&format!(r#"42["join","{room}"]"#)).await;
    heard(client).await
}

async fn client(server: &Server) -> (WebSocket, String) {
    socket::connect(server.endpoint, "/").await
}

fn frames<const N: usize>(events: [&str; N]) -> Vec<Frame> {
    events.map(text).into()
}

#[tokio::test]
async fn a_room_is_replayed_to_who_joins_it() {
    let (server, io) = serve([keeping(RoomHistory::default())]).await;
    io.to("kept:1").emit("said", &("é", 1)).expect("emitted");
    io.to("kept:1").emit("none", &()).expect("emitted");
    io.to("kept:1").emit("data", &Value::Binary(vec![1, 2].into())).expect("emitted");
    io.to("kept:2").emit("said", "elsewhere").expect("emitted");
    io.to("other").emit("said", "not kept").expect("emitted");
    io.emit("said", "to all").expect("emitted");
    io.to("kept:1").volatile().emit("said", "volatile").expect("emitted");
    drop(io.to("kept:1").emit_with_ack::<()>("said", "asked").expect("emitted"));
    let (mut ann, ann_id) = client(&server).await;
    let replayed = [
        text(r#"42["said","é",1]"#),
        text(r#"42["none"]"#),
        text(r#"451-["data",{"_placeholder":true,"num":0}]"#),
        Frame::Binary(vec![1, 2]),
    ];
    assert_eq!(join(&mut ann, "kept:1").await, replayed);
    assert_eq!(join(&mut ann, "kept:1").await, [], "it is in the room");
    assert_eq!(join(&mut ann, "other").await, []);
    io.to("kept:1").emit("said", "live").expect("emitted");
    assert_eq!(heard(&mut ann).await, frames([r#"42["said","live"]"#]));
    ann.send(r#"42["leave","kept:1"]"#).await;
    assert_eq!(join(&mut ann, "kept:1").await[4..], [text(r#"42["said","live"]"#)], "it joins again");

    // Not for single sockets, be they there or gone.
    let rooms = namespace("/all").room_history("*", RoomHistory::default());
    let (server, io) = serve([rooms]).await;
    let all = io.of("/all").expect("served");
    let (_bob, bob_id) = socket::connect(server.endpoint, "/all").await;
    for id in [&ann_id, &bob_id] {
        all.clone().to(id).emit("secret", &()).expect("emitted");
        assert_eq!(all.clone().to(id).history().len(), 0);
    }
    all.clone().to("room").emit("open", &()).expect("emitted");
    assert_eq!(all.to("room").history().len(), 1);
}

#[tokio::test]
async fn what_is_kept_is_chosen() {
    let default = RoomHistory::default;
    let rows = [
        ("all", default(), "a1 b2 a3 c4"),
        ("two at most", RoomHistory { max_events: 2, ..default() }, "a3 c4"),
        ("few bytes", RoomHistory { max_bytes: 1, ..default() }, ""),
        ("no time", RoomHistory { ttl: Duration::ZERO, ..default() }, ""),
        ("by name", RoomHistory { events: vec!["a".into(), "b*".into()], ..default() }, "a1 b2 a3"),
        ("the last of each name", RoomHistory { mode: HistoryMode::Last, ..default() }, "b2 a3 c4"),
        ("one is replayed", RoomHistory { replay: Some(1), ..default() }, "c4"),
        ("none is", RoomHistory { replay: Some(0), ..default() }, ""),
    ];
    for (label, history, expected) in rows {
        let _row = Row(label);
        let (server, io) = serve([keeping(history)]).await;
        for (at, event) in ["a", "b", "a", "c"].into_iter().enumerate() {
            io.to("kept:1").emit(event, &(at + 1)).expect("emitted");
        }
        let (mut client, _id) = client(&server).await;
        let expected =
            expected.split_whitespace().map(|event| text(format!(r#"42["{}",{}]"#, &event[..1], &event[1..])));
        assert_eq!(join(&mut client, "kept:1").await, expected.collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_namespace_is_replayed_behind_what_the_connect_handler_emits() {
    let root = keeping(RoomHistory::default())
        .history(RoomHistory { mode: HistoryMode::Last, ..RoomHistory::default() })
        .on_connect(async |socket: Socket| {
            let _greeted = socket.emit("welcome", &());
            socket.join_all(["kept:a", "kept:b", "other"])
        });
    let (server, io) = serve([root]).await;
    let root = io.of("/").expect("served");
    root.emit("count", &1).expect("emitted");
    io.to("kept:b").to("kept:a").emit("both", &2).expect("emitted");
    root.emit("count", &3).expect("emitted");
    io.to("kept:a").to("other").emit("one", &4).expect("emitted");
    let replayed = [r#"42["welcome"]"#, r#"42["both",2]"#, r#"42["count",3]"#, r#"42["one",4]"#];
    let (mut websocket, _id) = client(&server).await;
    assert_eq!(heard(&mut websocket).await, frames(replayed));
    let mut polling = Polling::open(server.endpoint).await;
    polling.post("40").await;
    let body = polling.get().await.body;
    assert!(body.ends_with(&format!("\x1e{}", replayed.join("\x1e"))), "{body}");
}

#[tokio::test]
async fn who_is_told_of_rooms_may_emit_to_them() {
    let served = Arc::new(OnceLock::<SocketIo>::new());
    let io = served.clone();
    let root = keeping(RoomHistory::default()).on_connect(async |socket: Socket| socket.join("kept:1")).on_room(
        move |_, change| {
            if let (RoomChange::Join(room, _), Some(io)) = (change, io.get()) {
                io.to(room).emit("joined", &()).expect("emitted");
            }
        },
    );
    let (server, io) = serve([root]).await;
    served.set(io).expect("once");
    let (mut one, _id) = client(&server).await;
    assert_eq!(heard(&mut one).await, frames([r#"42["joined"]"#]));
    assert_eq!(join(&mut one, "kept:2").await, frames([r#"42["joined"]"#]));
}

#[tokio::test]
async fn whom_an_event_was_not_for_is_not_sent_it_later() {
    let root = keeping(RoomHistory::default()).on("say", async |socket: Socket| {
        let _said = socket.to("kept:1").except("muted").emit("said", &());
    });
    let (server, io) = serve([root]).await;
    let (mut ann, _id) = client(&server).await;
    ann.send(r#"42["say"]"#).await;
    assert_eq!(join(&mut ann, "kept:1").await, [], "it said so itself");
    let (mut bob, bob_id) = client(&server).await;
    join(&mut bob, "muted").await;
    assert_eq!(join(&mut bob, "kept:1").await, []);
    bob.send(r#"42["leave","kept:1"]"#).await;
    bob.send(r#"42["leave","muted"]"#).await;
    assert_eq!(join(&mut bob, "kept:1").await, frames([r#"42["said"]"#]));
    assert_eq!(io.to(bob_id).sockets_join("kept:2"), 1);
    assert_eq!(heard(&mut bob).await, []);
}

#[tokio::test]
async fn what_is_kept_can_be_read_and_cleared() {
    for parser in [Parser::Default, Parser::Msgpack] {
        let chat = Namespace::new("/chat[1]").room_history("kept:*", RoomHistory::default());
        let (_server, io) = server::socketio(Config { parser, ..Config::default() }, [chat]).await;
        let rooms = io.of("/chat[1]").expect("served");
        let (one, both) = (rooms.clone().to("kept:1"), rooms.clone().to("kept:1").to("kept:2"));
        let names = || both.history().iter().map(|entry| entry.event.to_string()).collect::<Vec<_>>();
        one.emit("said", &("a", 1)).expect("emitted");
        both.emit("data", &Value::Binary(vec![7; 200].into())).expect("emitted");
        both.clone().compress(false).emit("none", &()).expect("emitted");
        assert_eq!(names(), ["said", "data", "none"]);
        let entries = one.history();
        assert_eq!(entries[0].args.read::<(String, u8)>().expect("read"), ("a".into(), 1));
        assert_eq!(entries[1].args.read::<Value>().expect("read"), Value::Binary(vec![7; 200].into()));
        assert!(entries[2].args.is_empty() && entries[0].at <= entries[2].at);
        assert_eq!(rooms.history().len(), 0, "nothing is kept for the namespace");
        one.clear_history();
        assert_eq!(names(), ["data", "none"], "of the other room");
    }
}

/// While one thread emits all the time, sockets join: what they hear has no gap and no event twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_while_events_are_emitted_gets_each_once_and_in_order() {
    for recovering in [false, true] {
        let history = RoomHistory { max_events: 10, ..RoomHistory::default() };
        let recovery = recovering.then(|| Recovery { mode: RecoveryMode::Buffer, ..Recovery::default() });
        let mut config = Config { connection_state_recovery: recovery, ..Config::default() };
        config.engine.max_outbox_bytes = 16 << 20;
        let root = keeping(history.clone()).history(history).on_connect(async |socket: Socket| socket.join("waiting"));
        let (server, io) = server::socketio(config, [root]).await;
        let (mut clients, is_over) = (Vec::new(), Arc::new(AtomicBool::new(false)));
        let (stop, all, room) = (is_over.clone(), io.of("/").expect("served"), io.to("kept:1"));
        let emitter = thread::spawn(move || {
            // Few enough for clients that do not read yet.
            for number in 0..10_000 {
                all.emit("all", &number).expect("emitted");
                room.emit("room", &number).expect("emitted");
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                // One at a time while clients connect, as fast as can be while they join.
                if room.ids().is_empty() {
                    thread::yield_now();
                }
            }
        });
        for _ in 0..50 {
            let (mut client, _sid) = WebSocket::open(server.endpoint).await;
            client.send("40").await;
            assert!(client.text().await.starts_with("40{"));
            clients.push(client);
        }
        assert_eq!(io.to("waiting").sockets_join("kept:1"), clients.len());
        is_over.store(true, Ordering::Relaxed);
        emitter.join().expect("no panic");
        for client in &mut clients {
            let events: Vec<(String, u64)> = heard(client)
                .await
                .iter()
                .map(|frame| match frame {
                    Frame::Text(event) => serde_json::from_str(&event[2..]).expect("an event"),
                    other => panic!("{other:?}"),
                })
                .collect();
            for name in ["all", "room"] {
                let numbers: Vec<_> =
                    events.iter().filter(|(event, _)| event == name).map(|(_, number)| *number).collect();
                let is_next = |pair: &&[u64]| pair[1] == pair[0] + 1;
                assert!(!numbers.is_empty());
                assert_eq!(numbers.windows(2).find(|pair| !is_next(pair)), None, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn who_is_recovered_gets_no_replay_of_what_it_has() {
    let root = || {
        let come = async |socket: Socket| {
            let room = if socket.recovered() { "kept:new" } else { "kept:old" };
            socket.join(room)
        };
        keeping(RoomHistory::default()).history(RoomHistory::default()).on_connect(come)
    };
    for mode in [RecoveryMode::Full, RecoveryMode::Buffer] {
        let (namespace, mut told) = telling(root());
        let (server, io) = recovery::serve_with(Recovery { mode, ..Recovery::default() }, [namespace]).await;
        let emit = |room: Option<&str>, number: u8| match room {
            Some(room) => io.to(room).emit("e", &number).expect("emitted"),
            None => io.emit("e", &number).expect("emitted"),
        };
        emit(Some("kept:old"), 1);
        emit(None, 2);
        emit(Some("kept:new"), 3);
        // An event without its offset, and the offset.
        let read = |event: &str| {
            let event: Vec<serde_json::Value> = serde_json::from_str(&event[2..]).expect("an event");
            (event[1].as_u64().expect("a number"), event.get(2).map(|offset| offset.as_str().expect("text").to_owned()))
        };
        let mut client = recovery::join(server.endpoint, "").await;
        assert_eq!(client.missed, []);
        let (first, second) = (read(&client.websocket.text().await), read(&client.websocket.text().await));
        assert_eq!((first.0, second.0), (1, 2));
        assert_eq!(second.1.is_some(), mode == RecoveryMode::Full, "replays have offsets as all else has");
        let claim = match second.1 {
            Some(offset) => client.claim(&offset),
            None => client.claim_without_offset(),
        };
        cut(client, &mut told).await;
        emit(Some("kept:old"), 4);
        emit(None, 5);
        let mut client = recovery::join(server.endpoint, &claim).await;
        let missed: Vec<_> = client
            .missed
            .iter()
            .map(|frame| match frame {
                Frame::Text(event) => read(event).0,
                other => panic!("{other:?}"),
            })
            .collect();
        // By its connection nothing was shown, so what was replayed is sent again.
        let again: &[u64] = if mode == RecoveryMode::Buffer { &[1, 2] } else { &[] };
        assert_eq!(missed, [again, &[4, 5, 3]].concat(), "at the end the replay of the room that is new to it");
        assert_eq!(heard(&mut client.websocket).await, []);
    }
}

/// A page that shows the last event of a room shows the newest.
#[tokio::test]
async fn who_is_recovered_gets_a_replay_before_what_follows() {
    let (gate, (sender, mut joined)) = (Arc::new(Notify::new()), Told::new());
    let opened = gate.clone();
    let root = keeping(RoomHistory::default()).on_connect(move |socket: Socket| {
        let (opened, joined) = (opened.clone(), sender.clone());
        async move {
            if socket.recovered() {
                socket.join("kept:a")?;
                let _over = joined.send(());
                opened.notified().await;
            }
            Ok::<_, JoinError>(())
        }
    });
    let (root, mut told) = telling(root);
    let (server, io) = recovery::serve_with(Recovery::default(), [root]).await;
    let client = recovery::join(server.endpoint, "").await;
    let claim = client.claim_without_offset();
    cut(client, &mut told).await;
    io.to("kept:a").emit("e", &1).expect("emitted");
    let (endpoint, emit_second) = (server.endpoint, async {
        joined.next().await;
        io.to("kept:a").emit("e", &2).expect("emitted");
        gate.notify_one();
    });
    let (mut client, ()) = tokio::join!(recovery::join(endpoint, &claim), emit_second);
    assert_eq!(recovery::events(&client.missed), [text(r#"42["e",1]"#), text(r#"42["e",2]"#)]);
    assert_eq!(heard(&mut client.websocket).await, []);
}

#[tokio::test]
async fn all_rooms_together_are_bounded_and_go_with_their_namespace() {
    let games =
        Namespace::pattern("/game-{id}").room_history("*", RoomHistory::default()).history(RoomHistory::default());
    let (left, mut told) = telling(games);
    let config = Config { max_history_bytes: 100_000, ..Config::default() };
    let (server, io) = server::socketio(config, [left, keeping(RoomHistory::default())]).await;
    let (one, _id) = socket::connect(server.endpoint, "/game-1").await;
    let game = io.of("/game-1").expect("somebody is in it");
    for number in 0..30 {
        game.clone().to(format!("room {number}")).emit("said", &"x".repeat(10_000)).expect("emitted");
    }
    let kept = |from: usize| {
        (from..30).filter(|number| game.clone().to(format!("room {number}")).history().len() == 1).count()
    };
    assert_eq!((kept(0), kept(21)), (9, 9), "those that were emitted to last");
    io.to("kept:1").emit("said", &"x".repeat(90_000)).expect("emitted");
    assert_eq!((kept(0), io.to("kept:1").history().len()), (0, 1), "in all namespaces");

    game.emit("said", &1).expect("emitted");
    drop((game, one));
    told.next().await;
    let (mut other, _id) = socket::connect(server.endpoint, "/game-1").await;
    other.send(r#"42/game-1,["nothing"]"#).await;
    io.of("/game-1").expect("it is anew").emit("live", &()).expect("emitted");
    assert_eq!(other.frame().await, text(r#"42/game-1,["live"]"#));
}
