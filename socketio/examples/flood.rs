//! What it is: a canvas that all clients draw on. Who draws faster than a hand can is not heard, and who goes on so is
//! sent away.
//! What it is not: a bound on what all clients do together.
//! Who calls it: `cargo run -p socketio --example flood -- 127.0.0.1:3000`

use std::{
    env, io,
    sync::atomic::{AtomicU32, Ordering},
};

use socketio::{Cause, Config, Data, EventRate, Failure, Hooks, Limits, Namespace, Reply, Socket, SocketIo};
use tokio::{net::TcpListener, signal};

/// Events of a socket that were too many.
#[derive(Default)]
struct Excess(AtomicU32);

const PATIENCE: u32 = 5;

/// Told of each event that was not handled.
fn count(failure: &Failure<'_>) {
    if let Cause::TooManyEvents = failure.cause
        && let Some(excess) = failure.socket.get::<Excess>()
        && excess.0.fetch_add(1, Ordering::Relaxed) + 1 == PATIENCE
    {
        println!("{PATIENCE} events too many");
        failure.socket.disconnect();
    }
}

async fn draw(socket: Socket, Data((x, y)): Data<(u16, u16)>) -> Reply<bool> {
    let _seen = socket.broadcast().volatile().emit("drawn", &(x, y));
    Reply(true)
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let canvas = Namespace::new("/").on_connect(async |socket: Socket| socket.set(Excess::default())).on("draw", draw);
    let rate = EventRate { per_second: 10, burst: 20, ..EventRate::default() };
    let limits = Limits { event_rate: Some(rate), ..Limits::default() };
    let config = Config { limits, hooks: Hooks::default().on_failure(count), error_acks: true, ..Config::default() };
    let io = SocketIo::new(config, [canvas]);
    let listener = TcpListener::bind(env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned())).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    io.serve(listener, async { drop(signal::ctrl_c().await) }).await;
    Ok(())
}
