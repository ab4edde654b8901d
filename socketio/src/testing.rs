//! A client for the tests of applications: in the same process, without a port, and through the same code that serves
//! clients from afar, HTTP head, WebSocket and all. It speaks protocol 5, with the default parser.
//!
//! ```
//! use socketio::{Auth, Config, ConnectError, Data, Namespace, Reply, Socket, SocketIo, testing::{Client, Error}};
//!
//! fn chat() -> SocketIo {
//!     let chat = Namespace::new("/chat")
//!         .on_connect(async |Auth(auth): Auth<serde_json::Value>| -> Result<(), ConnectError> {
//!             if auth["name"].is_null() { Err(ConnectError::new("who are you?")) } else { Ok(()) }
//!         })
//!         .on("say", async |socket: Socket, Data(text): Data<String>| {
//!             Reply(socket.broadcast().emit("said", &text).unwrap_or(0))
//!         });
//!     SocketIo::new(Config::default(), [chat])
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Error> {
//!     let io = chat();
//!     let named = |name| Client::options().namespace("/chat").auth(serde_json::json!({ "name": name }));
//!     let alice = named("alice").connect(&io).await?;
//!     let mut bob = named("bob").connect(&io).await?;
//!
//!     let heard: usize = alice.emit_with_ack("say", "hello").await?;
//!     assert_eq!(heard, 1);
//!     assert_eq!(bob.expect_event::<String>("said").await?, "hello");
//!
//!     let stranger = Client::options().namespace("/chat").connect(&io).await;
//!     assert!(matches!(stranger, Err(Error::Connect(error)) if error.message == "who are you?"));
//!     Ok(())
//! }
//! ```
//!
//! # Time
//! What is waited for is waited for a limited time, see [`Options::patience`]. With tokio's clock
//! paused (`tokio::time::pause`) time passes by itself while everybody waits: a client that
//! [falls silent](Client::fall_silent) is found out at once, 45 s later.
//!
//! What it is: the handles that tests hold: a client's socket in one namespace, and what it is opened with.
//! What it is not: the bytes; those go through `loopback`.
//! Who calls it: tests of applications, and some of our own.

use std::{
    error, fmt,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hyper::Request;
use serde::Serialize;
use tokio::{
    io::{AsyncReadExt, DuplexStream, duplex},
    sync::{mpsc, oneshot},
};

pub use crate::loopback::Ended;
use crate::{
    args::{Args, FromArgs},
    decoder::Incoming,
    error::{ConnectError, EmitError},
    loopback::{self, Command, Place},
    parser::{Encoded, Parser},
    server::SocketIo,
};

/// How much may be under way in each direction, in bytes: about what a system's buffers hold.
const BUFFER: usize = 64 * 1024;

/// Why a client did not get what it wanted.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The query or a header cannot be part of a request.
    Request(hyper::http::Error),
    /// The request was refused with this HTTP status.
    Refused(u16),
    /// The namespace may not be joined (`connect_error`).
    Connect(ConnectError),
    /// The socket is no longer in its namespace.
    Ended(Ended),
    /// Nothing came within the client's [patience](Options::patience).
    Timeout,
    /// An event of another name came.
    OtherEvent(Box<Event>),
    /// What came is not of the type that was asked for.
    Decode(serde_json::Error),
    /// The arguments, or `auth`, cannot be sent.
    Emit(EmitError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => write!(f, "no request can be made: {error}"),
            Self::Refused(status) => write!(f, "the request was refused with status {status}"),
            Self::Connect(error) => write!(f, "the namespace may not be joined: {error}"),
            Self::Ended(ended) => write!(f, "the socket has left: {ended:?}"),
            Self::Timeout => f.write_str("nothing came in time"),
            Self::OtherEvent(event) => write!(f, "another event came: {event:?}"),
            Self::Decode(error) => write!(f, "what came is not of that type: {error}"),
            Self::Emit(error) => error.fmt(f),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Request(error) => Some(error),
            Self::Connect(error) => Some(error),
            Self::Decode(error) => Some(error),
            Self::Emit(error) => Some(error),
            Self::Refused(_) | Self::Ended(_) | Self::Timeout | Self::OtherEvent(_) => None,
        }
    }
}

/// What a client connects with. Default: it joins `/`, without `auth`.
#[derive(Debug, Clone)]
#[must_use = "the client connects when `connect` is awaited"]
pub struct Options {
    namespace: String,
    auth: String,
    query: String,
    headers: Vec<(String, String)>,
    patience: Duration,
}

impl Options {
    /// The namespace to join, with its leading slash. Default `/`.
    pub fn namespace(self, namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..self }
    }

    /// What it says of itself when it joins (`auth`): a JSON object. Default: nothing.
    pub fn auth(self, auth: impl Into<serde_json::Value>) -> Self {
        Self { auth: payload(&auth.into()), ..self }
    }

    /// The query of the connection (`query`), such as `token=x&theme=dark`. Default: none.
    pub fn query(self, query: &str) -> Self {
        Self { query: format!("&{query}"), ..self }
    }

    /// Adds a header to the request (`extraHeaders`).
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How long the client waits for something before it is [`Error::Timeout`]. Default 10 s.
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Opens a connection and joins.
    ///
    /// # Errors
    /// [`Error::Request`], [`Error::Refused`], [`Error::Connect`], [`Error::Ended`], [`Error::Timeout`].
    pub async fn connect(self, io: &SocketIo) -> Result<Client, Error> {
        let Self { namespace, auth, query, headers, patience } = self;
        let target = format!("{}?EIO=4&transport=websocket{query}", io.path());
        let request = Request::builder()
            .uri(target)
            .header("host", "localhost")
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let (request, ()) = request.body(()).map_err(Error::Request)?.into_parts();
        let (mut stream, theirs) = duplex(BUFFER);
        let accepted = async {
            // What could not be written is missed by whoever reads.
            let _ended = io.accept(request, theirs).await;
            status(&mut stream).await
        };
        match tokio::time::timeout(patience, accepted).await {
            Ok(Some(101)) => {}
            Ok(Some(status)) => return Err(Error::Refused(status)),
            Ok(None) => return Err(Error::Ended(Ended::TransportClose)),
            Err(_) => return Err(Error::Timeout),
        }
        let (commands, receiver) = mpsc::unbounded_channel();
        tokio::spawn(loopback::run(stream, receiver));
        let connection = Connection { commands, next_ack: Arc::default(), patience };
        connection.join(namespace, auth).await
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            namespace: "/".to_owned(),
            auth: String::new(),
            query: String::new(),
            headers: Vec::new(),
            patience: Duration::from_secs(10),
        }
    }
}

/// `auth` on the wire.
fn payload(auth: &serde_json::Value) -> String {
    if auth.is_null() { String::new() } else { auth.to_string() }
}

/// Reads the head of an answer, and not a byte more; its status.
async fn status(stream: &mut DuplexStream) -> Option<u16> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    str::from_utf8(&head).ok()?.split(' ').nth(1)?.parse().ok()
}

/// A connection, as its sockets share it.
#[derive(Debug, Clone)]
struct Connection {
    commands: mpsc::UnboundedSender<Command>,
    next_ack: Arc<AtomicU64>,
    patience: Duration,
}

impl Connection {
    async fn join(self, namespace: String, auth: String) -> Result<Client, Error> {
        let (sender, joined) = oneshot::channel();
        let (events, received) = mpsc::unbounded_channel();
        let ended = Arc::<OnceLock<Ended>>::default();
        let place = Place { joined: Some(sender), events, ended: ended.clone() };
        self.tell(Command::Join { namespace: namespace.clone(), auth, place });
        let joined = self.within(joined).await?;
        let id = joined.map_err(|_| Error::Ended(end(&ended)))?.map_err(Error::Connect)?;
        Ok(Client { connection: self, namespace, id, events: received, ended })
    }

    fn tell(&self, command: Command) {
        // Of a connection that has ended nothing more is wanted; what the command holds tells so when it is dropped.
        let _ended = self.commands.send(command);
    }

    async fn within<F: Future>(&self, future: F) -> Result<F::Output, Error> {
        tokio::time::timeout(self.patience, future).await.map_err(|_| Error::Timeout)
    }
}

/// Of a connection that had ended before, nothing more is known.
fn end(ended: &OnceLock<Ended>) -> Ended {
    ended.get().copied().unwrap_or(Ended::TransportClose)
}

/// A client's socket in one namespace. The connection goes on until the last of its sockets is dropped, and is then
/// [cut](Self::cut).
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    namespace: String,
    id: String,
    events: mpsc::UnboundedReceiver<Incoming>,
    ended: Arc<OnceLock<Ended>>,
}

impl Client {
    /// What a client can be connected with, other than by [`connect`](Self::connect).
    pub fn options() -> Options {
        Options::default()
    }

    /// Opens a connection and joins `/`.
    ///
    /// # Errors
    /// As [`Options::connect`].
    pub async fn connect(io: &SocketIo) -> Result<Self, Error> {
        Options::default().connect(io).await
    }

    /// Joins another namespace over the same connection; `()` is no `auth`.
    ///
    /// # Errors
    /// [`Error::Connect`], [`Error::Ended`], [`Error::Timeout`].
    pub async fn connect_to(&self, namespace: &str, auth: impl Into<serde_json::Value>) -> Result<Self, Error> {
        self.connection.clone().join(namespace.to_owned(), payload(&auth.into())).await
    }

    /// The id, which is that of the server's [`Socket`](crate::Socket).
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Emits an event, with arguments as [`Socket::emit`](crate::Socket::emit) takes them, binary ones among them.
    /// Behind the end of the socket it is dropped.
    ///
    /// # Errors
    /// [`Error::Emit`].
    pub fn emit<T: Serialize + ?Sized>(&self, event: &str, args: &T) -> Result<(), Error> {
        let packet = Parser::Default.event(&self.namespace, event, args, None).map_err(Error::Emit)?;
        self.send(packet, None);
        Ok(())
    }

    /// Emits an event, now, and gives the answer to be awaited, read as `R` by the rules of [`Args::read`].
    ///
    /// # Errors
    /// [`Error::Emit`], [`Error::Timeout`], [`Error::Ended`], [`Error::Decode`].
    pub fn emit_with_ack<R: FromArgs + 'static>(
        &self,
        event: &str,
        args: &(impl Serialize + ?Sized),
    ) -> Pin<Box<dyn Future<Output = Result<R, Error>> + Send>> {
        let id = self.connection.next_ack.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        let sent = Parser::Default
            .event(&self.namespace, event, args, Some(id))
            .map(|packet| self.send(packet, Some((id, sender))));
        let (connection, ended) = (self.connection.clone(), self.ended.clone());
        Box::pin(async move {
            sent.map_err(Error::Emit)?;
            let answer = connection.within(answer).await?;
            R::from_args(answer.map_err(|_| Error::Ended(end(&ended)))?).map_err(Error::Decode)
        })
    }

    fn send(&self, packet: Encoded, answer: Option<(u64, oneshot::Sender<Args>)>) {
        self.connection.tell(Command::Send { namespace: self.namespace.clone(), packet, answer });
    }

    /// The next event.
    ///
    /// # Errors
    /// [`Error::Timeout`], and [`Error::Ended`] behind the last one.
    pub async fn next_event(&mut self) -> Result<Event, Error> {
        let incoming =
            self.connection.within(self.events.recv()).await?.ok_or_else(|| Error::Ended(end(&self.ended)))?;
        let (commands, namespace) = (self.connection.commands.clone(), self.namespace.clone());
        Ok(Event { incoming, namespace, commands })
    }

    /// The arguments of the next event, which has to be of this name, read as `T` by the rules of [`Args::read`].
    ///
    /// # Errors
    /// [`Error::Timeout`], [`Error::Ended`], [`Error::OtherEvent`], [`Error::Decode`].
    pub async fn expect_event<T: FromArgs>(&mut self, name: &str) -> Result<T, Error> {
        let event = self.next_event().await?;
        if event.name() != name {
            return Err(Error::OtherEvent(Box::new(event)));
        }
        T::from_args(event.incoming.args).map_err(Error::Decode)
    }

    /// Waits until the socket is no longer in its namespace, and says why; events that came before are lost.
    ///
    /// # Errors
    /// [`Error::Timeout`].
    pub async fn ended(&mut self) -> Result<Ended, Error> {
        let connection = self.connection.clone();
        connection.within(async { while self.events.recv().await.is_some() {} }).await?;
        Ok(end(&self.ended))
    }

    /// Leaves the namespace; other sockets of the connection stay.
    pub fn disconnect(&self) {
        self.connection.tell(Command::Leave { namespace: self.namespace.clone() });
    }

    /// Breaks the connection without a goodbye, for all its sockets.
    pub fn cut(&self) {
        self.connection.tell(Command::Cut);
    }

    /// From here on the connection brings nothing more to the server, as if its network were gone: no events, and no
    /// answers to pings. What the server sends is still heard.
    pub fn fall_silent(&self) {
        self.connection.tell(Command::FallSilent);
    }
}

/// An event from the server.
pub struct Event {
    incoming: Incoming,
    namespace: String,
    commands: mpsc::UnboundedSender<Command>,
}

impl Event {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.incoming.name
    }

    /// Its arguments.
    pub fn args(&self) -> &Args {
        &self.incoming.args
    }

    /// Whether the server wants an answer.
    pub fn wants_answer(&self) -> bool {
        self.incoming.ack.is_some()
    }

    /// Answers it, if the server wants that.
    ///
    /// # Errors
    /// [`Error::Emit`].
    pub fn answer<T: Serialize + ?Sized>(&self, args: &T) -> Result<(), Error> {
        let Some(id) = self.incoming.ack else { return Ok(()) };
        let packet = Parser::Default.ack(&self.namespace, id, args).map_err(Error::Emit)?;
        let _ended = self.commands.send(Command::Send { namespace: self.namespace.clone(), packet, answer: None });
        Ok(())
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("name", &self.name()).field("args", self.args()).finish_non_exhaustive()
    }
}
