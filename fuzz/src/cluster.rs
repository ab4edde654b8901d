//! What it is: any message of a cluster given to a server; what that says then, another one reads.
//! What it is not: a check of what the message does, which is for `tests/socketio_wire/cluster.rs`.
//! Who calls it: libFuzzer and the replay test.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use socketio::{Args, ClusterOptions, Config, Namespace, Presence, Reply, RoomHistory, ServerId, SocketIo};
use tokio::runtime::Builder;

/// Gives the message to a server that has a namespace, rooms that keep events, and a handler.
pub fn cluster(data: &[u8]) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _runtime = runtime.enter();
    let (io, published) = server();
    let received = io.receive(Bytes::copy_from_slice(data));
    let said = std::mem::take(&mut *published.lock().expect("not poisoned"));
    assert!(io.other_servers().len() <= 1, "one message is of one server");
    assert!(received.is_ok() || said.is_empty(), "to what it leaves it says nothing");
    // The first message of a server is answered with a greeting, too.
    assert!(said.len() <= 2, "one message is answered once");
    for message in said {
        let (other, _published) = server();
        assert_eq!(other.receive(message), Ok(()));
    }
}

/// A server, and what it has published but for its greeting.
fn server() -> (SocketIo, Arc<Mutex<Vec<Bytes>>>) {
    let kept = Namespace::new("/").room_history("kept", RoomHistory::default()).presence("told", Presence::default());
    let io = SocketIo::new(Config::default(), [kept, Namespace::pattern("/game-{id}")]);
    let published = Arc::<Mutex<Vec<Bytes>>>::default();
    let sink = published.clone();
    let publish = move |message| sink.lock().expect("not poisoned").push(message);
    io.join_cluster(publish, ClusterOptions::default().on("echo", async |_: ServerId, args: Args| Reply(args)));
    published.lock().expect("not poisoned").clear();
    (io, published)
}
