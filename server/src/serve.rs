//! What it is: the life of the process: bind, say so, serve, end on a signal.
//! What it is not: what is served (`front`, `admin`).
//! Who calls it: `main`.

use std::{
    fmt, io, process,
    sync::Arc,
    time::{Duration, Instant},
};

use socketio::SocketIo;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinSet,
};
use tracing::{info, warn};

use crate::{
    admin::Admin,
    announce::{self, Printer},
    api::{self, Api, Bounds, Kept},
    auth::{KeyError, Tokens},
    backend::{BackendError, Backends},
    bundle::{Bundle, BundleError},
    command::Flags,
    config::{Listen, Settled},
    connect_rate::ConnectRate,
    deny::Deny,
    front::Front,
    journal::Journal,
    keyring::Keyring,
    lag,
    listeners::{self, BindError, Bound},
    metrics::Metrics,
    namespaces::{self, Shared},
    options,
    origins::Lookout,
    playground,
    proxies::Proxies,
    redis::Redis,
    reload::Reloaded,
    rules::Rulebook,
    sockets::Sockets,
    supervisor,
    tls::{Tls, TlsError},
    upstream::Upstream,
};

/// The status of a process that was told to end twice.
const ENDED_AT_ONCE: i32 = 130;

/// The part of the time to drain in which connections are closed one after the other, and the part that the last
/// answers have.
const PART: u32 = 4;

/// Why the server did not start.
#[derive(Debug)]
pub(crate) enum ServeError {
    Bind(BindError),
    Bundle(BundleError),
    Tls(TlsError),
    Keys(KeyError),
    Backend(BackendError),
    Signals(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(error) => error.fmt(f),
            Self::Bundle(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Keys(error) => error.fmt(f),
            Self::Backend(error) => error.fmt(f),
            Self::Signals(error) => write!(f, "cannot watch for signals: {error}"),
        }
    }
}

impl std::error::Error for ServeError {}

/// Serves until the process is asked to end, then closes all connections.
pub(crate) async fn serve(settled: Settled, flags: Flags) -> Result<(), ServeError> {
    let (journal, _unwritten) = Journal::open(&settled.config.log);
    // Each connection is an open file. Where the limit cannot be raised, that which is there holds.
    let raised = rlimit::increase_nofile_limit(u64::MAX).or_else(|_| rlimit::Resource::NOFILE.get_soft());
    let files = raised.unwrap_or(u64::MAX);
    let Settled { config, is_playground } = &settled;
    let bundle = config.server.serve_client.as_deref().map(Bundle::load).transpose().map_err(ServeError::Bundle)?;
    let mut signals = Signals::watch().map_err(ServeError::Signals)?;
    let hangup = signal(SignalKind::hangup()).map_err(ServeError::Signals)?;
    let tls = match (&config.server.tls_cert, &config.server.tls_key) {
        (Some(cert), Some(key)) => Some(Tls::load(cert.clone(), key.clone()).map_err(ServeError::Tls)?),
        _ => None,
    };
    let tokens = Tokens::load(&config.auth.jwt).map_err(ServeError::Keys)?;
    let rulebook = Rulebook::new(config);
    let metrics = Arc::new(Metrics::new(&config.metrics.event_labels));
    let sockets = Arc::new(Sockets::new(&config.namespaces(), config.cluster.enabled, metrics.clone()));
    let backends = Backends::new(config, &sockets).map_err(ServeError::Backend)?;
    let spaces = match is_playground {
        true => vec![playground::namespace(&sockets)],
        false => namespaces::of(
            config,
            &Shared { sockets: &sockets, tokens: &tokens, backends: &backends, rulebook: &rulebook },
        ),
    };
    let connect_rate = ConnectRate::new(config.limits.connect_rate);
    let io = SocketIo::new(options::socketio(config, files, connect_rate.clone(), &metrics), spaces);
    sockets.open(io.clone());
    let (stop, drain) = (Stages::default(), &config.drain);
    let keyring = Keyring::new(&config.api.keys.0);
    let api = Api {
        sockets: sockets.clone(),
        tokens: tokens.clone(),
        keyring: keyring.clone(),
        bounds: Bounds::of(config),
        kept: Arc::new(Kept::new(config.api.idempotency_ttl)),
        closing: stop.accepting.subscribe(),
        since: Instant::now(),
    };
    let api = Arc::new(api);
    let redis = Redis::start(config, &sockets, api::options(&api));
    let admin = Admin {
        redis: redis.clone(),
        api,
        metrics: config.metrics.enabled.then(|| metrics.clone()),
        prefix: config.admin.prefix.0.as_str().into(),
        has_page: config.ui.enabled && !is_playground,
    };
    tokio::spawn(lag::watch(metrics.lag.clone()));
    let shared = |listen: &Listen| config.server.listen.contains(listen);
    let is_shared = config.admin.listen.iter().any(shared) && !admin.prefix.is_empty();
    let mut apart = config.admin.listen.clone();
    apart.retain(|listen| !is_shared || !shared(listen));
    if *is_playground {
        apart.clear();
    }
    let clients = listeners::bind(&config.server.listen, "--listen", tls.as_ref()).map_err(ServeError::Bind)?;
    let operators = listeners::bind(&apart, "--admin-listen", None).map_err(ServeError::Bind)?;
    let mut printer = Printer::new();
    printer.print(&announce::started(&settled, &clients, &operators, files));
    let front = Front {
        io: io.clone(),
        bundle,
        paths: config.server.path.clone().into(),
        proxies: Arc::new(Proxies(config.server.trusted_proxies.clone())),
        lookout: Arc::new(Lookout::new(&config.cors)),
        upstream: Upstream::new(&config.proxy, Deny::of(config), &metrics).map(Arc::new),
        own: Arc::new(Deny::new(config.server.path.iter().map(|path| &*path.0))),
        admin: (*is_playground || is_shared).then(|| admin.clone()),
        is_playground: *is_playground,
    };
    if let Some(tls) = tls.clone() {
        tokio::spawn(tls.watch());
    }
    tokio::spawn(tokens.clone().run(move |id| {
        // Without its client being told, which is to come back with a new token.
        if let Some(socket) = sockets.get(id.as_str()) {
            socket.close();
        }
    }));
    let reloaded = Reloaded {
        flags,
        kept_headers: options::kept_headers(config),
        config: config.clone(),
        io: io.clone(),
        files,
        connect_rate,
        keyring,
        tokens,
        rulebook,
        backends: backends.clone(),
        journal,
        tls,
    };
    tokio::spawn(reloaded.on(hangup));
    supervisor::ready();

    let goodbye = options::serve(&config.server, drain.timeout / PART);
    let running = stop.run(clients, operators, &goodbye, front, admin);
    let ended = async {
        signals.next().await;
        tokio::spawn(async move {
            signals.next().await;
            process::exit(ENDED_AT_ONCE);
        });
        printer.print("closing; once more ends at once");
        metrics.draining.set(1);
        supervisor::stopping();
        info!(connections = io.clients_count(), "closing");
        let leave_cluster = async || {
            io.leave_cluster();
            if let Some(redis) = &redis {
                redis.flushed().await;
            }
        };
        let closed = async {
            stop.accepting.send_replace(true);
            backends.close();
            io.close_over(spread(io.clients_count(), drain.rate, drain.timeout)).await;
            backends.flushed().await;
            // What backends had to say of clients that left was for those of other servers, too.
            leave_cluster().await;
            stop.answering.send_replace(true);
            std::future::pending::<()>().await;
        };
        if tokio::time::timeout(drain.timeout, closed).await.is_err() {
            warn!(connections = io.clients_count(), disconnect_hooks = backends.unflushed(), "cut off");
            leave_cluster().await;
        }
    };
    tokio::select! {
        () = running => {}
        () = ended => {}
    }
    Ok(())
}

/// The time over which so many connections are closed.
fn spread(connections: usize, rate: usize, timeout: Duration) -> Duration {
    if rate == 0 || connections <= rate {
        return Duration::ZERO;
    }
    Duration::from_secs_f64(connections as f64 / rate as f64).min(timeout / PART)
}

/// How far the end has come: first nobody is accepted any more, then nobody is answered.
#[derive(Debug, Default)]
struct Stages {
    accepting: watch::Sender<bool>,
    answering: watch::Sender<bool>,
}

impl Stages {
    /// Runs all listeners to their end, those of operators last.
    async fn run(
        &self,
        clients: Vec<Bound>,
        operators: Vec<Bound>,
        serve: &engineio::Serve,
        front: Front,
        admin: Admin,
    ) {
        let (mut of_clients, mut of_operators) = (JoinSet::new(), JoinSet::new());
        for bound in clients {
            let (serve, front, shutdown, close) = (serve.clone(), front.clone(), self.accepting(), self.answering());
            let is_secure = bound.is_secure();
            let answer = move |request| {
                let front = front.clone();
                async move { front.answer(request, is_secure).await }
            };
            of_clients.spawn(async move { bound.run(&serve, answer, shutdown, close).await });
        }
        let gone = watch::Sender::new(false);
        for bound in operators {
            let (serve, admin, shutdown) = (serve.clone(), admin.clone(), reached(&gone));
            let answer = move |request| {
                let admin = admin.clone();
                async move { admin.answer(request).await }
            };
            of_operators.spawn(async move { bound.run(&serve, answer, shutdown, async {}).await });
        }
        of_clients.join_all().await;
        gone.send_replace(true);
        of_operators.join_all().await;
    }

    fn accepting(&self) -> impl Future<Output = ()> + Send + use<> {
        reached(&self.accepting)
    }

    fn answering(&self) -> impl Future<Output = ()> + Send + use<> {
        reached(&self.answering)
    }
}

/// Waits until this is so, or nobody can say any more.
fn reached(stage: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut stage = stage.subscribe();
    async move {
        let _or_gone = stage.wait_for(|reached| *reached).await;
    }
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn watch() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
