//! Literal bytes against a Socket.IO server: what clients of any make, and strangers, get to see.
//!
//! Labels such as `CV-05` or `J1` are the rows of our lists of behaviours and of abuse.

mod acks;
mod admission;
mod binary;
mod buffer;
mod closing;
mod cluster;
mod cluster_faults;
mod cluster_presence;
mod connect;
mod data;
mod delays;
mod disconnect;
mod embedding;
mod emits;
mod events;
mod families;
mod history;
mod limits;
mod listeners;
mod membership;
mod middlewares;
mod msgpack;
mod observers;
mod parsers;
mod presence;
mod recovery;
mod retries;
mod revision3;
mod rooms;
mod slow;
mod stats;
mod syntax;
mod takeovers;
mod testing;
mod throttle;
mod tracing;
mod turns;
mod violations;

use socketio::{Args, Broadcast, Config, Data, DisconnectReason, Namespace, Reply, Socket, SocketIo};
use tests::{
    frames::{Frame, WebSocket, text},
    server::{self, Server},
    within,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A namespace whose clients can ask for an ack, be echoed, join rooms and leave them.
fn namespace(name: &str) -> Namespace {
    Namespace::new(name)
        .on("ack", async |args: Args| Reply(args))
        .on("echo", async |socket: Socket, args: Args| socket.emit("echo", &args))
        .on("join", async |socket: Socket, Data(room): Data<String>| socket.join(room).map(Reply))
        .on("leave", async |socket: Socket, Data(room): Data<String>| {
            socket.leave(room);
            Reply(())
        })
}

async fn serve(namespaces: impl IntoIterator<Item = Namespace>) -> (Server, SocketIo) {
    server::socketio(Config::default(), namespaces).await
}

/// All that the client was sent so far: what comes before the answer to one more event.
async fn heard(client: &mut WebSocket) -> Vec<Frame> {
    client.send(r#"429007["ack","heard"]"#).await;
    let mut frames = Vec::new();
    loop {
        match client.frame().await {
            Frame::Text(text) if text == r#"439007["heard"]"# => return frames,
            Frame::End => panic!("closed after {frames:?}"),
            frame => frames.push(frame),
        }
    }
}

/// Which of the clients heard `event`, each once and nothing else.
async fn hearers(clients: &mut [WebSocket], event: &str) -> Vec<usize> {
    let mut hearers = Vec::new();
    for (at, client) in clients.iter_mut().enumerate() {
        match heard(client).await.as_slice() {
            [] => {}
            [Frame::Text(text)] if text == event => hearers.push(at),
            other => panic!("client {at} heard {other:?}"),
        }
    }
    hearers
}

/// Has a client join a room.
async fn join_room(client: &mut WebSocket, room: &str) {
    client.send(&format!(r#"421["join","{room}"]"#)).await;
    assert_eq!(client.frame().await, text("431[]"));
}

/// A choice of recipients, told from a broadcast to everybody and the clients' ids.
type Choice = fn(Broadcast, &[String]) -> Broadcast;

/// What came of something that a handler does; a clone of the sender is for the handler.
struct Told<T>(UnboundedReceiver<T>);

impl<T> Told<T> {
    fn new() -> (UnboundedSender<T>, Self) {
        let (sender, receiver) = unbounded_channel();
        (sender, Self(receiver))
    }

    #[track_caller]
    fn next(&mut self) -> impl Future<Output = T> {
        let next = within(self.0.recv());
        async move { next.await.expect("the server runs") }
    }

    /// Nothing more was told up to now.
    #[track_caller]
    fn none(&mut self) {
        assert!(self.0.try_recv().is_err());
    }
}

/// The reason why a socket left, and the rooms it was in.
type Left = (String, Vec<String>);

/// A namespace that tells of each socket that leaves it.
fn telling(namespace: Namespace) -> (Namespace, Told<Left>) {
    let (sender, told) = Told::new();
    let namespace = namespace.on_disconnect(move |socket: Socket, reason: DisconnectReason| {
        let rooms = socket.rooms().iter().map(ToString::to_string).collect();
        let _over = sender.send((reason.to_string(), rooms));
        async {}
    });
    (namespace, told)
}
