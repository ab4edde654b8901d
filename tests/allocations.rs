//! How often the server allocates for what happens most often. One allocation more is noticed; one less, too, so that
//! it stays so. A process of its own, whose allocator counts.
//!
//! Server and client take turns on one thread, so that what arrives together is the same in each run; what the client
//! allocates is left out, and it may be as wasteful as it likes. Two runs of different length are compared, which
//! leaves nothing but the operations.

use std::{future::poll_fn, pin::pin};

use socketio::{Args, Config, Data, Namespace, Reply, Socket};
use tests::{
    frames::{self, WebSocket},
    polling::Polling,
    server::{self, Server},
    socket,
};
use tokio::runtime::Builder;

/// Operations by which the longer run of each pair is longer. Before them come those that fill tables and buffers.
const OPERATIONS: u64 = 500;
const WARM_UP: u64 = 100;

/// The events of profile `bench` (`tests/src/conformance/bench.rs`), and one that asks back.
fn root() -> Namespace {
    Namespace::new("/")
        .on("echo", async |socket: Socket, args: Args| socket.emit("echo", &args))
        .on("ack", async |args: Args| Reply(args))
        .on("join", async |socket: Socket, Data(room): Data<String>| socket.join(room).map(Reply))
        .on("cast", async |socket: Socket, Data(room): Data<String>, args: Args| {
            socket.namespace().to(room).emit("msg", &args.skip(1)).map(drop)
        })
        .on("ask", async |socket: Socket, args: Args| {
            let answer = socket.emit_with_ack::<Args>("question", &args)?.await?;
            socket.emit("answered", &answer)?;
            Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
        })
}

/// Allocations of a server from its start to its end, while a client does so many operations.
fn allocations(operations: u64, client: impl AsyncFnOnce(&Server, u64)) -> u64 {
    let served = allocation_counter::measure(|| {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (server, _io) = server::socketio(Config::default(), [root()]).await;
            uncounted(client(&server, operations)).await;
            uncounted(server.stop()).await;
        });
    });
    served.count_total
}

/// What the client does, without its allocations.
async fn uncounted(client: impl Future<Output = ()>) {
    let mut client = pin!(client);
    poll_fn(|cx| {
        let mut polled = None;
        allocation_counter::opt_out(|| polled = Some(client.as_mut().poll(cx)));
        polled.expect("it was polled")
    })
    .await;
}

/// Allocations of a single operation. Rounded: buffers and queues that grow while all runs are some per hundred.
fn of_one(client: impl AsyncFn(&Server, u64)) -> u64 {
    per(OPERATIONS, of_operations(client))
}

/// Allocations of [`OPERATIONS`] operations.
fn of_operations(client: impl AsyncFn(&Server, u64)) -> u64 {
    let warm_up = allocations(WARM_UP, &client);
    allocations(WARM_UP + OPERATIONS, &client) - warm_up
}

fn per(times: u64, allocations: u64) -> u64 {
    (allocations + times / 2) / times
}

/// Sends a text again and again, each time waiting for the answer.
async fn repeat(server: &Server, operations: u64, sent: &str, answer: &str) {
    let (mut websocket, _id) = socket::connect(server.endpoint, "/").await;
    for _ in 0..operations {
        websocket.send(sent).await;
        assert_eq!(websocket.text().await, answer);
    }
}

#[test]
fn allocations_of_an_echo() {
    let echo = r#"42["echo","some text"]"#;
    assert_eq!(of_one(async |server, operations| repeat(server, operations, echo, echo).await), 7);
}

#[test]
fn allocations_of_an_ack() {
    let (event, ack) = (r#"421["ack","some text"]"#, r#"431["some text"]"#);
    assert_eq!(of_one(async |server, operations| repeat(server, operations, event, ack).await), 7);
}

/// An event that has the server ask, the question, its answer, and an event that says so.
#[test]
fn allocations_of_a_question() {
    let asked = of_one(async |server, operations| {
        let (mut websocket, _id) = socket::connect(server.endpoint, "/").await;
        for id in 0..operations {
            websocket.send(r#"42["ask","some text"]"#).await;
            assert_eq!(websocket.text().await, format!(r#"42{id}["question","some text"]"#));
            websocket.send(&format!(r#"43{id}["some text"]"#)).await;
            assert_eq!(websocket.text().await, r#"42["answered","some text"]"#);
        }
    });
    assert_eq!(asked, 17);
}

/// Allocations of [`OPERATIONS`] broadcasts to a room of this size.
fn of_broadcasts(members: u64) -> u64 {
    of_operations(async |server, operations| {
        let mut room: Vec<WebSocket> = Vec::new();
        for _ in 0..members {
            let (mut member, _id) = socket::connect(server.endpoint, "/").await;
            member.send(r#"420["join","room"]"#).await;
            assert_eq!(member.text().await, "430[]");
            room.push(member);
        }
        let (mut sender, _id) = socket::connect(server.endpoint, "/").await;
        for _ in 0..operations {
            sender.send(r#"42["cast","room","some text"]"#).await;
            for member in &mut room {
                assert_eq!(member.frame().await, frames::text(r#"42["msg","some text"]"#));
            }
        }
    })
}

#[test]
fn allocations_of_a_broadcast_and_of_a_delivery() {
    let (few, many) = (of_broadcasts(5), of_broadcasts(25));
    assert_eq!((per(OPERATIONS, few), per(20 * OPERATIONS, many.saturating_sub(few))), (10, 0));
}

#[test]
fn allocations_of_a_polling_cycle() {
    let cycle = of_one(async |server, operations| {
        let echo = r#"42["echo","some text"]"#;
        let mut polling = Polling::open(server.endpoint).await;
        assert_eq!(polling.post("40").await.body, "ok");
        assert!(polling.get().await.body.starts_with("40"));
        for _ in 0..operations {
            polling.send_get().await;
            server.waiting(1).await;
            assert_eq!(polling.post(echo).await.body, "ok");
            assert_eq!(polling.gets.answer().await.body, echo);
        }
    });
    assert_eq!(cycle, 32);
}
