//! Who hears what is emitted to everybody, to rooms, to all but some, and to one.

use socketio::{Broadcast, Data, JoinError, Reply, Socket, Value};
use tests::{
    Row,
    frames::{Frame, WebSocket, text},
    polling::Polling,
    server::Server,
    socket,
};

use crate::{Choice, Told, heard, hearers, join_room, namespace, serve};

/// Clients in the namespace `/`, each in some of the rooms `a`, `b` and `c`.
const MEMBERSHIPS: [&[&str]; 5] = [&["a"], &["b"], &["a", "b"], &["a", "b", "c"], &[]];

/// Connects the clients, in the order of the memberships; returns them with their ids.
async fn clients(server: &Server) -> (Vec<WebSocket>, Vec<String>) {
    let (mut clients, mut ids) = (Vec::new(), Vec::new());
    for rooms in MEMBERSHIPS {
        let (mut client, id) = socket::connect(server.endpoint, "/").await;
        for room in rooms {
            join_room(&mut client, room).await;
        }
        clients.push(client);
        ids.push(id);
    }
    (clients, ids)
}

#[tokio::test]
async fn rm_01_03_to_05_emits_of_the_server() {
    let (server, io) = serve([namespace("/")]).await;
    let (mut clients, ids) = clients(&server).await;
    let rows: [(&str, Choice, &[usize]); 14] = [
        ("RM-01: everybody", |all, _| all, &[0, 1, 2, 3, 4]),
        ("RM-01: everybody here", |all, _| all.local(), &[0, 1, 2, 3, 4]),
        ("RM-03: a room", |all, _| all.to("a"), &[0, 2, 3]),
        ("RM-04: two rooms", |all, _| all.to("a").to("b"), &[0, 1, 2, 3]),
        ("RM-04: three rooms", |all, _| all.to("c").to("b").to("a"), &[0, 1, 2, 3]),
        ("a room twice", |all, _| all.to("b").to("b"), &[1, 2, 3]),
        ("a room that nobody is in", |all, _| all.to("nobody"), &[]),
        ("RM-05: all but a room", |all, _| all.except("a"), &[1, 4]),
        ("RM-05: all but two rooms", |all, _| all.except("a").except("b"), &[4]),
        ("RM-05: a room but not another", |all, _| all.to("a").except("c"), &[0, 2]),
        ("RM-05: two rooms but not a third", |all, _| all.to("a").to("b").except("c"), &[0, 1, 2]),
        ("RM-07: a socket", |all, ids| all.to(&ids[4]), &[4]),
        ("RM-04: a socket and a room that it is in", |all, ids| all.to(&ids[3]).to("c").to(&ids[0]), &[0, 3]),
        ("RM-05: a room but not a socket", |all, ids| all.to("a").except(&ids[2]), &[0, 3]),
    ];
    for (label, choice, expected) in rows {
        let _row = Row(label);
        let chosen = choice(io.of("/").expect("served"), &ids);
        assert_eq!(chosen.emit("news", &1).expect("emitted"), expected.len());
        assert_eq!(hearers(&mut clients, r#"42["news",1]"#).await, expected);
        let mut chosen: Vec<_> = chosen.sockets().iter().map(|socket| socket.id().to_string()).collect();
        let mut expected: Vec<_> = expected.iter().map(|at| ids[*at].clone()).collect();
        chosen.sort();
        expected.sort();
        assert_eq!(chosen, expected, "NS-16");
    }
}

/// A choice of recipients, told from a socket and the clients' ids.
type OwnChoice = fn(&Socket, &[String]) -> Broadcast;

#[tokio::test]
async fn rm_02_03_05_emits_of_a_socket_leave_it_out() {
    const SENDER: usize = 2;
    let (server, io) = serve([namespace("/")]).await;
    let (mut clients, ids) = clients(&server).await;
    let sender = io.of("/").expect("served").to(&ids[SENDER]).sockets().remove(0);
    let rows: [(&str, OwnChoice, &[usize]); 7] = [
        ("RM-02: everybody else", |socket, _| socket.broadcast(), &[0, 1, 3, 4]),
        ("RM-03: a room it is in", |socket, _| socket.to("a"), &[0, 3]),
        ("RM-03: a room it is not in", |socket, _| socket.to("c"), &[3]),
        ("RM-04: two rooms", |socket, _| socket.to("a").to("b"), &[0, 1, 3]),
        ("RM-05: all but a room", |socket, _| socket.except("b"), &[0, 4]),
        ("itself", |socket, _| socket.to(socket.id()), &[]),
        ("the whole namespace, itself too", |socket, _| socket.namespace(), &[0, 1, 2, 3, 4]),
    ];
    for (label, choice, expected) in rows {
        let _row = Row(label);
        assert_eq!(choice(&sender, &ids).emit("news", &1).expect("emitted"), expected.len());
        assert_eq!(hearers(&mut clients, r#"42["news",1]"#).await, expected);
    }
}

#[tokio::test]
async fn rm_10_a_choice_can_be_used_again_and_added_to() {
    let (server, io) = serve([namespace("/")]).await;
    let (mut clients, _ids) = clients(&server).await;
    let first = io.of("/").expect("served").to("c");
    let both = first.clone().to("a");
    for (choice, expected) in [(&first, &[3][..]), (&both, &[0, 2, 3]), (&first, &[3])] {
        choice.emit("news", &()).expect("emitted");
        assert_eq!(hearers(&mut clients, r#"42["news"]"#).await, expected);
    }
}

#[tokio::test]
async fn rm_06_08_rooms_are_joined_and_left() {
    let root = namespace("/").on("rooms", async |socket: Socket| {
        Reply((socket.rooms().iter().map(ToString::to_string).collect::<Vec<_>>(),))
    });
    let (server, io) = serve([root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    let all = io.of("/").expect("served");
    for (event, room, rooms) in [
        ("join", "a", r#"["a"]"#),
        ("join", "b", r#"["a","b"]"#),
        ("join", "a", r#"["a","b"]"#),
        ("leave", "never joined", r#"["a","b"]"#),
        ("leave", "a", r#"["b"]"#),
        ("leave", "a", r#"["b"]"#),
        ("join", "a", r#"["b","a"]"#),
    ] {
        let _row = Row(room);
        client.send(&format!(r#"42["{event}","{room}"]"#)).await;
        client.send(r#"421["rooms"]"#).await;
        assert_eq!(client.frame().await, text(format!("431[{rooms}]")));
        let members = all.clone().to("a").emit("news", &()).expect("emitted");
        assert_eq!(heard(&mut client).await.len(), members);
        assert_eq!(members, usize::from(rooms.contains("\"a\"")));
    }
}

#[tokio::test]
async fn rm_09_a_socket_that_left_is_in_no_room_and_joins_none() {
    let (sender, mut told) = Told::new();
    let root = namespace("/").on("go", move |socket: Socket| {
        socket.join("a").expect("connected");
        socket.disconnect();
        let _over = sender.send((socket.join("b"), socket.rooms(), socket.emit("news", &()).is_err()));
        async {}
    });
    let (server, io) = serve([root]).await;
    let (mut client, id) = socket::connect(server.endpoint, "/").await;
    client.send(r#"42["go"]"#).await;
    assert_eq!(client.frame().await, text("41"));
    assert_eq!(told.next().await, (Err(JoinError::Disconnected), vec!["a".into()], true));
    for room in ["a", "b", &id] {
        assert_eq!(io.of("/").expect("served").to(room).sockets(), []);
    }
}

#[tokio::test]
async fn ns_05_16_rooms_of_two_namespaces_do_not_mix() {
    let (server, io) = serve([namespace("/"), namespace("/other")]).await;
    let (mut root_only, _id) = socket::connect(server.endpoint, "/").await;
    join_room(&mut root_only, "a").await;
    let (mut client, root_id) = socket::connect(server.endpoint, "/").await;
    let other_id = socket::join(&mut client, "/other").await;
    client.send(r#"42/other,1["join","a"]"#).await;
    assert_eq!(client.frame().await, text("43/other,1[]"));

    let (root, other) = (io.of("/").expect("served"), io.of("/other").expect("served"));
    other.clone().to("a").emit("news", &()).expect("emitted");
    assert_eq!(other.clone().to(&root_id).emit("news", &()).expect("emitted"), 0);
    assert_eq!(root.clone().to(&other_id).emit("news", &()).expect("emitted"), 0);
    assert_eq!(heard(&mut client).await, [text(r#"42/other,["news"]"#)]);
    root.to("a").emit("news", &()).expect("emitted");
    assert_eq!(heard(&mut client).await, []);
    assert_eq!(heard(&mut root_only).await, [text(r#"42["news"]"#)]);
}

#[tokio::test]
async fn rm_11_one_broadcast_reaches_both_transports() {
    let (server, io) = serve([namespace("/")]).await;
    let (mut websocket, _id) = socket::connect(server.endpoint, "/").await;
    let mut polling = Polling::open(server.endpoint).await;
    polling.post("40").await;
    polling.get().await;
    let binary = Value::Binary(vec![1, 2, 3, 4].into());
    assert_eq!(io.of("/").expect("served").emit("news", &("é", binary)).expect("emitted"), 2);
    let header = "451-[\"news\",\"é\",{\"_placeholder\":true,\"num\":0}]";
    assert_eq!(websocket.frame().await, text(header));
    assert_eq!(websocket.frame().await, Frame::Binary(vec![1, 2, 3, 4]));
    assert_eq!(polling.get().await.body, format!("{header}\x1ebAQIDBA=="));
}

#[tokio::test]
async fn a_client_may_emit_to_another_by_its_id() {
    let root = namespace("/").on("private", async |socket: Socket, Data((to, what)): Data<(String, String)>| {
        socket.to(to).emit("private", &(socket.id(), what)).map(Reply)
    });
    let (server, _io) = serve([root]).await;
    let (mut ann, ann_id) = socket::connect(server.endpoint, "/").await;
    let (mut bob, bob_id) = socket::connect(server.endpoint, "/").await;
    ann.send(&format!(r#"421["private","{bob_id}","hello"]"#)).await;
    assert_eq!(ann.frame().await, text("431[1]"));
    assert_eq!(bob.frame().await, text(format!(r#"42["private","{ann_id}","hello"]"#)));
}
