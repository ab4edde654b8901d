//! How many events of one socket are handled at a time, and in which order; and what handlers share.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use engineio::Handshake;
use serde_json::json;
use socketio::{
    Auth, Config, ConnectError, Data, DisconnectReason, Event, EventError, FromEvent, Hooks, Kind, Namespace,
    Rejection, Reply, Sequential, Socket, SocketData, SocketIo, State,
};
use tests::{
    Row,
    frames::{WebSocket, text},
    server::{self, Endpoint, Server},
    socket, within,
};
use tokio::sync::watch;

use crate::{Told, namespace, serve};

/// A namespace in which `slow` waits for its gate to be raised to its argument, and both it and `fast` tell of their
/// beginning; what is given to `slow` is told at its end, too.
struct Gated {
    gate: watch::Sender<usize>,
    told: Told<String>,
    server: Server,
    io: SocketIo,
}

type Tell = tokio::sync::mpsc::UnboundedSender<String>;

async fn slow(State(gate): State<watch::Sender<usize>>, State(tell): State<Tell>, Data(height): Data<usize>) {
    let _over = tell.send(format!("begin {height}"));
    within(gate.subscribe().wait_for(|gate| *gate >= height)).await.expect("the gate stays");
    let _over = tell.send(format!("end {height}"));
}

async fn gated(build: impl FnOnce(Namespace) -> Namespace) -> Gated {
    let gate = watch::Sender::new(0);
    let (tell, told) = Told::<String>::new();
    let namespace = namespace("/").state(gate.clone()).state(tell).on("fast", async |State(tell): State<Tell>| {
        let _over = tell.send("fast".into());
    });
    let (server, io) = serve([build(namespace)]).await;
    Gated { gate, told, server, io }
}

impl Gated {
    async fn told(&mut self, count: usize) -> Vec<String> {
        let mut told = Vec::new();
        while told.len() < count {
            told.push(self.told.next().await);
        }
        told
    }

    async fn client(&self) -> WebSocket {
        socket::connect(self.server.endpoint, "/").await.0
    }
}

#[tokio::test]
async fn ev_01_events_begin_in_order_and_one_that_waits_lets_the_next_begin() {
    let mut gated = gated(|namespace| namespace.on("slow", slow)).await;
    let mut client = gated.client().await;
    for event in [r#"42["slow",2]"#, r#"42["slow",1]"#, r#"42["fast"]"#] {
        client.send(event).await;
    }
    assert_eq!(gated.told(3).await, ["begin 2", "begin 1", "fast"]);
    gated.gate.send_replace(1);
    assert_eq!(gated.told(1).await, ["end 1"]);
    gated.gate.send_replace(2);
    assert_eq!(gated.told(1).await, ["end 2"]);
}

#[tokio::test]
async fn a_sequential_handler_has_one_event_of_a_socket_at_a_time() {
    let mut gated = gated(|namespace| namespace.on("slow", Sequential::new(slow))).await;
    let (mut one, mut other) = (gated.client().await, gated.client().await);
    for event in [r#"42["slow",1]"#, r#"42["slow",0]"#, r#"42["slow",2]"#, r#"42["fast"]"#] {
        one.send(event).await;
    }
    assert_eq!(gated.told(2).await, ["begin 1", "fast"], "other handlers do not wait");
    other.send(r#"42["slow",0]"#).await;
    assert_eq!(gated.told(2).await, ["begin 0", "end 0"], "nor do other sockets");
    gated.gate.send_replace(1);
    assert_eq!(gated.told(4).await, ["end 1", "begin 0", "end 0", "begin 2"]);
    drop(one);
    gated.gate.send_replace(2);
    assert_eq!(gated.told(1).await, ["end 2"]);
}

#[tokio::test]
async fn a_sequential_namespace_has_one_event_of_a_socket_at_a_time_and_its_leaving_last() {
    let mut gated = gated(|namespace| {
        namespace.sequential().on("slow", slow).on_disconnect(
            async |State(tell): State<Tell>, reason: DisconnectReason| {
                let _over = tell.send(reason.to_string());
            },
        )
    })
    .await;
    let (mut one, mut other) = (gated.client().await, gated.client().await);
    for event in [r#"42["slow",1]"#, r#"42["fast"]"#, r#"42["slow",2]"#, "41"] {
        one.send(event).await;
    }
    assert_eq!(gated.told(1).await, ["begin 1"]);
    other.send(r#"42["fast"]"#).await;
    assert_eq!(gated.told(1).await, ["fast"], "sockets do not wait for each other");
    gated.gate.send_replace(1);
    assert_eq!(gated.told(3).await, ["end 1", "fast", "begin 2"], "it had left, but sent them before");
    gated.gate.send_replace(2);
    assert_eq!(gated.told(2).await, ["end 2", "client namespace disconnect"]);
    assert_eq!(gated.io.sockets().len(), 1);
}

async fn count(
    State(gate): State<watch::Sender<usize>>,
    socket: Socket,
    before: Option<SocketData<usize>>,
    Data(more): Data<usize>,
) -> Reply<usize> {
    let count = before.map_or(0, |before| *before) + more;
    within(gate.subscribe().wait_for(|gate| *gate > 0)).await.expect("the gate stays");
    socket.set(count);
    Reply(count)
}

/// What a handler takes is as the event before has left it.
#[tokio::test]
async fn who_waits_for_its_turn_takes_its_arguments_behind_that() {
    for (label, build) in [
        ("a handler", (|namespace| namespace.on("count", Sequential::new(count))) as fn(Namespace) -> Namespace),
        ("a namespace", |namespace| namespace.sequential().on("count", count)),
    ] {
        let _row = Row(label);
        let gate = watch::Sender::new(0_usize);
        let (sender, mut failures) = Told::new();
        let hooks = Hooks::default().on_failure(move |failure| _ = sender.send(failure.to_string()));
        let config = Config { hooks, error_acks: true, ..Config::default() };
        let (server, _io) =
            server::socketio(config, [build(namespace("/").state(gate.clone())), namespace("/other")]).await;
        let (mut client, _id) = socket::connect(server.endpoint, "/").await;
        for (id, more) in [(1, "1"), (2, "10"), (3, r#""many""#), (4, "100")] {
            client.send(&format!(r#"42{id}["count",{more}]"#)).await;
        }
        // Behind them.
        socket::join(&mut client, "/other").await;
        gate.send_replace(1);
        for answer in ["431[1]", "432[11]", r#"433[{"error":{"message":"Invalid arguments"}}]"#, "434[111]"] {
            assert_eq!(client.frame().await, text(answer));
        }
        assert!(failures.next().await.contains(" was not called: "));
    }
}

/// A handler that panics gives its turn on.
#[tokio::test]
async fn a_turn_ends_with_its_handler_however_that_ends() {
    let calls = Arc::new(AtomicUsize::new(0));
    let namespace = namespace("/").state(calls.clone()).sequential().on_fallback(
        async |socket: Socket, State(calls): State<Arc<AtomicUsize>>| {
            tokio::task::yield_now().await;
            calls.fetch_add(1, Ordering::Relaxed);
            let _sent = socket.emit("called", &());
            assert!(socket.id().as_str().is_empty(), "the handler's own panic");
        },
    );
    let (server, _io) = serve([namespace]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send(r#"42["a"]"#).await;
    client.send(r#"42["b"]"#).await;
    assert_eq!(client.frame().await, text(r#"42["called"]"#));
    assert_eq!(client.frame().await, text("41"), "a panic disconnects");
    within(async {
        while calls.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Of the application's making: what every handler can ask for, and is told when it is missing.
#[tokio::test]
async fn handlers_share_state_and_ask_for_what_is_kept() {
    #[derive(Clone)]
    struct Greeting(&'static str);
    struct Missing;
    let (failed, mut failures) = Told::new();
    let hooks = Hooks::default().on_failure(move |failure| drop(failed.send(failure.to_string())));
    let root = Namespace::new("/")
        .state(Greeting("never"))
        .state(Greeting("hello"))
        .on_connect(async |socket: Socket| socket.set(String::from("kept")))
        .on("all", async |State(greeting): State<Greeting>, kept: SocketData<String>, handshake: Handshake| {
            let is_local = handshake.remote.is_some_and(|address| address.ip().is_loopback());
            let asked = handshake.params().any(|(name, value)| name == "EIO" && value == "4");
            Reply((greeting.0, kept.as_str().to_owned(), is_local, asked))
        })
        .on("no state", async |_: State<Vec<u8>>| Reply(()))
        .on("not kept", async |_: SocketData<Missing>| Reply(()))
        .on("perhaps", async |state: Option<State<Vec<u8>>>| Reply(state.is_some()));
    let config = Config { hooks, error_acks: true, ..Config::default() };
    let (server, _io) = server::socketio(config, [root, Namespace::new("/other")]).await;
    let mut client = joined(server.endpoint).await;
    for (event, answer) in [
        ("all", r#"["hello","kept",true,true]"#),
        ("no state", r#"[{"error":{"message":"Internal error"}}]"#),
        ("not kept", r#"[{"error":{"message":"Internal error"}}]"#),
        ("perhaps", "[false]"),
    ] {
        client.send(&format!(r#"421["{event}"]"#)).await;
        assert_eq!(client.frame().await, text(format!("431{answer}")), "{event}");
    }
    for what in ["no state of the type alloc::vec::Vec<u8>", "turns::handlers_share"] {
        let failure = failures.next().await;
        assert!(failure.contains(what), "{failure}");
    }
    failures.none();
}

/// An error of the application's, which says what a client is told.
struct Closed;

impl From<Closed> for ConnectError {
    fn from(Closed: Closed) -> Self {
        Self::new("closed today").with_data(json!({ "opens": 8 }))
    }
}

#[tokio::test]
async fn handlers_reach_the_server_and_refuse_with_errors_of_their_own() {
    let orders =
        Namespace::new("/orders").on("order", async |io: SocketIo, socket: Socket, Data(dish): Data<String>| {
            let same = socket.server().expect("it is there").server_id() == io.server_id();
            Reply((same, io.of("/kitchen").expect("served").emit("order", &dish).expect("emitted")))
        });
    let bar = Namespace::new("/bar").on_connect(async |io: SocketIo| match io.sockets().len() {
        0 => Ok(()),
        _ => Err(Closed),
    });
    let (server, _io) = serve([orders, namespace("/kitchen"), bar, namespace("/")]).await;
    let (mut cook, _id) = socket::connect(server.endpoint, "/kitchen").await;
    let (mut guest, _id) = socket::connect(server.endpoint, "/orders").await;
    guest.send(r#"42/orders,1["order","soup"]"#).await;
    assert_eq!(guest.frame().await, text("43/orders,1[true,1]"));
    assert_eq!(cook.frame().await, text(r#"42/kitchen,["order","soup"]"#));
    socket::join(&mut guest, "/bar").await;
    socket::join(&mut cook, "/").await;
    cook.send("40/bar,").await;
    assert_eq!(cook.frame().await, text(r#"44/bar,{"message":"closed today","data":{"opens":8}}"#));
}

/// Who has come as such.
struct Admin;

impl<K: Kind> FromEvent<K> for Admin {
    fn from_event(event: &Event<'_, K>) -> Result<Self, Rejection> {
        let Auth(auth) = Auth::<serde_json::Value>::from_event(event)?;
        let error = || EventError::new("admins only").with_data(json!({ "is": auth["role"] }));
        if auth["role"] == "admin" { Ok(Self) } else { Err(error().into()) }
    }
}

#[tokio::test]
async fn what_an_extractor_of_the_application_says_is_told() {
    let (sender, mut failures) = Told::new();
    let hooks = Hooks::default().on_failure(move |failure| _ = sender.send(failure.to_string()));
    let root = namespace("/").on("stop", async |_: Admin| Reply("stopped"));
    let office = namespace("/office").on_connect(async |_: Admin| {});
    let config = Config { hooks, error_acks: true, ..Config::default() };
    let (server, _io) = server::socketio(config, [root, office]).await;
    let mut client = joined(server.endpoint).await;
    client.send(r#"421["stop"]"#).await;
    assert_eq!(client.frame().await, text(r#"431[{"error":{"message":"admins only","data":{"is":null}}}]"#));
    client.send(r#"40/office,{"role":"guest"}"#).await;
    assert_eq!(client.frame().await, text(r#"44/office,{"message":"admins only","data":{"is":"guest"}}"#));
    for _ in 0..2 {
        assert!(failures.next().await.ends_with(" was not called: an argument was refused: admins only"));
    }
    client.send(r#"40/office,{"role":"admin"}"#).await;
    assert!(client.text().await.starts_with("40/office,{"));
}

async fn joined(endpoint: Endpoint) -> WebSocket {
    socket::connect(endpoint, "/").await.0
}

/// Events that waited for the connect handler are begun in its task; the client may send on meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i11_a_client_that_was_let_in_may_send_while_what_waited_is_begun() {
    let opened = watch::Sender::new(false);
    let (unblock, blocked) = std::sync::mpsc::channel();
    let blocked = Arc::new(std::sync::Mutex::new(blocked));
    let (begun, mut told) = Told::new();
    let gate = opened.clone();
    let root = namespace("/")
        .on_connect(move |_: Socket| {
            let mut gate = gate.subscribe();
            async move { drop(gate.wait_for(|opened| *opened).await) }
        })
        .on("first", move |_: Socket| {
            let _over = begun.send(());
            // As a handler that computes does, before its first wait.
            let unblocked = tokio::task::block_in_place(|| blocked.lock().expect("not poisoned").recv());
            async move { Reply(unblocked.is_ok()) }
        })
        .on("next", async |Data(number): Data<u32>| Reply(number));
    let (server, _io) = serve([root]).await;
    let (mut client, _sid) = WebSocket::open(server.endpoint).await;
    client.send("40").await;
    client.send(r#"420["first"]"#).await;
    // Both were read when this is answered.
    client.connection.send(tests::frames::masked(tests::frames::PING, b"")).await;
    assert_eq!(client.frame().await, tests::frames::Frame::Pong(Vec::new()));
    opened.send_replace(true);
    assert!(client.text().await.starts_with("40{"));
    told.next().await;
    for number in 1..=100 {
        client.send(&format!(r#"42{number}["next",{number}]"#)).await;
    }
    unblock.send(()).expect("the handler waits");
    assert_eq!(client.text().await, "430[true]");
    for number in 1..=100 {
        assert_eq!(client.text().await, format!("43{number}[{number}]"));
    }
}
