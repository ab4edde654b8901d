//! What it is: pages that many look at: a client is on one page at a time, and hears of what changes there.
//! What it is not: a store; pages have no content here.
//! Who calls it: `cargo run -p socketio --example rooms -- 127.0.0.1:3000`

use std::{env, io};

use socketio::{Config, Data, EventError, Namespace, Reply, RoomChange, Socket, SocketIo};
use tokio::{net::TcpListener, signal};

fn page(name: &str) -> String {
    format!("page:{name}")
}

/// Goes to a page and leaves the one before in one step. Answers how many look at it.
async fn open(socket: Socket, Data(name): Data<String>) -> Result<Reply<usize>, EventError> {
    let moved = socket.move_to(page(&name), |room| room.as_str().starts_with("page:"));
    // The name is the client's choice: it may be too long.
    moved.map_err(|error| EventError::new(error.to_string()))?;
    let viewers = socket.namespace().to(page(&name)).ids().len();
    let _told = socket.to(page(&name)).emit("viewers", &(name, viewers));
    Ok(Reply(viewers))
}

/// Tells all who look at one of the pages, each once.
async fn change(socket: Socket, Data((names, what)): Data<(Vec<String>, String)>) -> Reply<usize> {
    let Some((first, others)) = names.split_first() else { return Reply(0) };
    let viewers = others.iter().fold(socket.to(page(first)), |viewers, name| viewers.to(page(name)));
    Reply(viewers.emit("changed", &what).unwrap_or(0))
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let pages = Namespace::new("/").on("open", open).on("change", change).on_room(|_, change| match change {
        // Where to begin and end what only viewers need, such as watching a file.
        RoomChange::Create(room) => println!("somebody looks at {room}"),
        RoomChange::Delete(room) => println!("nobody looks at {room}"),
        _ => {}
    });
    let io = SocketIo::new(Config { error_acks: true, ..Config::default() }, [pages]);
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    io.serve(listener, async { drop(signal::ctrl_c().await) }).await;
    Ok(())
}
