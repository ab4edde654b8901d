//! A Socket.IO server for the official clients: namespaces, rooms, acknowledgements, binary events.
//!
//! Protocol 5 is served (`socket.io-client` 3.x and 4.x), over Engine.IO 4 from the [`engineio`] crate.
//!
//! ```no_run
//! use socketio::{Config, Data, Namespace, Reply, Socket, SocketIo};
//! use tokio::{net::TcpListener, signal};
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let chat = Namespace::new("/")
//!         .on_connect(async |socket: Socket| socket.join("lobby"))
//!         .on("say", async |socket: Socket, Data(text): Data<String>| {
//!             let heard = socket.to("lobby").emit("said", &text).unwrap_or(0);
//!             Reply(heard) // the ack
//!         });
//!     let io = SocketIo::new(Config::default(), [chat]);
//!     let listener = TcpListener::bind("127.0.0.1:3000").await?;
//!     io.serve(listener, async { drop(signal::ctrl_c().await) }).await;
//!     Ok(())
//! }
//! ```
//!
//! # Handlers
//! A handler is an async function whose arguments are extractors ([`FromEvent`]): [`Socket`], [`Data`], [`Args`],
//! [`Ack`], [`EventName`], [`Auth`], [`DisconnectReason`], and `Option` or `Result<_, Rejection>` of each.
//! Its part before the first `.await` runs in the order in which events arrive, as in JavaScript.
//!
//! # Binary
//! What serde calls bytes is binary at the client, at any depth: [`bytes::Bytes`] with its `serde` feature, or
//! `serde_bytes`. [`Value`] and [`Args`] take whatever comes.
//!
//! # Layers
//! A file uses files of lower layers only: words (`id`, `error`, `shape`, `value`, `rooms`), codecs (`args`,
//! `packet`, `decoder`), state (`acks`, `peer`, `hub`), handles (`broadcast`, `socket`), handlers (`event`,
//! `extract`, `handler`, `namespace`), connections (`client`, `server`).

mod acks;
mod args;
mod broadcast;
mod client;
mod decoder;
mod error;
mod event;
mod extract;
mod handler;
mod hub;
mod id;
mod namespace;
mod packet;
mod peer;
mod rooms;
mod server;
mod shape;
mod socket;
mod value;

pub use engineio::{CloseReason, Handshake, TransportFault};

pub use args::{Args, FromArgs};
pub use broadcast::Broadcast;
pub use decoder::{Body, Decoder, Incoming, Packet};
pub use error::{AckError, ConnectError, DecodeError, DisconnectReason, EmitError};
pub use event::{Connect, Disconnect, Event, Kind, Message};
pub use extract::{Ack, Auth, Data, EventName, FromEvent, Rejection};
pub use handler::{Handler, Reply, Returned};
pub use id::SocketId;
pub use namespace::Namespace;
pub use rooms::Room;
pub use server::{Config, SocketIo};
pub use socket::{Answer, Socket};
pub use value::Value;
