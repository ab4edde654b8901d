//! Clients that come back while a connection before is still there, or is on its way in or out.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use socketio::{Namespace, Recovery, Reply, RoomChange, Socket};
use tests::{
    frames::{Frame, WebSocket, text},
    server::Endpoint,
    within,
};

use crate::{
    Told, namespace,
    recovery::{asked, cut, events, ids, join, serve_with},
    telling,
};

/// The second one is let in while the connect handler of the first one waits.
#[tokio::test]
async fn rc_05_i21_a_client_that_comes_back_twice_at_once_has_its_rooms_and_what_it_missed() {
    let (sender, mut held) = Told::new();
    let (root, mut told) = telling(asked(namespace("/")));
    let root = root.on_connect(move |socket: Socket| {
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let is_held = socket.handshake().query.contains("hold") && sender.send(go).is_ok();
        async move {
            if is_held {
                let _gone = wait.await;
            }
        }
    });
    let (server, io) = serve_with(Recovery::default(), [root]).await;
    let mut client = join(server.endpoint, "").await;
    client.ask(r#"["join","room"]"#).await;
    let claim = client.claim_without_offset();
    cut(client, &mut told).await;
    io.to("room").emit("missed", &()).expect("encoded");

    let (mut first, _sid) = WebSocket::open(server.endpoint.asked("EIO=4&hold=1")).await;
    first.send(&format!("40{claim}")).await;
    let _go = held.next().await;
    let mut second = join(server.endpoint, &claim).await;
    assert_eq!(events(&second.missed), [text(r#"42["missed"]"#)]);
    assert_eq!(second.ask(r#"["state"]"#).await, r#"431[true,["room"],null]"#);
}

/// What a client missed is by the rooms that it was in, whatever its connect handler makes of them.
#[tokio::test]
async fn rc_04_06_what_a_connect_handler_joins_and_leaves_is_not_what_was_missed() {
    let (root, mut told) = telling(asked(namespace("/")));
    let root = root.on_connect(async |socket: Socket| {
        if socket.recovered() {
            socket.leave("old");
            socket.join("new").expect("one room is allowed");
        }
    });
    let (server, io) = serve_with(Recovery::default(), [root]).await;
    let mut client = join(server.endpoint, "").await;
    client.ask(r#"["join","old"]"#).await;
    let claim = client.claim_without_offset();
    cut(client, &mut told).await;
    io.to("old").emit("old", &()).expect("encoded");
    io.to("new").emit("new", &()).expect("encoded");
    let mut back = join(server.endpoint, &claim).await;
    assert_eq!(events(&back.missed), [text(r#"42["old"]"#)]);
    assert_eq!(back.ask(r#"["state"]"#).await, r#"431[true,["new"],null]"#);
}

/// Numbers that look random and are the same each time (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// One that has been let in.
struct Guest {
    websocket: WebSocket,
    name: String,
    claim: String,
}

impl Guest {
    /// Joins a namespace; `None` when another connection of the same client was faster.
    async fn join(endpoint: Endpoint, name: &str, auth: &str) -> Option<Self> {
        let (mut websocket, _sid) = WebSocket::open(endpoint).await;
        websocket.send(&format!("40{name},{auth}")).await;
        let prefix = format!("40{name},");
        loop {
            match websocket.frame().await {
                Frame::Text(text) if text.starts_with(&prefix) => {
                    let (_sid, pid) = ids(&text.replacen(&prefix, "40", 1));
                    let (name, claim) = (name.to_owned(), format!(r#"{{"pid":"{pid}"}}"#));
                    return Some(Self { websocket, name, claim });
                }
                Frame::Text(_) => {}
                _ => return None,
            }
        }
    }

    async fn send(&mut self, event: &str) {
        self.websocket.send(&format!("42{},{event}", self.name)).await;
    }

    /// Whether it is still let in; if so, everybody must find it.
    async fn is_there(&mut self) -> bool {
        self.websocket.send(&format!("42{},7[\"found\"]", self.name)).await;
        let prefix = format!("43{},7[", self.name);
        loop {
            match self.websocket.frame().await {
                Frame::Text(text) if text.starts_with(&prefix) => {
                    assert_eq!(text, format!("{prefix}true]"), "in its namespace and in its rooms");
                    return true;
                }
                Frame::Text(_) => {}
                _ => return false,
            }
        }
    }
}

/// One client that is cut off, and comes back by two connections at once, again and again.
async fn come_and_go(endpoint: Endpoint, seed: u64) {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let name = format!("/game-{}", seed % 3);
    let mut guest = Guest::join(endpoint, &name, "").await.expect("nobody claims it");
    for _ in 0..30 {
        // What came before may have gone on behind the answer to this one's CONNECT.
        assert!(guest.is_there().await);
        for _ in 0..random.below(4) {
            let room = random.below(3);
            match random.below(3) {
                0 => guest.send(&format!(r#"["join","{room}"]"#)).await,
                1 => guest.send(&format!(r#"["leave","{room}"]"#)).await,
                _ => guest.send(&format!(r#"["tell","{room}"]"#)).await,
            }
        }
        let Guest { websocket, claim, .. } = guest;
        let (cut_before, cut_behind) =
            if random.below(2) == 0 { (Some(websocket), None) } else { (None, Some(websocket)) };
        drop(cut_before);
        let auth = if random.below(8) == 0 { String::new() } else { claim };
        let cut = async { drop(cut_behind) };
        let (first, second, ()) =
            tokio::join!(Guest::join(endpoint, &name, &auth), Guest::join(endpoint, &name, &auth), cut);
        let mut there = Vec::new();
        for mut guest in first.into_iter().chain(second) {
            if guest.is_there().await {
                there.push(guest);
            }
        }
        guest = there.pop().expect("the last one that claimed it, or two that are new");
        if let Some(mut other) = there.pop() {
            other.websocket.send(&format!("41{name},")).await;
        }
    }
}

/// Counts of what comes and goes.
#[derive(Default)]
struct Balance {
    rooms: AtomicI64,
    members: AtomicI64,
    leaving: AtomicI64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rc_05_rm_01_ns_25_whoever_comes_and_goes_at_once_is_found_and_leaves_nothing() {
    let balance = Arc::new(Balance::default());
    let (changed, disconnecting, disconnected) = (balance.clone(), balance.clone(), balance.clone());
    let games = Namespace::pattern("/game-{id}")
        .on("join", async |socket: Socket, room: socketio::Data<String>| socket.join(room.0))
        .on("leave", async |socket: Socket, room: socketio::Data<String>| socket.leave(room.0))
        .on("tell", async |socket: Socket, room: socketio::Data<String>| socket.to(room.0).emit("told", "x").map(drop))
        .on("found", async |socket: Socket| {
            let rooms = socket.rooms().into_iter().chain([socket.id().into()]);
            let is_in = |room| socket.namespace().to(room).ids().iter().filter(|id| **id == socket.id()).count() == 1;
            Reply(rooms.into_iter().all(is_in))
        })
        .on_room(move |_name, change| {
            let (count, by) = match change {
                RoomChange::Create(_) => (&changed.rooms, 1),
                RoomChange::Delete(_) => (&changed.rooms, -1),
                RoomChange::Join(..) => (&changed.members, 1),
                RoomChange::Leave(..) => (&changed.members, -1),
                _ => return,
            };
            count.fetch_add(by, Ordering::SeqCst);
        })
        .on_disconnecting(move || {
            disconnecting.leaving.fetch_add(1, Ordering::SeqCst);
            // So that others come meanwhile.
            std::thread::sleep(Duration::from_micros(300));
            async {}
        })
        .on_disconnect(move || {
            disconnected.leaving.fetch_sub(1, Ordering::SeqCst);
            async {}
        });
    let recovery = Recovery { max_disconnection_duration: Duration::from_millis(300), ..Recovery::default() };
    let (server, io) = serve_with(recovery, [games]).await;
    let clients: Vec<_> = (1..=8).map(|seed| tokio::spawn(come_and_go(server.endpoint, seed))).collect();
    for client in clients {
        client.await.expect("every client was found");
    }
    // There is no event to wait for when what is kept is given up.
    within(async {
        while (0..3).any(|game| io.of(&format!("/game-{game}")).is_some()) || io.clients_count() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    for count in [&balance.rooms, &balance.members, &balance.leaving] {
        assert_eq!(count.load(Ordering::SeqCst), 0);
    }
}
