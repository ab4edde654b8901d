//! What it is: a file in pieces of binary, each answered with how much is there, so that the client shows progress and
//! sends the next one.
//! What it is not: a store; the bytes are counted and summed up.
//! Who calls it: `cargo run -p socketio --example upload -- 127.0.0.1:3000`

use std::{
    env, io,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use socketio::{Config, Data, EventError, Namespace, Reply, Sequential, Socket, SocketData, SocketIo};
use tokio::{net::TcpListener, signal};

/// Bytes of a file at most.
const MAX: usize = 100_000_000;

/// The file that a socket sends.
struct Upload(Mutex<Progress>);

struct Progress {
    size: usize,
    received: usize,
    sum: u64,
}

async fn begin(socket: Socket, Data((name, size)): Data<(String, usize)>) -> Result<Reply<String>, EventError> {
    if size > MAX {
        return Err(EventError::new(format!("{name} is larger than {MAX} bytes")));
    }
    socket.set(Upload(Mutex::new(Progress { size, received: 0, sum: 0 })));
    Ok(Reply(format!("send {name}")))
}

/// Answers how many of a hundred parts are there, and with the last piece the sum of all bytes.
async fn piece(
    upload: SocketData<Upload>,
    Data(bytes): Data<Bytes>,
) -> Result<Reply<(usize, Option<u64>)>, EventError> {
    let mut progress = upload.0.lock().unwrap_or_else(PoisonError::into_inner);
    if bytes.len() > progress.size - progress.received {
        return Err(EventError::new("more bytes than were announced"));
    }
    progress.received += bytes.len();
    progress.sum += bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    let is_whole = progress.received == progress.size;
    Ok(Reply((progress.received * 100 / progress.size.max(1), is_whole.then_some(progress.sum))))
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let files = Namespace::new("/").on("begin", begin).on("piece", Sequential::new(piece));
    let io = SocketIo::new(Config { error_acks: true, ..Config::default() }, [files]);
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    io.serve(listener, async { drop(signal::ctrl_c().await) }).await;
    Ok(())
}
