//! What it is: jobs that report how far they are. Who looks at a job, for the first time or after its page was loaded
//! anew, is told at once what it logged and how far it is; who connects, what was announced last.
//! What it is not: kept when the server ends.
//! Who calls it: `cargo run -p socketio --example history -- 127.0.0.1:3000`

use std::{env, io, time::Duration};

use socketio::{
    Config, Data, EmitError, EventError, HistoryMode, JoinError, Namespace, Reply, RoomHistory, Socket, SocketIo,
};
use tokio::{net::TcpListener, signal};

/// A room for what a job logs, and one for how far it is.
fn rooms(job: u32) -> [String; 2] {
    [format!("log:{job}"), format!("progress:{job}")]
}

/// What is kept comes before the answer, what is reported later behind it.
async fn watch(socket: Socket, Data(job): Data<u32>) -> Result<Reply<()>, JoinError> {
    socket.join_all(rooms(job)).map(Reply)
}

async fn report(socket: Socket, Data((job, event, text)): Data<(u32, String, String)>) -> Result<(), EventError> {
    let [log, progress] = rooms(job);
    match &*event {
        "log" => drop(socket.to(log).emit(&event, &text)),
        "progress" => drop(socket.to(progress).emit(&event, &text)),
        _ => return Err(EventError::new("log or progress")),
    }
    Ok(())
}

/// All that is kept of a job, also for who does not watch it.
async fn history(socket: Socket, Data(job): Data<u32>) -> Reply<Vec<(String, String)>> {
    let kept = rooms(job).into_iter().fold(socket.namespace(), |rooms, room| rooms.to(room)).history();
    Reply(kept.iter().filter_map(|entry| Some((entry.event.to_string(), entry.args.read().ok()?))).collect())
}

async fn announce(socket: Socket, Data(text): Data<String>) -> Result<Reply<usize>, EmitError> {
    socket.broadcast().emit("announced", &text).map(Reply)
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let hour = RoomHistory { ttl: Duration::from_secs(3600), ..RoomHistory::default() };
    let latest = RoomHistory { mode: HistoryMode::Last, ..hour.clone() };
    let jobs = Namespace::new("/")
        .room_history("log:*", hour)
        .room_history("progress:*", latest.clone())
        .history(latest)
        .on("watch", watch)
        .on("report", report)
        .on("history", history)
        .on("announce", announce);
    let io = SocketIo::new(Config { error_acks: true, ..Config::default() }, [jobs]);
    let listener = TcpListener::bind(env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned())).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    io.serve(listener, async { drop(signal::ctrl_c().await) }).await;
    Ok(())
}
