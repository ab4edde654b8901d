//! What it is: a job beside the server that tells clients how far it is, and a clock for those who look at it.
//! What it is not: bound to a request or a socket: any task that has the `SocketIo` can emit.
//! Who calls it: `cargo run -p socketio --example background -- 127.0.0.1:3000`

use std::{env, io, time::Duration};

use socketio::{Config, Data, JoinError, Namespace, Reply, Socket, SocketIo};
use tokio::{net::TcpListener, signal, sync::mpsc, time};

/// A job and its steps, as a client asked for it.
type Job = (String, u32);

/// Does one job after the other; who asked for it, and whoever else joined its room, hears of each step.
async fn work(io: SocketIo, mut jobs: mpsc::Receiver<Job>) {
    while let Some((name, steps)) = jobs.recv().await {
        for step in 1..=steps {
            time::sleep(Duration::from_millis(10)).await;
            let _told = io.to(name.as_str()).emit("progress", &(&name, step, steps));
        }
    }
}

/// Who is slow to take it misses a second, and is not sent it late.
async fn tick(io: SocketIo) {
    let mut every = time::interval(Duration::from_secs(1));
    for second in 0_u64.. {
        every.tick().await;
        let _told = io.volatile().to("clock").emit("tick", &second);
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let (queue, jobs) = mpsc::channel(100);
    let namespace = Namespace::new("/")
        .on("watch", async |socket: Socket, Data(room): Data<String>| socket.join(room))
        .on("start", move |socket: Socket, Data(job): Data<Job>| {
            let queue = queue.clone();
            async move {
                socket.join(job.0.as_str())?;
                Ok::<_, JoinError>(Reply(queue.try_send(job).is_ok()))
            }
        });
    let io = SocketIo::new(Config::default(), [namespace]);
    tokio::spawn(work(io.clone(), jobs));
    tokio::spawn(tick(io.clone()));
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    io.serve(listener, async { drop(signal::ctrl_c().await) }).await;
    Ok(())
}
