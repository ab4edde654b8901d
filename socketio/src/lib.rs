//! A Socket.IO server for the official clients: namespaces, rooms, acknowledgements, binary events.
//!
//! Protocol 5 is served (`socket.io-client` 3.x and 4.x), over revision 4 of Engine.IO from the [`engineio`] crate;
//! on request also protocol 4 (`socket.io-client` 1.x and 2.x) over revision 3, see below.
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
//! [`Ack`], [`EventName`], [`Auth`], [`Query`], [`DisconnectReason`], and `Option` or `Result<_, Rejection>` of each.
//! Its part before the first `.await` runs in the order in which events arrive, as in JavaScript.
//!
//! # Families of namespaces
//! A [`Namespace::pattern`] such as `/game-{id}` stands for all namespaces whose names match; each is there while
//! somebody is in it. Handlers read the parameters as [`Params`], and [`SocketIo::family`] emits to all of them.
//!
//! # Binary
//! What serde calls bytes is binary at the client, at any depth: [`bytes::Bytes`] with its `serde` feature, or
//! `serde_bytes`. [`Value`] and [`Args`] take whatever comes.
//!
//! # Clients of Socket.IO 1.x and 2.x
//! They are served when [`allow_eio3`](engineio::Config::allow_eio3) of [`Config::engine`] is on (the reference's
//! `allowEIO3`). Handlers, rooms and broadcasts see no difference; clients see these:
//! - They are in `/` as soon as they are connected; its connect handler may refuse them.
//! - What [`Auth`] reads is the query of the namespace, `{"token":"x"}` for `/chat?token=x`; in `/` it is `{}`. The
//!   query of the connection is a [`Query`], as ever.
//! - Of a [`ConnectError`] they are told the data, or the message if there are none, as `error`.
//! - Their [`SocketId`]s are made from their session's sid, which is a credential: **do not show these ids to others**.
//!
//! [`Socket::revision`] tells them apart.
//!
//! # Layers
//! A file uses files of lower layers only: words (`id`, `error`, `shape`, `value`, `data`, `pattern`, `rooms`), codecs
//! (`args`, `packet`, `decoder`), state (`acks`, `children`, `peer`, `hub`), handles (`broadcast`, `socket`), handlers
//! (`event`, `extract`, `handler`, `hooks`, `namespace`, `delivery`, `served`), connections (`namespaces`, `family`,
//! `client`, `server`).

mod acks;
mod args;
mod broadcast;
mod children;
mod client;
mod data;
mod decoder;
mod delivery;
mod error;
mod event;
mod extract;
mod family;
mod handler;
mod hooks;
mod hub;
mod id;
mod namespace;
mod namespaces;
mod packet;
mod pattern;
mod peer;
mod rooms;
mod served;
mod server;
mod shape;
mod socket;
mod value;

pub use engineio::{CloseReason, Handshake, Revision, TransportFault};

pub use args::{Args, FromArgs};
pub use broadcast::Broadcast;
pub use decoder::{Body, Decoder, Incoming, Packet};
pub use error::{AckError, ConnectError, DecodeError, DisconnectReason, EmitError, EventError};
pub use event::{Connect, Disconnect, Event, Kind, Message, Middleware, Next, Outgoing};
pub use extract::{Ack, Auth, Data, EventName, FromEvent, Params, Query, Rejection};
pub use family::Family;
pub use handler::{Handler, Reply, Returned};
pub use hooks::{Cause, Failure, Hooks};
pub use id::SocketId;
pub use namespace::Namespace;
pub use rooms::Room;
pub use server::{Config, SocketIo};
pub use socket::{Answer, Socket};
pub use value::Value;
