//! An Engine.IO server: sessions over HTTP long-polling and WebSocket, with heartbeat and upgrade.
//!
//! This is the transport under [Socket.IO](https://socket.io); on its own it carries text and binary messages.
//! Protocol revision 4 is served, and on request revision 3, which clients of Socket.IO 1.x and 2.x speak.
//!
//! ```no_run
//! use engineio::{Config, Engine, Serve, Service};
//! use tokio::net::TcpListener;
//!
//! # async fn echo() -> std::io::Result<()> {
//! let engine = Engine::new(Config::default(), |socket, driver| {
//!     tokio::spawn(async move { driver.run(|message| drop(socket.send(&message))).await });
//! });
//! let listener = TcpListener::bind("127.0.0.1:3000").await?;
//! let service = Service::new(engine.clone());
//! let answer = move |request| {
//!     let service = service.clone();
//!     async move { service.answer(request).await }
//! };
//! let ctrl_c = async { drop(tokio::signal::ctrl_c().await) };
//! Serve::default().run(listener, answer, ctrl_c, engine.close()).await;
//! # Ok(())
//! # }
//! ```
//!
//! # In other servers
//! A [`Service`] answers requests that any hyper server brings; with the feature `tower` it is a service for axum and
//! others, HTTP/2 included, which polls. [`Service::accept`] takes a WebSocket on a stream that another HTTP server
//! read. What may come in is bounded by options of [`Config`] and [`Serve`]; who may come in, [`Http`] decides.
//! There are programs for this in `examples/`.
//!
//! Every option with its unit, its default and the reference server's name for it is in `docs/options.md` of the
//! repository; `docs/differences.md` says where this server differs from the reference, and why.
//!
//! # Layers
//! A file uses files of lower layers only; `ARCHITECTURE.md` in the repository has them.

mod admission;
mod allowance;
mod answer;
mod backlog;
mod bare;
pub mod compress;
mod config;
mod connection;
mod cookie;
mod cors;
mod deflate;
mod driver;
mod engine;
mod event;
mod extension;
mod frame;
mod handover;
mod handshake;
mod head;
mod heartbeat;
mod http;
mod id;
pub mod jsonp;
mod origin;
mod outbox;
mod packet;
pub mod payload;
mod polling;
mod protocol;
mod query;
pub mod reader;
mod reason;
mod refusal;
mod requests;
mod serve;
mod service;
mod session;
mod sessions;
mod socket;
mod stats;
mod websocket;

pub use bytestring::ByteString;

pub use admission::{Bound, SessionLimits};
pub use answer::Answer;
pub use bare::BareWebSocket;
pub use config::{Config, PerMessageDeflate, SlowConsumer};
pub use cookie::{Cookie, CookieError, SameSite};
pub use cors::{Cors, CorsError};
pub use driver::Driver;
pub use engine::Engine;
pub use event::Event;
pub use frame::Frame;
pub use handshake::Handshake;
pub use http::Http;
pub use id::Sid;
pub use origin::{Origin, OriginError, Origins};
pub use outbox::Progress;
pub use packet::{DecodeError, Message, Packet};
pub use protocol::{Encoding, Revision, Transport};
pub use query::Query;
pub use reason::{CloseReason, HandshakeError, SendError, Sent, TransportFault};
pub use refusal::{Context, Denied, Refused};
pub use serve::{Listener, Serve};
pub use service::{RemoteAddr, Service};
pub use session::{Session, Transmit};
pub use socket::{Hold, Seal, Socket};
pub use stats::Stats;
