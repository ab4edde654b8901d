//! What it is: a chat on several servers, which reach each other by Redis: run it twice, on two ports.
//! What it is not: the balancer in front of them, which has to send all requests of a client to one server.
//! Who calls it: `REDIS_URL=redis://127.0.0.1/ cargo run -p socketio --example cluster -- 127.0.0.1:3000`

use std::{collections::BTreeSet, env, error::Error, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use redis::{AsyncCommands, Client, RedisError};
use serde_json::Value;
use socketio::{Auth, ClusterOptions, Config, Data, Namespace, Reply, Socket, SocketIo};
use tokio::{net::TcpListener, select, signal, sync::mpsc, time::sleep};

/// Brings messages there and back, until Redis is away.
async fn carry(redis: &Client, io: &SocketIo, said: &mut mpsc::Receiver<Bytes>) -> Result<(), RedisError> {
    let (mut publisher, mut subscriber) =
        (redis.get_multiplexed_async_connection().await?, redis.get_async_pubsub().await?);
    subscriber.subscribe("chat").await?;
    io.greet_cluster(); // what was said before, others may not have heard, nor this one what they said
    let mut heard = subscriber.into_on_message();
    loop {
        select! {
            Some(message) = said.recv() => publisher.publish::<_, _, ()>("chat", &*message).await?,
            message = heard.next() => match message {
                Some(message) => drop(io.receive(Bytes::copy_from_slice(message.get_payload_bytes()))),
                None => return Ok(()),
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let chat = Namespace::new("/")
        .on_connect(async |socket: Socket, Auth(user): Auth<Value>| {
            socket.identify(user["name"].as_str().unwrap_or("?"), ())
        })
        .on("say", async |socket: Socket, Data(text): Data<String>| socket.broadcast().emit("said", &text).map(drop))
        .on("who is there", async |socket: Socket| {
            let sockets = socket.namespace().fetch_sockets().await?;
            let names: BTreeSet<_> = sockets.iter().filter_map(|socket| Some(socket.user()?.to_owned())).collect();
            Ok::<_, socketio::Partial<_>>(Reply([names]))
        });
    let (io, redis) = (SocketIo::new(Config::default(), [chat]), Client::open(env::var("REDIS_URL")?)?);
    let (sender, mut said) = mpsc::channel(1000);
    // What is too much while Redis is away is lost to the others; clients of this server get it all the same.
    io.join_cluster(move |message| drop(sender.try_send(message)), ClusterOptions::default());
    let carried = io.clone();
    tokio::spawn(async move {
        loop {
            let (Ok(()) | Err(_)) = carry(&redis, &carried, &mut said).await;
            sleep(Duration::from_millis(500)).await;
        }
    });
    let listener = TcpListener::bind(env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned())).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    io.serve(listener, async { drop(signal::ctrl_c().await) }).await;
    Ok(())
}
