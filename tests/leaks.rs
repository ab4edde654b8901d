//! Clients that come and are cut off leave nothing behind. Alone in its process, whose descriptors it counts.

use std::{fs, time::Duration};

use tests::{Row, frames::WebSocket, polling::Polling, server, server::Endpoint, socket, within};

/// In flight at a time: each takes up to four descriptors here, on both sides together.
const AT_ONCE: usize = 100;
const ROUNDS: usize = 10;

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("Linux").count()
}

/// Times after which the server gives up a client that it cannot see gone.
fn config(path: &str) -> engineio::Config {
    let (ping_interval, ping_timeout) = (Duration::from_millis(50), Duration::from_millis(100));
    engineio::Config { path: path.into(), ping_interval, ping_timeout, ..engineio::Config::default() }
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

async fn websocket(endpoint: Endpoint) -> WebSocket {
    WebSocket::open(endpoint).await.0
}

#[tokio::test]
async fn a_thousand_clients_that_are_cut_off_leave_no_descriptor_and_no_session() {
    let (server, sessions) = server::engine(config("/engine.io/")).await;
    let endpoint = server.endpoint;
    let count = || sessions.engine.clients_count();
    check("on a WebSocket", count, async |_| websocket(endpoint).await).await;
    check("between two polls, polling, posting, and upgrading", count, async |at| {
        let mut client = Polling::open(endpoint).await;
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

    let (server, io) = server::socketio(
        socketio::Config { engine: config("/socket.io/"), ..socketio::Config::default() },
        [socketio::Namespace::new("/").on_connect(async |socket: socketio::Socket| socket.join("room"))],
    )
    .await;
    check("in a namespace and a room", || io.clients_count(), async |_| socket::connect(server.endpoint, "/").await)
        .await;
    let root = io.of("/").expect("served");
    assert_eq!((root.sockets(), root.to("room").sockets()), (vec![], vec![]));
}
