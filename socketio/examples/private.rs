//! What it is: private messages between users, each of whom may have several tabs open.
//! What it is not: safe from people who take another's name; `jwt` is.
//! Who calls it: `cargo run -p socketio --example private -- 127.0.0.1:3000`

use std::{env, io};

use socketio::{Auth, Config, Data, JoinError, Namespace, Reply, Socket, SocketData, SocketIo};
use tokio::{net::TcpListener, signal};

#[derive(serde::Deserialize)]
struct User {
    name: String,
}

/// All sockets of a user are in one room.
fn room(name: &str) -> String {
    format!("user:{name}")
}

async fn come(socket: Socket, Auth(user): Auth<User>) -> Result<(), JoinError> {
    socket.join(room(&user.name))?;
    socket.set(user);
    Ok(())
}

/// To all tabs of the other, and to one's own other tabs. Answers whether somebody was there.
async fn whisper(socket: Socket, user: SocketData<User>, Data((to, text)): Data<(String, String)>) -> Reply<bool> {
    let heard = socket.to(room(&to)).except(room(&user.name)).emit("whispered", &(&user.name, &text));
    let _own = socket.to(room(&user.name)).emit("you whispered", &(&to, &text));
    Reply(heard.is_ok_and(|heard| heard > 0))
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let messages = Namespace::new("/").on_connect(come).on("whisper", whisper).on(
        "log out everywhere",
        async |socket: Socket, user: SocketData<User>| {
            socket.namespace().to(room(&user.name)).disconnect_sockets(true);
        },
    );
    let io = SocketIo::new(Config::default(), [messages]);
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    io.serve(listener, async { drop(signal::ctrl_c().await) }).await;
    Ok(())
}
