//! Broadcasts that wait for more, where there is a flush delay.

use std::time::Duration;

use socketio::{AckError, Config, Namespace, Socket};
use tests::{
    frames::{Frame, WebSocket},
    polling::Polling,
    server, socket,
};
use tokio::sync::mpsc::UnboundedSender;

use crate::Told;

/// Longer than any test.
const NEVER: Duration = Duration::from_secs(3600);

fn delayed(delay: Duration) -> Config {
    Config { flush_delay: delay, ..Config::default() }
}

async fn hears(client: &mut WebSocket, packets: &[&str]) {
    for packet in packets {
        assert_eq!(client.frame().await, Frame::Text((*packet).into()));
    }
}

#[tokio::test]
async fn a_broadcast_leaves_by_itself_once_the_delay_is_over() {
    let (server, io) = server::socketio(delayed(Duration::from_millis(20)), [Namespace::new("/")]).await;
    let (mut client, _) = socket::connect(server.endpoint, "/").await;
    for round in 0..3 {
        io.emit("a", &round).expect("emitted");
        io.to("nobody").emit("b", &round).expect("emitted");
        io.emit("c", &round).expect("emitted");
        hears(&mut client, &[&format!(r#"42["a",{round}]"#), &format!(r#"42["c",{round}]"#)]).await;
    }
}

#[tokio::test]
async fn what_is_for_one_client_takes_along_what_waits_for_it() {
    let answering = Namespace::new("/").on("go", async |socket: Socket| socket.emit("done", &()));
    let (server, io) = server::socketio(delayed(NEVER), [answering]).await;
    let (mut client, _) = socket::connect(server.endpoint, "/").await;
    io.emit("a", &1).expect("emitted");
    io.emit("a", &2).expect("emitted");
    client.send(r#"42["go"]"#).await;
    hears(&mut client, &[r#"42["a",1]"#, r#"42["a",2]"#, r#"42["done"]"#]).await;
}

#[tokio::test]
async fn a_full_batch_does_not_wait() {
    let (server, io) = server::socketio(delayed(NEVER), [Namespace::new("/")]).await;
    let (mut client, _) = socket::connect(server.endpoint, "/").await;
    // The first ones leave at once if the connection is still at work, so there are some more than a batch.
    for number in 0..100 {
        io.emit("n", &number).expect("emitted");
    }
    for number in 0..64 {
        hears(&mut client, &[&format!(r#"42["n",{number}]"#)]).await;
    }
    io.emit("large", &"x".repeat(64 * 1024)).expect("emitted");
    for number in 64..100 {
        hears(&mut client, &[&format!(r#"42["n",{number}]"#)]).await;
    }
    assert!(matches!(client.frame().await, Frame::Text(text) if text.len() > 64 * 1024));
}

#[tokio::test]
async fn a_namespace_may_have_its_own_delay() {
    let namespaces = [Namespace::new("/"), Namespace::new("/now").flush_delay(Duration::ZERO)];
    let (server, io) = server::socketio(delayed(NEVER), namespaces).await;
    let (mut client, _) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut client, "/now").await;
    io.emit("a", &()).expect("emitted");
    io.of("/now").expect("a namespace").emit("b", &()).expect("emitted");
    hears(&mut client, &[r#"42["a"]"#, r#"42/now,["b"]"#]).await;
}

#[tokio::test]
async fn what_is_volatile_leaves_at_once_behind_what_waits() {
    let (server, io) = server::socketio(delayed(NEVER), [Namespace::new("/")]).await;
    let (mut client, _) = socket::connect(server.endpoint, "/").await;
    io.emit("a", &()).expect("emitted");
    // Not while the connection is still at work.
    while io.volatile().emit("b", &()).expect("emitted") == 0 {
        tokio::task::yield_now().await;
    }
    hears(&mut client, &[r#"42["a"]"#, r#"42["b"]"#]).await;
}

#[tokio::test]
async fn a_parked_get_waits_as_well() {
    let (server, io) = server::socketio(delayed(Duration::from_millis(20)), [Namespace::new("/")]).await;
    let mut client = Polling::open(server.endpoint).await;
    assert_eq!(client.post("40").await.body, "ok");
    assert!(client.get().await.body.starts_with("40{"));
    client.send_get().await;
    server.waiting(1).await;
    io.emit("a", &1).expect("emitted");
    io.emit("a", &2).expect("emitted");
    assert_eq!(client.gets.answer().await.body, "42[\"a\",1]\u{1e}42[\"a\",2]");
}

/// Whatever waits for that, in handlers of what is emitted and of those who leave.
#[test]
fn threads_without_a_runtime_may_ask_and_disconnect() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (sender, mut told) = Told::new();
    let (leaving, left) = (sender.clone(), sender.clone());
    let tell = |name: &'static str, sender: UnboundedSender<&'static str>| {
        move || {
            let sender = sender.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                let _over = sender.send(name);
            }
        }
    };
    let root = Namespace::new("/")
        .on_any_outgoing(tell("outgoing", sender))
        .on_disconnecting(tell("leaving", leaving))
        .on_disconnect(tell("left", left));
    let (server, io) = runtime.block_on(server::socketio(Config::default(), [root]));
    let (mut client, _) = runtime.block_on(socket::connect(server.endpoint, "/"));
    let asked = io.sockets().remove(0);
    let answer = asked.clone().timeout(Duration::from_millis(20)).emit_with_ack::<u8>("question", &());
    runtime.block_on(async {
        assert_eq!(told.next().await, "outgoing");
        assert!(matches!(answer.expect("emitted").await, Err(AckError::Timeout)));
    });
    asked.disconnect();
    assert_eq!((asked.is_connected(), io.sockets().len()), (false, 0));
    runtime.block_on(async {
        hears(&mut client, &[r#"420["question"]"#, "41"]).await;
        // They wait beside each other.
        let mut ended = [told.next().await, told.next().await];
        ended.sort_unstable();
        assert_eq!(ended, ["leaving", "left"]);
    });
}

#[test]
fn threads_without_a_runtime_may_emit() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let delay = Duration::from_millis(20);
    let (server, io) = runtime.block_on(server::socketio(delayed(delay), [Namespace::new("/")]));
    let (mut client, _) = runtime.block_on(socket::connect(server.endpoint, "/"));
    io.emit("a", &1).expect("emitted");
    runtime.block_on(hears(&mut client, &[r#"42["a",1]"#]));
}
