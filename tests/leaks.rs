//! What is over leaves nothing behind. Alone in its process, whose descriptors and memory are measured.

use std::{
    fs,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use socketio::{Args, Namespace, Reply, Socket};
use tests::{Row, frames::WebSocket, polling::Polling, server, socket, within};

/// Runs a test while no other has as much as a runtime.
fn alone(test: impl Future<Output = ()>) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test);
}

/// In flight at a time: each takes up to six descriptors here, on both sides together.
const AT_ONCE: usize = 150;
const ROUNDS: usize = 7;

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("Linux").count()
}

/// Waits until the numbers of descriptors and of sessions are what they were. There is no event to wait for.
async fn settle(before: usize, sessions: impl Fn() -> usize) {
    within(async {
        while (descriptors(), sessions()) != (before, 0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Cuts off a thousand clients, each in the state that `arrive` leaves it in.
async fn check<C>(label: &str, sessions: impl Fn() -> usize, arrive: impl AsyncFn(usize) -> C) {
    let _row = Row(label);
    let before = descriptors();
    for _ in 0..ROUNDS {
        let mut clients = Vec::with_capacity(AT_ONCE);
        for at in 0..AT_ONCE {
            clients.push(arrive(at).await);
        }
        drop(clients);
        settle(before, &sessions).await;
    }
}

#[test]
fn clients_that_are_cut_off_leave_no_descriptor_and_no_session() {
    alone(cut_off());
}

async fn cut_off() {
    let (server, sessions) = server::engine(engineio::Config::default()).await;
    let count = || sessions.engine.clients_count();
    check("on a WebSocket", count, async |_| WebSocket::open(server.endpoint).await).await;
    server.stop().await;

    // Of a client between two polls nothing is seen until it does not answer a ping.
    let (ping_interval, ping_timeout) = (Duration::from_millis(200), Duration::from_millis(300));
    let config = engineio::Config { ping_interval, ping_timeout, ..engineio::Config::default() };
    let (server, sessions) = server::engine(config).await;
    let count = || sessions.engine.clients_count();
    check("between two polls, polling, posting, and upgrading", count, async |at| {
        let mut client = Polling::open(server.endpoint).await;
        let mut newcomer = None;
        match at % 4 {
            0 => {}
            1 => client.send_get().await,
            2 => client.begin_post("content-length: 10\r\n").await,
            _ => newcomer = Some(client.upgrade().await),
        }
        (client, newcomer)
    })
    .await;
    server.stop().await;

    let root = Namespace::new("/").on_connect(async |socket: Socket| socket.join("room"));
    let (server, io) = server::socketio(socketio::Config::default(), [root]).await;
    let count = || io.clients_count();
    check("in a namespace and a room", count, async |_| socket::connect(server.endpoint, "/").await).await;
    let root = io.of("/").expect("served");
    assert_eq!((root.sockets(), root.to("room").sockets()), (vec![], vec![]));
}

/// Resident memory of this process, in bytes.
fn memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
}

/// A kept answer takes some 200 bytes: that of all these questions would be far over the limit.
#[test]
fn questions_that_nobody_answers_leave_no_memory() {
    alone(unanswered());
}

async fn unanswered() {
    const QUESTIONS: usize = 1000;
    const LIMIT: usize = 4 << 20;
    let root = Namespace::new("/").on("ask", async |socket: Socket| {
        let ask = |_| socket.timeout(Duration::ZERO).emit_with_ack::<Args>("question", &()).expect("connected");
        for answer in (0..QUESTIONS).map(ask).collect::<Vec<_>>() {
            assert!(answer.await.is_err());
        }
        Reply(())
    });
    let (server, _io) = server::socketio(socketio::Config::default(), [root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    let mut before = 0;
    for round in 0..60 {
        if round == 10 {
            before = memory();
        }
        client.send(r#"421["ask"]"#).await;
        while client.text().await != "431[]" {}
    }
    let grown = memory().saturating_sub(before);
    assert!(grown < LIMIT, "{grown} bytes");
}
