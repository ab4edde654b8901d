//! What it is: a chat with presence: who comes says a name, and everybody sees who is there, comes, goes and types.
//! What it is not: safe from people who take another's name; `jwt` is.
//! Who calls it: `cargo run -p socketio --example chat -- 127.0.0.1:3000`

use std::{env, io};

use serde_json::json;
use socketio::{Auth, Config, ConnectError, Data, Namespace, Reply, Socket, SocketData, SocketIo};
use tokio::{net::TcpListener, signal};

#[derive(serde::Deserialize)]
struct User {
    name: String,
}

/// The names of all who are there, each once, however many tabs are open.
fn present(socket: &Socket) -> Vec<String> {
    let users = socket.namespace().sockets().into_iter().filter_map(|socket| socket.get::<User>());
    let mut names: Vec<String> = users.map(|user| user.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

async fn come(socket: Socket, Auth(user): Auth<User>) -> Result<(), ConnectError> {
    if user.name.trim().is_empty() {
        return Err(ConnectError::new("say who you are").with_data(json!({ "field": "name" })));
    }
    let _told = socket.broadcast().emit("came", &user.name);
    socket.set(user);
    Ok(())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let chat = Namespace::new("/")
        .on_connect(come)
        .on("who is there", async |socket: Socket| Reply([present(&socket)]))
        .on("say", async |socket: Socket, user: SocketData<User>, Data(text): Data<String>| {
            let heard = socket.broadcast().emit("said", &(&user.name, text)).unwrap_or(0);
            Reply(heard)
        })
        .on("typing", async |socket: Socket, user: SocketData<User>| {
            // Nobody wants to hear later that somebody typed.
            let _told = socket.broadcast().volatile().emit("typing", &user.name);
        })
        .on_disconnect(async |socket: Socket, user: SocketData<User>| {
            let _told = socket.broadcast().emit("went", &user.name);
        });
    let io = SocketIo::new(Config::default(), [chat]);
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    io.serve(listener, async { drop(signal::ctrl_c().await) }).await;
    Ok(())
}
