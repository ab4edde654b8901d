//! What it is: documents that several people look at: each sees who else does, however many tabs they have, and nobody
//! goes and comes when a page is loaded anew.
//! What it is not: log-in: clients say who they are, and nobody checks it.
//! Who calls it: `cargo run -p socketio --example presence -- 127.0.0.1:3000`

use std::{env, io};

use serde_json::json;
use socketio::{Auth, Config, ConnectError, Data, JoinError, Namespace, Presence, Reply, Room, Socket, SocketIo};
use tokio::{net::TcpListener, signal};

#[derive(serde::Deserialize)]
struct User {
    name: String,
    color: String,
}

async fn come(socket: Socket, Auth(user): Auth<User>) -> Result<(), ConnectError> {
    if user.name.is_empty() || user.name.len() > 100 || user.color.len() > 20 {
        return Err(ConnectError::new("a name and a color, please"));
    }
    socket.identify(user.name, json!({ "color": user.color }));
    Ok(())
}

/// Who looks at the document comes as `presence_state` before the answer, who comes and goes as `presence_diff` later.
async fn open(socket: Socket, Data(document): Data<String>) -> Result<Reply<()>, JoinError> {
    let is_document = |room: &Room| room.as_str().starts_with("document:");
    socket.move_to(format!("document:{document}"), is_document).map(Reply)
}

/// How many look at a document, for who does not.
async fn count(socket: Socket, Data(document): Data<String>) -> Reply<usize> {
    Reply(socket.namespace().to(format!("document:{document}")).presence().len())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let documents = Namespace::new("/")
        .presence("document:*", Presence::default())
        .on_connect(come)
        .on("open", open)
        .on("count", count);
    let io = SocketIo::new(Config::default(), [documents]);
    let listener = TcpListener::bind(env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned())).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    io.serve(listener, async { drop(signal::ctrl_c().await) }).await;
    Ok(())
}
