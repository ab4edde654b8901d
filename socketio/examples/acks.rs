//! What it is: answers in both directions: the client asks the server, the server asks one client, and all of them.
//! What it is not: about what to do when no answer comes: here it is told.
//! Who calls it: `cargo run -p socketio --example acks -- 127.0.0.1:3000`

use std::{env, error::Error, io, time::Duration};

use socketio::{Ack, Config, Data, EventError, Namespace, Reply, Socket, SocketIo};
use tokio::{net::TcpListener, signal};

const PATIENCE: Duration = Duration::from_secs(2);

/// `socket.emitWithAck("divide", 7, 2)` is 3.5 at the client.
async fn divide(Data((a, b)): Data<(f64, f64)>) -> Result<Reply<f64>, EventError> {
    if b == 0.0 { Err(EventError::new("nothing can be divided by 0")) } else { Ok(Reply(a / b)) }
}

/// Answers when it is done, not when the handler returns.
async fn later(ack: Ack) {
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let _gone = ack.send("done");
    });
}

/// Asks the client back before it answers: `socket.on("name?", (callback) => callback("Ann"))`.
async fn greet(socket: Socket) -> Result<Reply<String>, Box<dyn Error + Send + Sync>> {
    let name: String = socket.timeout(PATIENCE).emit_with_ack("name?", &())?.await?;
    Ok(Reply(format!("Hello {name}")))
}

/// Asks everybody, and counts: `socket.on("vote", (question, callback) => callback(true))`.
async fn poll(socket: Socket, Data(question): Data<String>) -> Result<Reply<(usize, usize, usize)>, EventError> {
    let asked = socket.namespace().timeout(PATIENCE).emit_with_ack::<bool>("vote", &question);
    let (votes, missing) = match asked.map_err(|error| EventError::new(error.to_string()))?.await {
        Ok(votes) => (votes, 0),
        Err(incomplete) => (incomplete.answers, incomplete.missing.len()),
    };
    let yes = votes.iter().filter(|(_, vote)| *vote).count();
    Ok(Reply((yes, votes.len() - yes, missing)))
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let namespace = Namespace::new("/").on("divide", divide).on("later", later).on("greet", greet).on("poll", poll);
    // What goes wrong is answered, too: `{ error: { message } }`.
    let io = SocketIo::new(Config { error_acks: true, ..Config::default() }, [namespace]);
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    io.serve(listener, async { drop(signal::ctrl_c().await) }).await;
    Ok(())
}
