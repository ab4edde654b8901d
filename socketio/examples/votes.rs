//! What it is: polls with any number of voters. Who watches one is told the count ten times in a second at most, and
//! never misses the last one; who begins to watch is told it at once.
//! What it is not: a fair election: clients may vote as often as they like.
//! Who calls it: `cargo run -p socketio --example votes -- 127.0.0.1:3000`

use std::{
    collections::HashMap,
    env, io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use socketio::{
    Config, Data, EmitError, HistoryMode, JoinError, Namespace, Reply, RoomHistory, Socket, SocketIo, State, Throttle,
};
use tokio::{net::TcpListener, signal};

type Counts = Arc<Mutex<HashMap<String, u32>>>;

async fn watch(socket: Socket, Data(poll): Data<String>) -> Result<Reply<()>, JoinError> {
    socket.join(format!("poll:{poll}")).map(Reply)
}

/// Emits each count, and leaves it to the room how many of them are sent.
async fn vote(socket: Socket, State(counts): State<Counts>, Data(poll): Data<String>) -> Result<(), EmitError> {
    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    let count = counts.entry(poll.clone()).or_default();
    *count += 1;
    // Under the lock, so that counts are emitted in their order.
    socket.namespace().to(format!("poll:{poll}")).emit("votes", &(poll, *count))?;
    Ok(())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let polls = Namespace::new("/")
        .state(Counts::default())
        .room_throttle("poll:*", Throttle { interval: Duration::from_millis(100), ..Throttle::default() })
        .room_history("poll:*", RoomHistory { mode: HistoryMode::Last, ..RoomHistory::default() })
        .on("watch", watch)
        .on("vote", vote);
    let io = SocketIo::new(Config::default(), [polls]);
    let listener = TcpListener::bind(env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned())).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    io.serve(listener, async { drop(signal::ctrl_c().await) }).await;
    Ok(())
}
