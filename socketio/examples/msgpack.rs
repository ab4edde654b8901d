//! What it is: readings of instruments with MessagePack in place of JSON: less bytes for numbers, and binary among them
//! without attachments.
//! What it is not: for clients that were not told: theirs is `io(url, { parser })` of `socket.io-msgpack-parser`.
//! Who calls it: `cargo run -p socketio --features msgpack --example msgpack -- 127.0.0.1:3000`

use std::{env, io};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use socketio::{Config, Data, EmitError, Namespace, Parser, Reply, Socket, SocketIo};
use tokio::{net::TcpListener, signal};

/// What an instrument read: an object at the client, whose `trace` is binary.
#[derive(Deserialize, Serialize)]
struct Reading {
    instrument: String,
    values: Vec<f64>,
    trace: Bytes,
}

#[derive(Serialize)]
struct Summary {
    mean: f64,
    bytes: usize,
}

/// Hands a reading on to all others, and answers what it comes to.
async fn read(socket: Socket, Data(reading): Data<Reading>) -> Result<Reply<Summary>, EmitError> {
    let mean = reading.values.iter().sum::<f64>() / reading.values.len().max(1) as f64;
    socket.broadcast().emit("reading", &reading)?;
    Ok(Reply(Summary { mean, bytes: reading.trace.len() }))
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let instruments = Namespace::new("/").on("read", read);
    let io = SocketIo::new(Config { parser: Parser::Msgpack, ..Config::default() }, [instruments]);
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    io.serve(listener, async { drop(signal::ctrl_c().await) }).await;
    Ok(())
}
