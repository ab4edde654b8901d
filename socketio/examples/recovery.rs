//! What it is: a list that all clients add to. Who lost the connection for a while gets what was added meanwhile, and
//! only who was away for longer loads the whole list.
//! What it is not: kept when the server ends.
//! Who calls it: `cargo run -p socketio --example recovery -- 127.0.0.1:3000`

use std::{
    env, io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use socketio::{Config, Data, EmitError, Namespace, Recovery, Reply, Socket, SocketIo, State};
use tokio::{net::TcpListener, signal};

#[derive(Clone, Default)]
struct List(Arc<Mutex<Vec<String>>>);

/// A client that is recovered has the list: what it missed was sent before this.
async fn come(socket: Socket, State(list): State<List>) {
    if !socket.recovered() {
        let list = list.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _gone = socket.emit("list", &[&*list]);
    }
}

async fn add(socket: Socket, State(list): State<List>, Data(item): Data<String>) -> Result<Reply<usize>, EmitError> {
    let mut list = list.0.lock().unwrap_or_else(PoisonError::into_inner);
    // Under the lock, so that all get items in the order of the list.
    socket.namespace().emit("added", &item)?;
    list.push(item);
    Ok(Reply(list.len()))
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let namespace = Namespace::new("/").state(List::default()).on_connect(come).on("add", add);
    let recovery = Recovery { max_disconnection_duration: Duration::from_secs(60), ..Recovery::default() };
    let config = Config { connection_state_recovery: Some(recovery), ..Config::default() };
    let io = SocketIo::new(config, [namespace]);
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    io.serve(listener, async { drop(signal::ctrl_c().await) }).await;
    Ok(())
}
