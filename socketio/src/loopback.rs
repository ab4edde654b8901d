//! What it is: the client's side of one connection that goes through no port: its task, its namespaces, its answers.
//! What it is not: a client for other servers; what it may receive is taken on trust.
//! Who calls it: `testing`, whose handles send it what to do.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use engineio::{Message, Revision};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio::{
    io::DuplexStream,
    sync::{mpsc, oneshot},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, protocol::Role},
};

use crate::{
    args::Args,
    decoder::{Body, Decode, Decoder, Incoming, Packet},
    error::ConnectError,
    limits::Limits,
    parser::{Encoded, Parser},
};

/// Why a client's socket is no longer in its namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// The client left the namespace (`io client disconnect`).
    ClientDisconnect,
    /// The server made it leave, with a DISCONNECT packet (`io server disconnect`).
    ServerDisconnect,
    /// The server closed the connection (`transport close`).
    TransportClose,
    /// The server sent what is no packet (`parse error`).
    ParseError,
    /// The connection was [cut](crate::testing::Client::cut).
    Cut,
}

/// What a handle wants of its connection.
#[derive(Debug)]
pub(crate) enum Command {
    /// Join a namespace; `auth` is JSON, or empty.
    Join { namespace: String, auth: String, place: Place },
    /// Send a packet of this namespace, and bring the answer, if it asks for one, there.
    Send { namespace: String, packet: Encoded, answer: Option<(u64, oneshot::Sender<Args>)> },
    /// Leave a namespace.
    Leave { namespace: String },
    /// Neither send anything any more nor answer pings.
    FallSilent,
    /// Drop the connection.
    Cut,
}

/// Where what comes in a namespace goes.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) joined: Option<oneshot::Sender<Result<String, ConnectError>>>,
    /// Dropped when the client is no longer in the namespace.
    pub(crate) events: mpsc::UnboundedSender<Incoming>,
    /// Set before that.
    pub(crate) ended: Arc<OnceLock<Ended>>,
}

/// Runs a connection whose WebSocket has been accepted, until nobody holds a handle.
pub(crate) async fn run(stream: DuplexStream, commands: mpsc::UnboundedReceiver<Command>) {
    let websocket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
    let (sink, stream) = websocket.split();
    let (sender, outgoing) = mpsc::unbounded_channel();
    let mut connection = Connection {
        // What comes from our own server needs no bound.
        decoder: Decoder::new(Revision::V4, unbounded().into()),
        places: HashMap::new(),
        answers: HashMap::new(),
        outgoing: Some(sender),
    };
    let ended = tokio::select! {
        ended = connection.run(stream, commands) => ended,
        () = write(sink, outgoing) => Ended::TransportClose,
    };
    connection.end(ended);
}

fn unbounded() -> Limits {
    let most = usize::MAX;
    Limits {
        max_attachments: most,
        max_attachment_bytes: most,
        max_args: most,
        max_event_name: most,
        ..Limits::default()
    }
}

type WebSocket = WebSocketStream<DuplexStream>;

/// Apart from reading, for the server reads no more from a client that does not read.
async fn write(mut sink: SplitSink<WebSocket, tungstenite::Message>, mut outgoing: mpsc::UnboundedReceiver<Message>) {
    while let Some(message) = outgoing.recv().await {
        let message = match message {
            Message::Text(text) => tungstenite::Message::text(&*text),
            Message::Binary(data) => tungstenite::Message::Binary(data),
        };
        if sink.send(message).await.is_err() {
            return;
        }
    }
    // Silent: the connection stays as it is.
    std::future::pending().await
}

struct Connection {
    decoder: Decoder,
    places: HashMap<String, Place>,
    answers: HashMap<(String, u64), oneshot::Sender<Args>>,
    /// `None` once it has fallen silent.
    outgoing: Option<mpsc::UnboundedSender<Message>>,
}

impl Connection {
    async fn run(
        &mut self,
        mut stream: SplitStream<WebSocket>,
        mut commands: mpsc::UnboundedReceiver<Command>,
    ) -> Ended {
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Cut) | None => return Ended::Cut,
                    Some(command) => self.handle_command(command),
                },
                frame = stream.next() => {
                    let Some(Ok(frame)) = frame else { return Ended::TransportClose };
                    if let Some(ended) = self.handle_frame(frame) {
                        return ended;
                    }
                }
            }
        }
    }

    /// Says why the connection ends, if it does.
    fn handle_frame(&mut self, frame: tungstenite::Message) -> Option<Ended> {
        let message = match frame {
            tungstenite::Message::Binary(data) => Message::Binary(data),
            tungstenite::Message::Text(text) => match text.as_bytes().first() {
                Some(b'1') => return Some(Ended::TransportClose),
                Some(b'2') => {
                    self.send("3");
                    return None;
                }
                Some(b'4') => Message::Text(text[1..].into()),
                // The open packet, and whatever else needs no answer.
                _ => return None,
            },
            _ => return None,
        };
        (!self.handle_message(message)).then_some(Ended::ParseError)
    }

    fn handle_command(&mut self, command: Command) {
        match command {
            Command::Join { namespace, auth, place } => {
                let name = if namespace == "/" { String::new() } else { format!("{namespace},") };
                self.send(&format!("40{name}{auth}"));
                self.places.insert(namespace, place);
            }
            Command::Send { namespace, packet, answer } => {
                if !self.places.contains_key(&namespace) {
                    return;
                }
                self.send_packet(&packet);
                if let Some((id, answer)) = answer {
                    self.answers.insert((namespace, id), answer);
                }
            }
            Command::Leave { namespace } => {
                if self.places.contains_key(&namespace) {
                    self.send_packet(&Parser::Default.disconnect(&namespace));
                    self.leave(&namespace, Ended::ClientDisconnect);
                }
            }
            Command::FallSilent => self.outgoing = None,
            Command::Cut => {}
        }
    }

    /// Says whether it was one that the server may send.
    fn handle_message(&mut self, message: Message) -> bool {
        let (message, is_refusal) = match message {
            // A CONNECT_ERROR is written as a CONNECT is, which is what servers read.
            Message::Text(text) if text.starts_with('4') => (Message::Text(format!("0{}", &text[1..]).into()), true),
            message => (message, false),
        };
        let Packet { namespace, body } = match self.decoder.push(message) {
            Ok(Some(packet)) => packet,
            Ok(None) => return true,
            Err(_) => return false,
        };
        match body {
            Body::Connect(payload) => self.joined(&namespace, &payload, is_refusal),
            Body::Disconnect => self.leave(&namespace, Ended::ServerDisconnect),
            Body::Event(event) => {
                if let Some(place) = self.places.get(&*namespace) {
                    let _nobody_listens = place.events.send(event);
                }
            }
            Body::Ack(id, args) => {
                let answer = id.and_then(|id| self.answers.remove(&(namespace.to_string(), id)));
                let _given_up = answer.map(|answer| answer.send(args));
            }
        }
        true
    }

    /// A CONNECT was answered.
    fn joined(&mut self, namespace: &str, payload: &str, is_refusal: bool) {
        let Some(joined) = self.places.get_mut(namespace).and_then(|place| place.joined.take()) else { return };
        let mut payload: serde_json::Value = serde_json::from_str(payload).unwrap_or_default();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let result = if is_refusal {
            self.places.remove(namespace);
            let data = payload.get_mut("data").map(serde_json::Value::take);
            Err(ConnectError { message: text(&payload["message"]), data })
        } else {
            Ok(text(&payload["sid"]))
        };
        let _given_up = joined.send(result);
    }

    fn leave(&mut self, namespace: &str, ended: Ended) {
        if let Some(place) = self.places.remove(namespace) {
            // Nobody else sets it.
            let _first = place.ended.set(ended);
        }
        self.answers.retain(|(of, _), _| of != namespace);
    }

    fn end(mut self, ended: Ended) {
        let names: Vec<String> = self.places.keys().cloned().collect();
        names.iter().for_each(|namespace| self.leave(namespace, ended));
    }

    fn send_packet(&self, packet: &Encoded) {
        let text = str::from_utf8(packet.first.data()).expect("a text frame is UTF-8");
        self.send(text);
        for attachment in &packet.rest {
            self.send_message(Message::Binary(Bytes::copy_from_slice(attachment.data())));
        }
    }

    fn send(&self, text: &str) {
        self.send_message(Message::Text(text.into()));
    }

    fn send_message(&self, message: Message) {
        if let Some(outgoing) = &self.outgoing {
            // Its task ends when the connection has, which is about to be noticed.
            let _ended = outgoing.send(message);
        }
    }
}
