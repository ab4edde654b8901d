//! What applications keep with a socket.

use socketio::{Auth, Broadcast, Data, Namespace, Reply, Socket};
use tests::{
    Row,
    frames::{WebSocket, text},
    socket,
};
use tokio::sync::mpsc::UnboundedSender;

use crate::{Told, heard, namespace, serve};

/// A value of a type of its own.
struct Name(String);

/// A namespace whose clients may name themselves.
fn naming(name: &str) -> Namespace {
    namespace(name)
        .on("set", async |socket: Socket, Data(name): Data<String>| socket.set(Name(name)))
        .on("count", async |socket: Socket, Data(count): Data<u8>| socket.set(count))
        .on("get", async |socket: Socket| {
            Reply((socket.get::<Name>().map(|name| name.0.clone()), socket.get::<u8>().map(|count| *count)))
        })
}

#[tokio::test]
async fn one_value_of_each_type_is_kept_with_each_socket() {
    let (server, _io) = serve([naming("/"), naming("/chat")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut client, "/chat").await;
    let (mut other, _id) = socket::connect(server.endpoint, "/").await;
    let rows = [
        ("nothing yet", "", "[null,null]"),
        ("one", r#"42["set","Ann"]"#, r#"["Ann",null]"#),
        ("another type beside it", r#"42["count",1]"#, r#"["Ann",1]"#),
        ("in place of the first", r#"42["set","Bob"]"#, r#"["Bob",1]"#),
        ("in place of the second", r#"42["count",2]"#, r#"["Bob",2]"#),
    ];
    for (label, packet, kept) in rows {
        let _row = Row(label);
        if !packet.is_empty() {
            client.send(packet).await;
        }
        client.send(r#"421["get"]"#).await;
        assert_eq!(client.frame().await, text(format!("431{kept}")));
        client.send(r#"42/chat,1["get"]"#).await;
        assert_eq!(client.frame().await, text("43/chat,1[null,null]"), "nothing of another namespace");
        other.send(r#"421["get"]"#).await;
        assert_eq!(other.frame().await, text("431[null,null]"), "nothing of another client");
    }
    client.send("41").await;
    socket::join(&mut client, "/").await;
    client.send(r#"421["get"]"#).await;
    assert_eq!(client.frame().await, text("431[null,null]"), "nothing of an earlier socket");
}

#[tokio::test]
async fn what_the_connect_handler_kept_is_there_in_the_disconnect_handler() {
    let (sender, mut told) = Told::new();
    let root = namespace("/")
        .on_connect(async |socket: Socket, Auth(name): Auth<serde_json::Value>| socket.set(name))
        .on_disconnect(move |socket: Socket| {
            let _over = sender.send(socket.get::<serde_json::Value>().expect("kept")["name"].to_string());
            async {}
        });
    let (server, io) = serve([root]).await;
    let (mut client, _sid) = WebSocket::open(server.endpoint).await;
    client.send(r#"40{"name":"Ann"}"#).await;
    client.text().await;
    let found = io.of("/").expect("served").sockets().remove(0);
    client.send("41").await;
    assert_eq!(told.next().await, r#""Ann""#);
    found.set("late");
    assert_eq!(found.get::<&str>().as_deref(), Some(&"late"), "as long as there is a handle");
}

/// Tells when it is dropped; and looks at all sockets then, as an application's value may.
struct Dropped(u8, UnboundedSender<u8>, Broadcast);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.2.sockets().iter().for_each(|socket| drop(socket.rooms()));
        let _over = self.1.send(self.0);
    }
}

#[tokio::test]
async fn values_are_dropped_when_replaced_and_with_their_socket() {
    let (sender, mut told) = Told::new();
    let root = namespace("/").on("keep", move |socket: Socket, Data(number): Data<u8>| {
        socket.set(Dropped(number, sender.clone(), socket.namespace()));
        async {}
    });
    let (server, _io) = serve([root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send(r#"42["keep",1]"#).await;
    assert_eq!(heard(&mut client).await, []);
    told.none();
    client.send(r#"42["keep",2]"#).await;
    assert_eq!(told.next().await, 1);
    client.send("41").await;
    assert_eq!(told.next().await, 2);
}
