//! What it is: the Socket.IO server: namespaces on top of an engine.
//! What it is not: a port; it answers requests that hyper, or `engineio::serve`, brings.
//! Who calls it: applications.

use std::{
    any::Any,
    convert::Infallible,
    fmt, future, io,
    pin::{Pin, pin},
    sync::{Arc, Weak},
    time::Duration,
};

use engineio::{Answer, Engine, Http, Listener, Serve, Service, SessionLimits, SlowConsumer};
use futures_util::future::Either;
use hyper::{Request, StatusCode, Uri, body::Body, http::request::Parts};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::{
    broadcast::Broadcast,
    client::Client,
    delivery::Settings,
    event::{Event, Kind},
    extract::{FromEvent, Rejection},
    family::Family,
    histories::Histories,
    hooks::Hooks,
    hub::Terms,
    ledger::Ledger,
    limits::Limits,
    namespace::{Namespace, with_slash},
    namespaces::{Found, Namespaces},
    parser::Parser,
    pid::MAX_CLAIM,
    recovery::Recovery,
    socket::Socket,
    stats::ServerStats,
    target::Target,
    tasks::Tasks,
    trace,
};

/// Options of a [`SocketIo`], with the reference server's names and defaults.
#[derive(Debug, Clone)]
pub struct Config {
    /// The transport below. Its path is `/socket.io/` by default. `allow_eio3` serves clients of Socket.IO 1.x and 2.x,
    /// too; then read what [`SocketId`](crate::SocketId) says of their ids.
    pub engine: engineio::Config,
    /// The HTTP front: CORS, cookie, compression, hooks.
    pub http: Http,
    /// Time a client has to join its first namespace (`connectTimeout`). Default 45 s.
    pub connect_timeout: Duration,
    /// *Ours.* Bytes that a client may send before it has joined a namespace, in all. Default 64 KiB.
    pub max_bytes_before_connect: usize,
    /// *Ours.* What one client may bring or make the server keep.
    pub limits: Limits,
    /// How packets are written and read (`parser`): what all clients of the server have to know. Default
    /// [`Parser::Default`].
    pub parser: Parser,
    /// *Ours.* Time that [`close`](SocketIo::close) waits for connections and handlers to end. Default 5 s.
    pub close_timeout: Duration,
    /// *Ours.* Time for which a broadcast may wait for more, so that one write takes many: for rooms with many messages
    /// a second. Whatever else is sent to a client, an ack or an event for it alone, takes along what waits for it, so
    /// nothing changes its order; 64 messages or 64 KiB do not wait either. A [namespace](Namespace::flush_delay) may
    /// have its own. Default: none.
    pub flush_delay: Duration,
    /// Lets clients that lost their connection come back as who they were, with what they missed
    /// (`connectionStateRecovery`). Default `None`: whoever comes back is new.
    pub connection_state_recovery: Option<Recovery>,
    /// *Ours.* Bytes that all rooms keep together, with what it takes to keep them, see
    /// [`Namespace::room_history`]. Above it those rooms forget what they keep that were not emitted to, or joined, for
    /// longest; so where clients choose the names of rooms, they can make others forget. Default 64 MiB.
    pub max_history_bytes: usize,
    /// Whether a namespace that a [pattern](Namespace::pattern) led to goes away when its last socket has left
    /// (`cleanupEmptyChildNamespaces`). Default `true`, while the reference's is `false`.
    pub cleanup_empty_child_namespaces: bool,
    /// *Ours.* Whether a client that wants an answer is told that a handler or a middleware failed, with the answer
    /// `{"error":{"message":..,"data":..}}`: what an [`EventError`](crate::EventError) says, else no more than
    /// `Invalid arguments` or `Internal error`. Default `false`, as in the reference: nothing is answered.
    pub error_acks: bool,
    /// Functions of the application that are told what happens. Default: none.
    pub hooks: Hooks,
}

impl Default for Config {
    fn default() -> Self {
        let engine = engineio::Config { path: "/socket.io/".into(), ..engineio::Config::default() };
        Self {
            engine,
            http: Http::default(),
            connect_timeout: Duration::from_secs(45),
            max_bytes_before_connect: 64 * 1024,
            limits: Limits::default(),
            parser: Parser::default(),
            close_timeout: Duration::from_secs(5),
            flush_delay: Duration::ZERO,
            connection_state_recovery: None,
            max_history_bytes: 64 * 1024 * 1024,
            cleanup_empty_child_namespaces: true,
            error_acks: false,
            hooks: Hooks::default(),
        }
    }
}

/// A Socket.IO server. Clones are the same server. Handlers can have it as an argument.
#[derive(Clone)]
pub struct SocketIo(pub(crate) Arc<Inner>);

/// What it is made of.
pub(crate) struct Inner {
    service: Service,
    engine: Engine,
    pub(crate) namespaces: Arc<Namespaces>,
    pub(crate) connections: Arc<Tasks>,
    handlers: Arc<Tasks>,
    close_timeout: Duration,
}

impl SocketIo {
    /// A server with these namespaces and families of namespaces, and no others. Of two with the same name the last
    /// one counts; of families that match a name, the first one.
    pub fn new(config: Config, namespaces: impl IntoIterator<Item = Namespace>) -> Self {
        let (connections, handlers) = (Arc::new(Tasks::default()), Arc::new(Tasks::default()));
        let (mut limits, mut engine, recovery) = (config.limits, config.engine, config.connection_state_recovery);
        if recovery.is_some() {
            // Nothing is left out of what it brings.
            engine.slow_consumer = SlowConsumer::Disconnect;
            // What its client adds when it comes back is not the application's.
            limits.max_auth = limits.max_auth.saturating_add(MAX_CLAIM);
        }
        let terms = Terms {
            limits: Arc::new(limits),
            parser: config.parser,
            flush_delay: config.flush_delay,
            counts: Arc::default(),
            servers: Arc::default(),
            server: Arc::default(),
        };
        // From a ping that is answered to the end of a session that answers the next one no more. An answer may take
        // twice its time, if another packet comes meanwhile.
        let silence = engine.ping_interval.saturating_add(engine.ping_timeout.saturating_mul(4));
        let settings = Settings {
            hooks: config.hooks,
            error_acks: config.error_acks,
            terms,
            tasks: handlers.clone(),
            recovery: recovery.map(|options| (options, silence)),
            ledger: Arc::new(Ledger::new(recovery.map_or(0, |recovery| recovery.total_bytes))),
            histories: Arc::new(Histories::new(config.max_history_bytes)),
        };
        let cleanup = config.cleanup_empty_child_namespaces;
        let namespaces = Arc::new(Namespaces::new(namespaces, cleanup, settings));
        let (connect_timeout, max_bytes) = (config.connect_timeout, config.max_bytes_before_connect);
        let (joinable, running) = (namespaces.clone(), connections.clone());
        let engine = Engine::new(engine, move |socket, driver| {
            joinable.settings.tasks.run_here();
            // Until it is let into a namespace.
            socket.limit(Some(max_bytes));
            if joinable.settings.tasks.is_closed() {
                socket.close();
            }
            let mut observer = joinable.settings.hooks.connection(&socket);
            let span = trace::connection(&socket);
            let join = || Client::new(socket, joinable.clone(), connect_timeout);
            let mut client = trace::enter(&span, join);
            let mut running = Some(running.begin());
            let driver = if observer.is_some() { driver } else { driver.without_flushes() };
            let mut tell = move |event| {
                if let Some(observer) = &mut observer {
                    observer.tell(&event);
                }
                match event {
                    engineio::Event::Message(message) => client.on_message(message),
                    engineio::Event::Close(reason) => {
                        client.on_close(reason);
                        trace::closed(reason);
                        drop(running.take());
                    }
                    _ => {}
                }
            };
            tokio::spawn(driver.observe(move |event| trace::enter(&span, || tell(event))));
        });
        let (service, close_timeout) = (Service::with_http(engine.clone(), config.http), config.close_timeout);
        let io = Arc::new(Inner { service, engine, namespaces, connections, handlers, close_timeout });
        let known: Weak<dyn Any + Send + Sync> = Arc::<Inner>::downgrade(&io);
        io.namespaces.settings.terms.server.set(known).expect("it is new");
        Self(io)
    }

    /// Everybody in a namespace, to emit to, by its name with `/` in front or without; `None` when there is no such
    /// namespace. One that a pattern led to is there while somebody is in it, or this is kept; in a
    /// [cluster](Self::join_cluster), where somebody may be in it on another server, it comes with this if it has to.
    pub fn of(&self, namespace: &str) -> Option<Broadcast> {
        let Found { served, stay } = self.0.namespaces.get_or_enter(&with_slash(namespace))?;
        Some(Broadcast::staying(served.hub().clone(), stay))
    }

    /// The names of all namespaces that are there now, in order: the fixed ones, and those of families while somebody
    /// is in them.
    pub fn namespace_names(&self) -> Vec<String> {
        self.0.namespaces.names()
    }

    /// Everybody in all namespaces of a family, to emit to (what `io.of(/regex/)` returns in the reference): those that
    /// its pattern led to, and fixed ones whose name matches. `None` when no family was given with this pattern. In a
    /// cluster these are the namespaces of this server, and in them the clients of all.
    ///
    /// ```
    /// # use socketio::{Config, Namespace, SocketIo};
    /// let io = SocketIo::new(Config::default(), [Namespace::pattern("/game-{id}")]);
    /// let players = io.family("/game-{id}").expect("the pattern given above");
    /// let _told = players.to("players").emit("server stops in", &60);
    /// ```
    ///
    /// Sockets cannot be fetched from a family:
    /// ```compile_fail
    /// # use socketio::{Config, Namespace, SocketIo};
    /// # let io = SocketIo::new(Config::default(), [Namespace::pattern("/game-{id}")]);
    /// io.family("/game-{id}").expect("the pattern given above").sockets();
    /// ```
    pub fn family(&self, pattern: &str) -> Option<Family> {
        let pattern = with_slash(pattern);
        let (namespaces, target) = (self.0.namespaces.clone(), Target::default());
        self.0.namespaces.has_family(&pattern).then_some(Family { namespaces, pattern, target })
    }

    /// Number of connections now.
    pub fn clients_count(&self) -> usize {
        self.0.engine.clients_count()
    }

    /// From now on there may be so many connections, whatever the options said, see
    /// [`Engine::limit_sessions`](engineio::Engine::limit_sessions).
    pub fn limit_sessions(&self, limits: SessionLimits) {
        self.0.engine.limit_sessions(limits);
    }

    /// How the server is doing: what waits, what is kept, and what was counted since it was made. Each connection is
    /// asked for what waits for it, so this is for metrics, and not for every event.
    pub fn stats(&self) -> ServerStats {
        let settings = &self.0.namespaces.settings;
        settings.terms.counts.stats(self.0.engine.outbox_bytes(), settings.histories.bytes())
    }

    /// The path of requests that belong here.
    #[cfg(feature = "testing")]
    pub(crate) fn path(&self) -> &str {
        &self.0.engine.config().path
    }

    /// Whether a request with this path belongs here.
    pub fn matches(&self, path: &str) -> bool {
        self.0.service.matches(path)
    }

    /// Answers one request; see [`Service::answer`]. Once the server [closes](Self::close) the answer is 503, but for
    /// requests of sessions that are still there.
    pub fn answer<B>(&self, request: Request<B>) -> impl Future<Output = Answer> + Send + use<B>
    where
        B: Body + Send + Unpin + 'static,
    {
        if self.is_over(request.uri()) {
            Either::Left(future::ready(unavailable()))
        } else {
            Either::Right(self.0.service.answer(request))
        }
    }

    /// Answers a request for a WebSocket that an HTTP server other than hyper has read from `stream`; see
    /// [`Service::accept`].
    ///
    /// # Errors
    /// Those of writing the answer.
    pub async fn accept<S>(&self, request: Parts, stream: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        if self.is_over(&request.uri) {
            let mut stream = pin!(stream);
            stream.write_all(UNAVAILABLE).await?;
            return stream.shutdown().await;
        }
        self.0.service.accept(request, stream).await
    }

    /// Whether a request comes too late: the server closes, and it is of no session that is still there.
    fn is_over(&self, uri: &Uri) -> bool {
        self.0.handlers.is_closed() && !self.0.service.has_session(uri.query().unwrap_or_default())
    }

    /// Closes all connections (`io.close()`) in an orderly way:
    /// 1. Nobody is let in any more, and no event is handled any more; answers of clients are.
    /// 2. Handlers that still wait run to their end, and what was emitted and answered leaves; for half of
    ///    [`close_timeout`](Config::close_timeout) at most, what then still waits for a client is dropped.
    /// 3. Connections are closed, and disconnect handlers run to their end. What takes longer than the rest of that
    ///    time is not waited for, and goes on by itself. Then it [leaves its cluster](Self::leave_cluster).
    ///
    /// Sockets leave as [`CloseReason::Shutdown`](engineio::CloseReason::Shutdown), without DISCONNECT packets, so that
    /// clients come back to the next server; whoever awaits an answer of theirs has
    /// [`AckError::Disconnected`](crate::AckError::Disconnected). It is for good: later requests are answered 503.
    /// Called again, it waits for the same.
    ///
    /// A handler must not await it, because it would wait for itself.
    pub async fn close(&self) {
        self.close_over(Duration::ZERO).await;
        self.leave_cluster();
    }

    /// The same, but the third step closes connections one after the other, evenly over this time, so that clients do
    /// not all come to the next server at once. It is a part of `close_timeout`, so half of that is too long for it.
    /// Behind it the server is still one of its cluster, for what is to be told of the clients that left, until it
    /// [leaves](Self::leave_cluster).
    pub async fn close_over(&self, time: Duration) {
        self.0.handlers.close();
        let drained = async {
            self.0.handlers.ended().await;
            self.0.namespaces.flush();
            self.0.engine.flushed().await;
        };
        let ended = async {
            // Whoever is late must leave time for the disconnect handlers.
            let _late = tokio::time::timeout(self.0.close_timeout / 2, drained).await;
            self.0.engine.close_over(time).await;
            self.0.connections.ended().await;
            self.0.handlers.ended().await;
        };
        // Handlers that are late cannot be helped.
        let _late = tokio::time::timeout(self.0.close_timeout, ended).await;
    }

    /// Serves this and nothing else on a port until `shutdown` is done, then [closes](Self::close) it. For options that
    /// [`Serve`] does not have by default, do as it does:
    ///
    /// ```no_run
    /// # use tokio::net::TcpListener;
    /// # async fn serve(io: socketio::SocketIo, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    /// let (serve, closing) = (engineio::Serve { max_connections: Some(10_000), ..Default::default() }, io.clone());
    /// serve.run(listener, move |request| io.answer(request), shutdown, closing.close()).await;
    /// # }
    /// ```
    pub async fn serve(&self, listener: impl Listener, shutdown: impl Future<Output = ()>) {
        let io = self.clone();
        Serve::default().run(listener, move |request| io.answer(request), shutdown, self.close()).await;
    }
}

impl Socket {
    /// The server that it is of, to reach others by; `None` once the application has dropped that. Handlers can also
    /// have it as an argument.
    pub fn server(&self) -> Option<SocketIo> {
        Some(SocketIo(self.hub.server.get()?.upgrade()?.downcast().ok()?))
    }
}

impl<K: Kind> FromEvent<K> for SocketIo {
    fn from_event(event: &Event<'_, K>) -> Result<Self, Rejection> {
        event.socket.server().ok_or(Rejection::Server)
    }
}

/// What a server that closes answers on a stream: clients try again elsewhere.
const UNAVAILABLE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// The same by hyper.
fn unavailable() -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    answer
}

/// Answers every request; one that does not belong here with 404.
impl<B> hyper::service::Service<Request<B>> for SocketIo
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
{
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let io = self.clone();
        Box::pin(async move { Ok(io.answer(request).await) })
    }
}

impl fmt::Debug for SocketIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketIo").field("engine", &self.0.engine).field("namespaces", &self.0.namespaces).finish()
    }
}
