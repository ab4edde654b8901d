//! What it is: a floor: the contract of the profile `bench` on tokio and tungstenite alone, with strings hard-coded.
//! What it is not: a Socket.IO server: no sessions, no pings, no polling, and queues without a bound.
//! Who calls it: `tests/bench/run`.

mod answer;

use std::{
    env,
    error::Error,
    sync::{Arc, Mutex},
};

use answer::Answer;
use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc::{self, UnboundedSender},
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

type Room = Arc<Mutex<Vec<UnboundedSender<Message>>>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = env::var("PORT")?.parse()?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?);
    let room = Room::default();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let room = room.clone();
        // How a client's connection ended is no news here.
        tokio::spawn(async move { drop(serve(stream, &room).await) });
    }
}

async fn serve(stream: TcpStream, room: &Room) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut websocket = accept_async(stream).await?;
    websocket.send(Message::text(answer::OPEN)).await?;
    let (sender, mut cast) = mpsc::unbounded_channel();
    loop {
        tokio::select! {
            message = websocket.next() => match message {
                Some(Ok(Message::Text(text))) => match answer::to(&text) {
                    Answer::Back(back) => websocket.send(Message::text(back)).await?,
                    Answer::Join(back) => {
                        room.lock().expect("no holder panics").push(sender.clone());
                        websocket.send(Message::text(back)).await?;
                    }
                    Answer::Cast(event) => {
                        let event = Message::text(event);
                        room.lock().expect("no holder panics").retain(|member| member.send(event.clone()).is_ok());
                    }
                    Answer::Nothing => {}
                },
                Some(Ok(message @ Message::Binary(_))) => websocket.send(message).await?,
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(()),
            },
            Some(message) = cast.recv() => websocket.send(message).await?,
        }
    }
}
