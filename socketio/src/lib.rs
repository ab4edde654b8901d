//! A Socket.IO server for the official clients: namespaces, rooms, acknowledgements, binary events.
//!
//! Protocol 5 is served (`socket.io-client` 3.x and 4.x), over revision 4 of Engine.IO from the [`engineio`] crate;
//! on request also protocol 4 (`socket.io-client` 1.x and 2.x) over revision 3, see below.
//!
//! ```no_run
//! use socketio::{Config, Data, Hooks, Namespace, Reply, Socket, SocketIo};
//! use tokio::{net::TcpListener, signal};
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let chat = Namespace::new("/")
//!         .on_connect(async |socket: Socket| socket.join("chat"))
//!         // The ack is how many heard it.
//!         .on("say", async |socket: Socket, Data(msg): Data<String>| socket.to("chat").emit("said", &msg).map(Reply));
//!     let hooks = Hooks::default().on_failure(|failure| eprintln!("{failure}"));
//!     let io = SocketIo::new(Config { hooks, ..Config::default() }, [chat]);
//!     let listener = TcpListener::bind("127.0.0.1:3000").await?;
//!     println!("listening on http://{}", listener.local_addr()?);
//!     io.serve(listener, async { drop(signal::ctrl_c().await) }).await;
//!     Ok(())
//! }
//! ```
//!
//! The [`guide`] builds a chat, one step after the other, for who has never used Socket.IO. What follows is for those
//! who have.
//!
//! # Handlers
//! A handler is an async function whose arguments are extractors ([`FromEvent`]): [`Socket`], [`Data`], [`Args`],
//! [`Ack`], [`EventName`], [`Auth`], [`Query`], [`Params`], [`State`], [`SocketData`], [`Handshake`],
//! [`DisconnectReason`], and `Option` or `Result<_, Rejection>` of each.
//! Its part before the first `.await` runs in the order in which events arrive, as in JavaScript. What should run one
//! at a time is [`Sequential`].
//!
//! # Emitting
//! To one client by its [`Socket`], to many by a [`Broadcast`], which [`SocketIo::of`], [`SocketIo::to`] and
//! [`Socket::to`] give. Both can be `volatile`, `compress(false)`, and ask for answers with a `timeout`:
//!
//! ```no_run
//! # async fn ask(io: socketio::SocketIo, socket: socketio::Socket) -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! socket.emit("hello", "you")?;
//! socket.volatile().emit("position", &(1.5, 2.5))?; // now or never
//! io.to("lobby").except(socket.id()).emit("joined", &socket.id())?;
//! let ready: bool = socket.timeout(Duration::from_secs(5)).emit_with_ack("ready?", &())?.await?;
//! let votes = io.to("lobby").timeout(Duration::from_secs(5)).emit_with_ack::<u8>("vote", &())?.await;
//! let votes = votes.unwrap_or_else(|incomplete| incomplete.answers);
//! # Ok(())
//! # }
//! ```
//!
//! # Families of namespaces
//! A [`Namespace::pattern`] such as `/game-{id}` stands for all namespaces whose names match; each is there while
//! somebody is in it. Handlers read the parameters as [`Params`], and [`SocketIo::family`] emits to all of them.
//!
//! # Rooms that do more
//! By rules of a [`Namespace`] for names of rooms, or for what is emitted to all of it: rooms keep events for those who
//! join later ([`Namespace::room_history`]), send what changes all the time once in an interval
//! ([`Namespace::room_throttle`]), and tell their members who is in them ([`Namespace::presence`]). Clients get events
//! as any others.
//!
//! # Bounds
//! What clients may bring or make the server keep is bounded: their rooms, pending answers and events that wait here by
//! [`Limits`], bytes and sessions by [`engineio::Config`]. `docs/options.md` in the repository has tables of all of
//! them, with what comes of passing them.
//!
//! # Figures
//! [`SocketIo::stats`] says what waits for clients, what rooms keep, and what was replayed, held back, recovered and
//! dropped; [`Socket::stats`] how one connection is doing; [`Hooks::on_connection`] hears what happens on each.
//!
//! # Binary
//! What serde calls bytes is binary at the client, at any depth: [`bytes::Bytes`] with its `serde` feature, or
//! `serde_bytes`. [`Value`] and [`Args`] take whatever comes.
//!
//! # Parsers
//! [`Config::parser`] is how packets are written and read, which the clients have to know: by default as text with
//! binary beside it; by the feature `msgpack` as `socket.io-msgpack-parser` does ([`Parser`]); or by any
//! [`CustomParser`]. Handlers, acks, broadcasts, recovery and [`Limits`] are the same with all of them.
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
//! # Clients that come back
//! With [`Config::connection_state_recovery`] a client that lost its connection and is back in time has its id, rooms
//! and data again, and is sent what it missed before its CONNECT is answered; [`Socket::recovered`], and
//! `socket.recovered` at the client, say so. Else it is new, and should load what it needs.
//! - Events are in order, and none is left out while a client is recovered. Events that ask for an ack are sent once.
//! - Handlers run as ever: the disconnect handler when the connection ends, the connect handler when the client is
//!   back. It can still refuse; what it does for new clients only, it does unless [`Socket::recovered`].
//! - Events have one more argument at the client, or some come twice: see [`RecoveryMode`]. Most handlers do not mind
//!   the one, optional last arguments do.
//! - What is emitted by a [`Socket`] whose client is away waits for it.
//! - Whom [`Socket::disconnect`] sent away, and who left, is new. After transport close, transport error, ping timeout,
//!   forced close and server shutting down clients may come back.
//! - It costs memory, see [`Recovery`], and emits in one namespace wait for each other.
//!
//! What clients send again until it is answered is done once with [`Retries`]. `docs/delivery.md` in the repository has
//! all guarantees of delivery, and what they cost.
//!
//! # In other servers
//! [`SocketIo`] is a service of hyper, and with the feature `tower` one of tower, too. There it is also a layer, which
//! takes the requests to its path and hands on all others:
//!
//! ```text
//! let router = axum::Router::new().route("/", get(page)).layer(io.clone());
//! ```
//!
//! Such a server knows who connects, and should say so: an [`engineio::RemoteAddr`] among each request's extensions.
//! Without it [`Handshake::remote`] is `None`, and
//! [`max_sessions_per_ip`](engineio::Config::max_sessions_per_ip) bounds nobody.
//!
//! [`SocketIo::accept`] takes a WebSocket on a stream that another HTTP server read. [`SocketIo::close`] is for the end
//! of the process: an accept loop that waits for its connections should have it run when its shutdown begins. There are
//! programs for this in `examples/`.
//!
//! # On several servers
//! With [`SocketIo::join_cluster`] what one server emits reaches the clients of all, by whatever carries messages
//! between them: see there what is shared, and what is each server's own.
//!
//! # Testing
//! With the feature `testing` there is a client for the tests of applications, in the same process and without a port:
//! see the module `testing`. It needs that feature in `[dev-dependencies]` only.
//!
//! # Tracing
//! With the feature `tracing` subscribers are told of these, all with the target `socketio`. Neither sids of sessions
//! nor `auth`, queries, headers or arguments are among the fields, and no id of a socket that is made of its sid.
//!
//! | level | span or event | fields |
//! |---|---|---|
//! | `INFO` | span `connection`, also around its handlers | `transport` of its handshake; `protocol`, 4 or 5 |
//! | `DEBUG` | `socket joined` | `namespace`, `socket` |
//! | `DEBUG` | `socket left` | `namespace`, `socket`, `reason` as in [`DisconnectReason`] |
//! | `DEBUG` | `connection closed` | `reason` as in [`CloseReason`] |
//! | `WARN` | `slow consumer`, in place of that | `reason` |
//! | `INFO` | `join refused` | `namespace` |
//! | `INFO` | `packet refused`: the client broke the protocol | `error` as in [`DecodeError`], or `out of place` |
//! | `INFO` | `handler not called`: an argument cannot be had | `namespace`, `event` |
//! | `DEBUG` | `event dropped`: more came than [`Limits::event_rate`] lets | `namespace`, `event` |
//! | `WARN` | `handler failed` | `namespace`, `event`, `error` in the words of the application |
//! | `ERROR` | `handler panicked` | `namespace`, `event` |
//! | `WARN` | `handler of a server's event failed` | `event`, `error` in the words of the application |
//!
//! What an application does outside of handlers, such as disconnecting a socket, is told in its own span.

mod accounts;
mod acks;
mod answer;
mod args;
mod attendance;
mod audience;
mod broadcast;
mod calls;
mod changes;
mod children;
mod client;
mod cluster;
mod cluster_message;
mod corks;
mod custom_parser;
mod data;
mod decoder;
mod delivery;
mod emission;
mod encoded;
mod errands;
mod error;
mod event;
mod event_rate;
mod extract;
mod family;
mod flags;
mod glob;
mod handler;
mod histories;
mod history;
mod hooks;
mod hub;
mod id;
mod identity;
mod inbox;
mod lanes;
mod ledger;
mod limits;
mod list;
mod load;
#[cfg(feature = "testing")]
mod loopback;
mod marks;
#[cfg(feature = "msgpack")]
mod msgpack;
#[cfg(feature = "msgpack")]
mod msgpack_json;
#[cfg(feature = "msgpack")]
mod msgpack_reader;
#[cfg(feature = "msgpack")]
mod msgpack_writer;
mod namespace;
mod namespaces;
mod operator;
mod other_servers;
mod packet;
mod parser;
mod pattern;
mod peer;
mod pid;
mod presence;
mod recovery;
mod remote;
mod replies;
mod request;
mod requests;
mod retries;
mod room_history;
mod room_rules;
mod rooms;
mod root;
mod running;
mod served;
mod server;
mod servers;
mod shape;
mod socket;
mod state;
mod stats;
mod target;
mod tasks;
#[cfg(feature = "testing")]
pub mod testing;
mod throttle;
mod timer;
#[cfg(feature = "tower")]
mod tower;
mod trace;
mod value;
mod watch;

#[doc = include_str!("../guide.md")]
pub mod guide {}

pub use engineio::{self, CloseReason, Handshake, Revision, Sent, Stats, Transport, TransportFault};

pub use answer::{Answer, Answers, Incomplete};
pub use args::{Args, FromArgs};
pub use broadcast::Broadcast;
pub use calls::{ClusterOptions, ServerReply};
pub use cluster::{Carrier, ClusterTimes, ServerId};
pub use cluster_message::ClusterError;
pub use custom_parser::{CustomParser, Messages};
pub use decoder::{Body, Decode, Decoder, Incoming, Packet};
pub use encoded::EncodedEvent;
pub use error::{AckError, ConnectError, DecodeError, DisconnectReason, EmitError, EventError, JoinError};
pub use event::{Connect, Disconnect, Event, Kind, Message, Middleware, Next, Outgoing};
pub use event_rate::{Bucket, EventRate, OnExcess};
pub use extract::{Ack, Auth, Data, EventName, FromEvent, Params, Query, Rejection};
pub use family::Family;
pub use glob::Glob;
pub use handler::{Handler, Reply, Returned};
pub use histories::HistoryEntry;
pub use hooks::{Cause, Failure, Hooks};
pub use id::SocketId;
pub use lanes::Sequential;
pub use limits::Limits;
#[cfg(feature = "msgpack")]
pub use msgpack_json::{event_to_msgpack, msgpack_to_json};
pub use namespace::Namespace;
pub use operator::SocketOperator;
pub use other_servers::OtherServers;
pub use packet::{OutgoingPacket, PacketType, RESERVED_EVENTS};
pub use parser::Parser;
pub use presence::{Presence, PresentUser};
pub use recovery::{Recovery, RecoveryMode};
pub use remote::RemoteSocket;
pub use replies::{Partial, Replies, ReplyError};
pub use retries::Retries;
pub use room_history::{HistoryMode, RoomHistory};
pub use rooms::{Room, RoomChange};
pub use server::{Config, SocketIo};
pub use socket::Socket;
pub use state::{SocketData, State};
pub use stats::ServerStats;
pub use throttle::Throttle;
#[cfg(feature = "tower")]
pub use tower::{Answered, Layered};
pub use value::Value;
