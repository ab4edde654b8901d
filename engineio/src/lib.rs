//! An Engine.IO server: sessions over HTTP long-polling and WebSocket, with heartbeat and upgrade.
//!
//! This is the transport under [Socket.IO](https://socket.io); on its own it carries text and binary messages.
//! Protocol revision 4 is served.
//!
//! ```no_run
//! use engineio::{Config, Engine, Service, serve};
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
//! serve(listener, answer, ctrl_c, engine.close()).await;
//! # Ok(())
//! # }
//! ```
//!
//! # Layers
//! A file uses files of lower layers only:
//! words (`id`, `reason`, `packet`, `query`), codecs (`payload`, `frame`), the machine (`config`, `outbox`, `session`),
//! shared state (`socket`, `sessions`), carriers (`websocket`, `polling`, `driver`), front (`engine`, `service`,
//! `serve`).

mod config;
mod driver;
mod engine;
mod frame;
mod id;
mod outbox;
mod packet;
pub mod payload;
mod polling;
mod query;
mod reason;
mod serve;
mod service;
mod session;
mod sessions;
mod socket;
mod websocket;

pub use bytestring::ByteString;

pub use config::Config;
pub use driver::Driver;
pub use engine::Engine;
pub use frame::Frame;
pub use id::Sid;
pub use packet::{DecodeError, Message, Packet};
pub use query::{Query, Transport};
pub use reason::{CloseReason, HandshakeError, SendError, TransportFault};
pub use serve::serve;
pub use service::{Answer, RemoteAddr, Service};
pub use session::{Session, Transmit};
pub use socket::{Handshake, Socket};
