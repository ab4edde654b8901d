//! Who is in which room: joining and leaving by oneself and from afar, what is refused, and what is told of it.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use socketio::{
    Broadcast, Config, Data, JoinError, Limits, Namespace, Recovery, Reply, Room, RoomChange, Socket, SocketIo,
};
use tests::{
    Row,
    frames::{CLOSED, WebSocket, text},
    polling::Polling,
    server::{self, Server},
    socket,
};

use crate::{Told, heard, namespace, recovery, serve, telling};

/// A namespace whose rooms are shown: `rooms` is answered with them.
fn showing(name: &str) -> Namespace {
    namespace(name).on("rooms", async |socket: Socket| Reply((names(&socket),)))
}

fn names(socket: &Socket) -> Vec<String> {
    socket.rooms().iter().map(ToString::to_string).collect()
}

async fn rooms(client: &mut WebSocket) -> String {
    client.send(r#"421["rooms"]"#).await;
    let answer = client.text().await;
    answer.strip_prefix("431[").and_then(|rest| rest.strip_suffix(']')).expect("an ack").to_owned()
}

/// The socket with this id.
fn by_id(io: &SocketIo, id: &str) -> Socket {
    io.to(id).sockets().remove(0)
}

async fn three(server: &Server) -> [(WebSocket, String); 3] {
    [
        socket::connect(server.endpoint, "/").await,
        socket::connect(server.endpoint, "/").await,
        socket::connect(server.endpoint, "/").await,
    ]
}

#[tokio::test]
async fn rm_06_several_rooms_at_once() {
    let (server, io) = serve([showing("/")]).await;
    let (mut client, id) = socket::connect(server.endpoint, "/").await;
    let socket = by_id(&io, &id);
    type Step = fn(&Socket) -> Result<(), JoinError>;
    let left: Step = |socket| {
        socket.leave_all();
        Ok(())
    };
    let rows: [(&str, Step, &[&str]); 9] = [
        ("several", |socket| socket.join_all(["a", "b", "a"]), &["a", "b"]),
        ("some of them again", |socket| socket.join_all(["b", "c"]), &["a", "b", "c"]),
        ("none", |socket| socket.join_all([] as [&str; 0]), &["a", "b", "c"]),
        ("RM-07: its own", |socket| socket.join(socket.id()), &["a", "b", "c"]),
        ("one in place of others", |socket| socket.move_to("d", |room| room.as_str() < "c"), &["c", "d"]),
        ("one that it is in", |socket| socket.move_to("c", |_| true), &["c"]),
        ("one in place of none", |socket| socket.move_to("e", |_| false), &["c", "e"]),
        ("all left", left, &[]),
        ("again", left, &[]),
    ];
    for (label, step, expected) in rows {
        let _row = Row(label);
        assert_eq!(step(&socket), Ok(()));
        assert_eq!(names(&socket), expected);
        for room in ["a", "b", "c", "d", "e"] {
            assert_eq!(io.to(room).ids().len(), usize::from(expected.contains(&room)), "{room}");
        }
        assert_eq!(io.to(&id).ids(), [socket.id()], "RM-07");
    }
    assert_eq!(rooms(&mut client).await, "[]");
}

#[tokio::test]
async fn rm_06_rooms_joined_and_left_in_a_connect_handler() {
    let (told_of, mut told) = Told::new();
    let root = showing("/")
        .on_connect(async |socket: Socket| -> Result<(), JoinError> {
            socket.join_all(["a", "b"])?;
            socket.move_to("c", |room| room.as_str() == "a")?;
            socket.leave("b");
            socket.join("d")
        })
        .on_room(move |_: &str, change: &RoomChange| drop(told_of.send(change.clone())));
    let (server, io) = serve([root]).await;
    let (mut client, id) = socket::connect(server.endpoint, "/").await;
    assert_eq!(rooms(&mut client).await, r#"["c","d"]"#);
    assert_eq!((io.to("a").ids().len(), io.to("b").ids().len(), io.to("c").to("d").ids().len()), (0, 0, 1));
    let id = by_id(&io, &id).id();
    for room in ["c", "d"].map(Room::from) {
        assert_eq!(told.next().await, RoomChange::Create(room.clone()));
        assert_eq!(told.next().await, RoomChange::Join(room, id.clone()));
    }
    told.none();
}

#[tokio::test]
async fn ut_01_ns_16_sockets_and_their_ids() {
    let root = showing("/").on_connect(async |socket: Socket| socket.set(7_u8));
    let (server, io) = serve([root, namespace("/other")]).await;
    let [(_ann, ann), (mut bob, bob_id), (_eve, _)] = three(&server).await;
    socket::join(&mut bob, "/other").await;
    by_id(&io, &ann).join_all(["a", "b"]).expect("connected");
    by_id(&io, &bob_id).join("b").expect("connected");

    let found = io.to("a").sockets();
    let [socket] = found.as_slice() else { panic!("one socket: {found:?}") };
    assert_eq!((socket.id().as_str(), names(socket)), (ann.as_str(), vec!["a".to_owned(), "b".into()]));
    assert_eq!(&*socket.handshake().query, "EIO=4&transport=websocket");
    assert_eq!(socket.get::<u8>().as_deref(), Some(&7));

    let sorted = |broadcast: Broadcast| {
        let mut ids: Vec<String> = broadcast.ids().iter().map(ToString::to_string).collect();
        ids.sort();
        ids
    };
    let mut both = vec![ann.clone(), bob_id.clone()];
    both.sort();
    let all = io.of("/").expect("served");
    assert_eq!((all.ids().len(), io.sockets().len()), (3, 3));
    assert_eq!(sorted(all.clone().to("a").to("b")), both);
    assert_eq!(sorted(all.to("b").except("a")), [bob_id]);
    assert_eq!(io.of("/other").expect("served").ids().len(), 1);
}

#[tokio::test]
async fn ut_02_03_sockets_join_and_leave_from_afar() {
    let (server, io) = serve([showing("/")]).await;
    let [(mut ann, ann_id), (mut bob, bob_id), (mut eve, _)] = three(&server).await;
    assert_eq!(io.sockets_join("all"), 3);
    assert_eq!(io.to(&ann_id).sockets_join("a"), 1);
    assert_eq!(io.to("a").sockets_join("b"), 1);
    assert_eq!(io.to("nobody").sockets_join("c"), 0);
    assert_eq!(by_id(&io, &bob_id).to("all").sockets_join("but bob"), 2);
    assert_eq!(rooms(&mut ann).await, r#"["all","a","b","but bob"]"#);
    assert_eq!(rooms(&mut bob).await, r#"["all"]"#);
    assert_eq!(rooms(&mut eve).await, r#"["all","but bob"]"#);

    io.to("a").sockets_leave("all");
    io.except(&ann_id).sockets_leave("but bob");
    io.to("nobody").sockets_leave("b");
    assert_eq!(rooms(&mut ann).await, r#"["a","b","but bob"]"#);
    assert_eq!(rooms(&mut bob).await, r#"["all"]"#);
    io.sockets_leave("all");
    assert_eq!((rooms(&mut bob).await, rooms(&mut eve).await), ("[]".into(), "[]".into()));
    assert_eq!(io.to("all").ids(), []);
}

#[tokio::test]
async fn ut_04_sockets_are_disconnected_from_afar() {
    let (root, mut told) = telling(showing("/"));
    let (server, io) = serve([root, namespace("/other")]).await;
    let [(mut ann, ann_id), (mut bob, bob_id), (mut eve, _)] = three(&server).await;
    for client in [&mut ann, &mut bob, &mut eve] {
        socket::join(client, "/other").await;
    }
    by_id(&io, &ann_id).join("a").expect("connected");
    by_id(&io, &bob_id).join("b").expect("connected");
    io.to("a").disconnect_sockets(false);
    assert_eq!(ann.frame().await, text("41"));
    ann.send(r#"42/other,1["ack"]"#).await;
    assert_eq!(ann.frame().await, text("43/other,1[]"), "the connection stays");
    assert_eq!(told.next().await, ("server namespace disconnect".into(), vec!["a".into()]));

    io.to("b").disconnect_sockets(true);
    assert_eq!((bob.frame().await, bob.frame().await), (text("41"), CLOSED), "its client is to stay away");
    assert_eq!(told.next().await, ("server namespace disconnect".into(), vec!["b".into()]));
    assert_eq!(heard(&mut eve).await, []);
    told.none();
    io.disconnect_sockets(false);
    assert_eq!(eve.frame().await, text("41"));
    assert_eq!(io.sockets(), []);
}

#[tokio::test]
async fn t36_l3_rooms_that_may_not_be_joined() {
    let limits = Limits { max_rooms: 3, max_room_name: 30, ..Limits::default() };
    let (server, io) = server::socketio(Config { limits, ..Config::default() }, [showing("/")]).await;
    let [(mut ann, ann_id), (mut bob, bob_id), _eve] = three(&server).await;
    let (socket, other) = (by_id(&io, &ann_id), by_id(&io, &bob_id));

    assert_eq!(socket.join(&bob_id), Err(JoinError::OtherSocket), "T36: the private room of another");
    assert_eq!(socket.join_all(["a", &bob_id]), Err(JoinError::OtherSocket));
    assert_eq!(socket.move_to(other.id(), |_| true), Err(JoinError::OtherSocket));
    assert_eq!(socket.join("x".repeat(31)), Err(JoinError::NameTooLong));
    assert_eq!(io.to(&ann_id).sockets_join("x".repeat(31)), 0);
    assert_eq!(names(&socket), [] as [&str; 0], "all or none");
    socket.join("x".repeat(30)).expect("as long as may be");
    socket.join_all(["a", "b"]).expect("as many as may be");
    assert_eq!(socket.join("c"), Err(JoinError::TooManyRooms), "L3");
    assert_eq!(io.sockets_join("c"), 2);
    socket.join("b").expect("it is in that one");
    socket.move_to("c", |room| room.as_str() == "b").expect("it leaves another");
    assert_eq!(socket.move_to("d", |room| room.as_str() == "b"), Err(JoinError::TooManyRooms));
    socket.leave_all();

    socket.force_join(&bob_id).expect("the application wants it");
    assert_eq!(io.to(&bob_id).emit("private", &()).expect("emitted"), 2);
    assert_eq!(heard(&mut ann).await, [text(r#"42["private"]"#)]);
    assert_eq!(heard(&mut bob).await, [text(r#"42["private"]"#)]);
    assert_eq!(io.except(&bob_id).ids().len(), 1);
    socket.leave(&bob_id);
    assert_eq!(io.to(&bob_id).ids(), [other.id()]);
}

/// As a naive application does it, with whatever name comes.
#[tokio::test]
async fn t36_a_client_that_names_the_id_of_another_is_not_let_in() {
    let (server, io) = serve([namespace("/")]).await;
    let (mut ann, _) = socket::connect(server.endpoint, "/").await;
    let (mut bob, bob_id) = socket::connect(server.endpoint, "/").await;
    ann.send(&format!(r#"421["join","{bob_id}"]"#)).await;
    assert_eq!(heard(&mut ann).await, [], "an error answers nothing");
    assert_eq!(io.to(&bob_id).emit("private", &()).expect("emitted"), 1);
    assert_eq!(bob.frame().await, text(r#"42["private"]"#));

    let nosy = Namespace::new("/nosy").on_connect(async |socket: Socket| socket.join("x".repeat(513)));
    let (server, _io) = serve([namespace("/"), nosy]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send("40/nosy,").await;
    assert_eq!(client.frame().await, text(r#"44/nosy,{"message":"Connection refused"}"#));
}

/// Whoever is away may come back, and has its room then.
#[tokio::test]
async fn t36_the_room_of_a_socket_that_is_away_may_not_be_joined() {
    let (root, mut told) = telling(namespace("/"));
    let (server, io) = recovery::serve_with(Recovery::default(), [root]).await;
    let bob = recovery::join(server.endpoint, "").await;
    let (bob_id, claim) = (bob.sid.clone(), bob.claim_without_offset());
    let mut eve = recovery::join(server.endpoint, "").await;
    recovery::cut(bob, &mut told).await;
    let socket = by_id(&io, &eve.sid);
    assert_eq!(socket.join(&bob_id), Err(JoinError::OtherSocket));
    assert_eq!(socket.move_to(bob_id.clone(), |_| true), Err(JoinError::OtherSocket));
    let mut bob = recovery::join(server.endpoint, &claim).await;
    assert_eq!(bob.sid, bob_id);
    assert_eq!(io.to(&bob_id).emit("private", &()).expect("emitted"), 1);
    assert_eq!(recovery::events(&heard(&mut bob.websocket).await), [text(r#"42["private"]"#)]);
    assert_eq!(heard(&mut eve.websocket).await, []);
}

/// While it moves, a socket is in one of the two rooms at any time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rm_06_who_moves_is_meant_by_both_rooms_once() {
    let (server, io) = serve([namespace("/")]).await;
    let (_client, id) = socket::connect(server.endpoint, "/").await;
    let socket = by_id(&io, &id);
    socket.join("0").expect("joined");
    let (over, stop) = (AtomicBool::new(false), Ordering::Relaxed);
    thread::scope(|scope| {
        scope.spawn(|| {
            for room in (1..20_000).map(|number| number % 2) {
                socket.move_to(room.to_string(), |_| true).expect("moved");
            }
            over.store(true, stop);
        });
        // Between the two there are others to be looked at.
        let others = || (2..30).map(|room| room.to_string());
        while !over.load(stop) {
            let meant = others().fold(io.to("1"), Broadcast::to);
            assert_eq!(meant.to("0").ids().len(), 1);
            let spared = others().fold(io.except("1"), Broadcast::except);
            assert_eq!(spared.except("0").ids().len(), 0);
        }
    });
}

#[tokio::test]
async fn rm_08_12_rooms_are_told_of_as_they_come_and_go() {
    let (sender, mut told) = Told::new();
    let root = namespace("/").on_room(move |_: &str, change: &RoomChange| drop(sender.send(change.clone())));
    let (server, io) = serve([root, namespace("/other")]).await;
    let (mut ann, ann_id) = socket::connect(server.endpoint, "/").await;
    let (mut bob, bob_id) = socket::connect(server.endpoint, "/").await;
    told.none();
    let (ann_id, bob_id) = (by_id(&io, &ann_id).id(), by_id(&io, &bob_id).id());
    use RoomChange::{Create, Delete, Join, Leave};
    let a = || Room::from("a");
    for client in [&mut ann, &mut bob] {
        for _ in 0..2 {
            client.send(r#"421["join","a"]"#).await;
            assert_eq!(client.frame().await, text("431[]"));
        }
    }
    socket::join(&mut ann, "/other").await;
    ann.send(r#"42/other,1["join","b"]"#).await;
    assert_eq!(ann.frame().await, text("43/other,1[]"));
    ann.send(r#"421["leave","a"]"#).await;
    ann.send(r#"422["leave","never joined"]"#).await;
    assert_eq!((ann.frame().await, ann.frame().await), (text("431[]"), text("432[]")));
    bob.send("41").await;
    let expected = [
        Create(a()),
        Join(a(), ann_id.clone()),
        Join(a(), bob_id.clone()),
        Leave(a(), ann_id),
        Leave(a(), bob_id),
        Delete(a()),
    ];
    for change in expected {
        assert_eq!(told.next().await, change);
    }
    told.none();
}

/// One who subscribes at `Create` and unsubscribes at `Delete` must end with nothing, whatever threads do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rm_12_changes_are_told_in_their_order() {
    const BATCHES: usize = 10;
    const ROUNDS: usize = 2_000;
    let (sender, mut told) = Told::new();
    let members = Mutex::new(0_i32);
    let root = namespace("/")
        .on("churn", async |socket: Socket, Data(rounds): Data<usize>| {
            for _ in 0..rounds {
                socket.join("a")?;
                socket.leave("a");
            }
            Ok::<_, JoinError>(Reply(()))
        })
        .on_room(move |_: &str, change: &RoomChange| {
            let mut members = members.lock().expect("not poisoned");
            let fits = match change {
                RoomChange::Create(_) | RoomChange::Delete(_) => *members == 0,
                RoomChange::Join(..) => {
                    *members += 1;
                    *members <= 3
                }
                RoomChange::Leave(..) => {
                    *members -= 1;
                    *members >= 0
                }
                _ => false,
            };
            let _over = sender.send(fits);
        });
    let (server, _io) = serve([root]).await;
    let mut clients = three(&server).await;
    for _ in 0..BATCHES {
        for (client, _id) in &mut clients {
            client.send(&format!(r#"421["churn",{ROUNDS}]"#)).await;
        }
        for (client, _id) in &mut clients {
            assert_eq!(client.frame().await, text("431[]"));
        }
    }
    for _ in 0..2 * 3 * BATCHES * ROUNDS {
        assert!(told.next().await);
    }
}

/// What the listener does to rooms is told, too, and a panic of its keeps nobody from joining or being told.
#[tokio::test]
async fn m8_rm_12_a_listener_may_join_and_panic() {
    let (sender, mut told) = Told::new();
    let io: &Mutex<Option<SocketIo>> = Box::leak(Box::default());
    let root = namespace("/").on_room(move |_: &str, change: &RoomChange| {
        drop(sender.send(change.clone()));
        if let RoomChange::Join(room, id) = change
            && room.as_str() == "a"
        {
            let io = io.lock().expect("not poisoned").clone().expect("served");
            io.to(id.clone()).sockets_join("b");
            panic!("expected by the test");
        }
    });
    let (server, served) = serve([root]).await;
    *io.lock().expect("not poisoned") = Some(served);
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send(r#"421["join","a"]"#).await;
    assert_eq!(client.frame().await, text("431[]"));
    let mut words = Vec::new();
    for _ in 0..4 {
        words.push(match told.next().await {
            RoomChange::Create(room) => format!("create {room}"),
            RoomChange::Join(room, _) => format!("join {room}"),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(words, ["create a", "join a", "create b", "join b"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_its_connect_can_be_emitted_to() {
    let joining = namespace("/").on_connect(async |socket: Socket| {
        // It takes a while until it is in all of them.
        let many = (0..900).map(|room| format!("{room}"));
        socket.join_all(many.chain([format!("of {}", socket.id())]))
    });
    let (server, io) = serve([joining]).await;
    for client in 1..=50 {
        let mut polling = Polling::open(server.endpoint).await;
        // Another task answers it, as soon as there is something.
        polling.send_get().await;
        server.waiting(1).await;
        polling.send_post("40").await;
        let connect = polling.gets.answer().await.body;
        let id = connect.strip_prefix("40{\"sid\":\"").and_then(|rest| rest.strip_suffix("\"}")).expect("joined");
        assert_eq!(io.to(format!("of {id}")).emit("news", &()).expect("emitted"), 1, "{client}");
    }
}
