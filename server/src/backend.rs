//! What it is: backends: applications that are told by HTTP what clients do, and answer what is to be done.
//! What it is not: the HTTP API, by which applications have things done unasked.
//! Who calls it: `namespaces`, for clients that join, emit and leave; `serve` makes it and lets it end. Rules may
//! [`ask`](Backends::ask) about an event themselves.

mod answer;
mod backoff;
mod breaker;
mod client;
mod current;
mod effect;
mod hook;
mod leaving;
mod message;
mod outcome;
mod pacer;
mod queue;
mod schedule;
mod signature;
mod turns;
mod users;

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use serde_json::value::RawValue;
use socketio::{Args, ConnectError, DisconnectReason, Socket};
use tokio::sync::watch;
use tracing::{debug, warn};

use crate::{
    config::{self, About, Config, Mode},
    member::Member,
    metrics::Metrics,
    pace::Pace,
    perform::PerformError,
    sockets::Sockets,
};
use breaker::Sign;
use client::ClientError;
use current::Current;
use hook::{Hook, Subject, token};
use leaving::Leaving;
use message::{Happening, Parts};
use outcome::{judge, sign};
use queue::{Full, Kind};
use turns::{Landed, Turns, Waiting};
use users::Users;

pub(crate) use answer::{Answer, Told};
pub(crate) use message::ALWAYS as HEADERS;
pub(crate) use outcome::{Reply, Unavailable};
pub(crate) use signature::key;

/// All backends.
pub(crate) struct Backends {
    /// Taken for each hook, and by `replace`.
    list: RwLock<Arc<[Arc<Backend>]>>,
    sockets: Arc<Sockets>,
    /// Names this run of the server: after another start no socket of the one before is there.
    node: Arc<str>,
    /// Time that a client may wait until it is let in.
    connect_timeout: Duration,
    /// Whether clients may come back, and whether that is told.
    has_recovery: bool,
    tells_recovered: bool,
    users: Users,
    closing: watch::Sender<bool>,
    /// How many disconnects have yet to be told.
    leaving: watch::Sender<usize>,
}

/// One of them.
struct Backend {
    name: String,
    /// Taken for each attempt, and by `replace`.
    current: RwLock<Arc<Current>>,
    turns: Turns,
    metrics: Arc<Metrics>,
    pace: Pace,
}

/// Why the server cannot start with a backend.
#[derive(Debug)]
pub(crate) struct BackendError {
    name: String,
    error: ClientError,
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "backend {}: {}", self.name, self.error)
    }
}

/// Why a client is not let in.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Its backend does not want it.
    Rejected(ConnectError),
    /// Nobody has answered for so long. It should lose its connection, and come again by itself.
    Unanswered,
}

/// What came of an event that a backend was asked about. Until this is dropped, no other hook of the socket begins: so
/// what follows from it comes in order.
pub(crate) struct Asked {
    pub(crate) reply: Result<Reply, Unavailable>,
    backend: Arc<Backend>,
    _line: Option<Landed>,
}

impl Backends {
    /// # Errors
    /// [`BackendError`].
    pub(crate) fn new(config: &Config, sockets: &Arc<Sockets>) -> Result<Arc<Self>, BackendError> {
        let backends = Self {
            list: RwLock::new(Arc::new([])),
            sockets: sockets.clone(),
            node: token("n_").into(),
            connect_timeout: config.engine.connect_timeout,
            has_recovery: config.recovery.mode != Mode::Off,
            tells_recovered: config.recovery.hook,
            users: Users::default(),
            closing: watch::Sender::new(false),
            leaving: watch::Sender::new(0),
        };
        backends.replace(&config.backend.0)?;
        Ok(Arc::new(backends))
    }

    /// Takes these in place of those that are there. One with the name of another stays that, with what it has to do,
    /// which from now on is done by its new options.
    ///
    /// # Errors
    /// [`BackendError`]; nothing changes then.
    pub(crate) fn replace(&self, options: &[config::Backend]) -> Result<(), BackendError> {
        let current = options
            .iter()
            .map(|options| Current::new(options).map_err(|error| BackendError { name: options.name.clone(), error }));
        let current = current.collect::<Result<Vec<_>, _>>()?;
        let before = self.list();
        let list = current.into_iter().map(|current| {
            let same = before.iter().find(|backend| backend.name == current.options.name);
            match same {
                Some(backend) => {
                    backend.take(current);
                    backend.clone()
                }
                None => Arc::new(Backend::new(current, &self.sockets.metrics)),
            }
        });
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = list.collect();
        Ok(())
    }

    fn list(&self) -> Arc<[Arc<Backend>]> {
        self.list.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn find(&self, socket: &Socket, is_meant: impl Fn(&Current) -> bool) -> Option<Arc<Backend>> {
        self.find_for(socket.namespace_name(), is_meant)
    }

    /// The first backend for this namespace that is one of these.
    fn find_for(&self, namespace: &str, is_meant: impl Fn(&Current) -> bool) -> Option<Arc<Backend>> {
        let is_found = |backend: &&Arc<Backend>| {
            let current = backend.current();
            current.is_for(namespace) && is_meant(&current)
        };
        self.list().iter().find(is_found).cloned()
    }

    /// A client asks to join that has sent this with its CONNECT. `is_known` says that its token tells who it is. Its
    /// backend is asked, if there is one for that, and what it answers is done. It is asked again and again while it
    /// does not answer.
    ///
    /// # Errors
    /// [`Refused`].
    pub(crate) async fn connect(&self, socket: &Socket, auth: Box<RawValue>, is_known: bool) -> Result<(), Refused> {
        let is_asked = |current: &Current| match current.options.connect {
            About::Nobody => false,
            About::Strangers => !is_known,
            About::Everybody => true,
        };
        let is_told = self.tells_recovered || !socket.recovered();
        match self.find(socket, is_asked).filter(|_| is_told) {
            Some(backend) => self.ask_to_join(&backend, socket, auth).await,
            None => Ok(()),
        }
    }

    /// A client is let in, or may have been: its backend is to be told when it leaves, also if it was not asked.
    pub(crate) fn enter(&self, socket: &Socket) {
        Member::of(socket).note_known();
    }

    async fn ask_to_join(&self, backend: &Backend, socket: &Socket, auth: Box<RawValue>) -> Result<(), Refused> {
        let auth = if self.has_recovery { message::without_claim(auth) } else { auth };
        let mut hook = self.hook(Kind::Connect, socket, Happening::Connect { auth });
        let until = tokio::time::Instant::now() + self.connect_timeout;
        let mut may_know = false;
        let answered = self.ask_until_answered(backend, socket, &mut hook, &mut may_know);
        let asked = tokio::time::timeout_at(until, answered).await;
        let Ok(Ok((reply, _line))) = asked else {
            if may_know {
                self.enter(socket);
            }
            return Err(Refused::Unanswered);
        };
        let error = match reply {
            Reply::Done(answer) => {
                self.enter(socket);
                self.carry_out_for(backend, socket, Kind::Connect, &answer);
                if !answer.disconnect {
                    return Ok(());
                }
                ConnectError::new("Connection refused")
            }
            Reply::NotFound => ConnectError::new("Invalid namespace"),
            Reply::Refused(told) => refusal(told),
        };
        Err(Refused::Rejected(error))
    }

    /// `may_know` says whether the backend may have let the client in, also when this is dropped.
    async fn ask_until_answered(
        &self,
        backend: &Backend,
        socket: &Socket,
        hook: &mut Hook,
        may_know: &mut bool,
    ) -> Result<(Reply, Landed), Unavailable> {
        let mut waiting = backend.wait(hook)?;
        let mut attempt = 0;
        loop {
            let turn = self.unless_closing(waiting.turn()).await?.map_err(|_open| Unavailable::Open)?;
            if socket.has_left() {
                return Err(Unavailable::Closing);
            }
            // From here on it may, whatever becomes of its answer.
            let might_know = std::mem::replace(may_know, true);
            let (reply, sign) = backend.ask(hook).await;
            let landed = turn.land(sign);
            let why = match reply {
                Ok(reply) => return Ok((reply, landed)),
                Err(why) => why,
            };
            *may_know = might_know || why.is_ambiguous();
            if socket.has_left() {
                return Err(why);
            }
            self.unless_closing(tokio::time::sleep(backoff::wait(attempt, backoff::random()))).await?;
            attempt += 1;
            waiting = landed.again(hook.kind, hook.size());
        }
    }

    /// What this comes to, unless the server ends before.
    async fn unless_closing<F: Future>(&self, future: F) -> Result<F::Output, Unavailable> {
        let mut closing = self.closing.subscribe();
        tokio::select! {
            biased;
            output = future => Ok(output),
            _ = closing.wait_for(|is_closing| *is_closing) => Err(Unavailable::Closing),
        }
    }

    /// Asks the backend for this event of a socket what is to become of it; `None` if there is none for it. It takes
    /// its place in the order of the socket's events now, and not when it is awaited. What the answer wants is not done
    /// by that: see [`carry_out`](Self::carry_out).
    pub(crate) fn ask(
        &self,
        socket: &Socket,
        event: &str,
        args: &Args,
        wants_ack: bool,
    ) -> Option<impl Future<Output = Asked> + Send + use<>> {
        let backend = self.find(socket, |current| current.takes(event))?;
        let mut hook = self.hook(Kind::Event, socket, Happening::event(event, args, wants_ack));
        let waiting = backend.wait(&hook);
        Some(async move {
            let (reply, line) = match backend.ask_in_turn(&mut hook, waiting).await {
                Ok((reply, line)) => (reply, Some(line)),
                Err(why) => (Err(why), None),
            };
            Asked { reply, backend, _line: line }
        })
    }

    /// Does what the answer to an event of this socket wants, but for the ack, the error and the client's being sent
    /// away, which are left to the caller.
    pub(crate) fn carry_out(&self, socket: &Socket, asked: &Asked, answer: &Answer) {
        self.carry_out_for(&asked.backend, socket, Kind::Event, answer);
    }

    fn carry_out_for(&self, backend: &Backend, socket: &Socket, kind: Kind, answer: &Answer) {
        effect::carry_out(&self.sockets, socket, kind, answer, |error| backend.tell_left_out(error));
    }

    /// A socket has left, or is not let in after all. Its backend is told, if it knows of the socket: behind all events
    /// of it, and by a task of its own.
    pub(crate) fn leave(self: &Arc<Self>, socket: &Socket, reason: DisconnectReason) {
        let Some(since) = Member::of(socket).forget_known() else { return };
        // What is told now would come behind the hook of a client that is back already.
        if self.sockets.take_over(socket) {
            return;
        }
        let Some(backend) = self.find(socket, |current| current.options.disconnect) else { return };
        let hook = self.hook(Kind::Disconnect, socket, Happening::disconnect(reason, since.elapsed()));
        let waiting = backend.wait(&hook);
        let leaving = Leaving::new(self.clone());
        tokio::spawn(async move { leaving.tell(&backend, hook, waiting).await });
    }

    /// The server ends: nobody is asked about clients who want to join any more, and disconnects have no pace.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
        for backend in self.list().iter() {
            backend.turns.hurry();
        }
    }

    fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Waits until no disconnect has to be told any more.
    pub(crate) async fn flushed(&self) {
        let mut leaving = self.leaving.subscribe();
        let _never_gone = leaving.wait_for(|leaving| *leaving == 0).await;
    }

    /// How many disconnects have yet to be told.
    pub(crate) fn unflushed(&self) -> usize {
        *self.leaving.borrow()
    }

    fn hook(&self, kind: Kind, socket: &Socket, happening: Happening) -> Hook {
        let subject = Subject::Socket { socket: socket.clone(), seq: Member::of(socket).next_seq() };
        Hook::new(kind, subject, happening, &self.node)
    }
}

impl Backend {
    fn new(current: Current, metrics: &Arc<Metrics>) -> Self {
        let name = current.options.name.clone();
        Self {
            turns: Turns::new(&name, current.terms(), metrics.of_backend(&name)),
            current: RwLock::new(Arc::new(current)),
            metrics: metrics.clone(),
            pace: Pace::default(),
            name,
        }
    }

    /// Takes other options, unless they are the same.
    fn take(&self, current: Current) {
        if self.current().options == current.options {
            return;
        }
        let terms = current.terms();
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(current);
        self.turns.adjust(terms);
    }

    fn current(&self) -> Arc<Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a place for a hook behind all others of its socket.
    fn wait(&self, hook: &Hook) -> Result<Waiting, Unavailable> {
        self.turns.wait(&hook.line(), hook.kind, hook.size()).map_err(|full| {
            self.drop_hook(hook, if full == Full::Queue { "queue" } else { "queue_per_socket" });
            Unavailable::Full(full)
        })
    }

    /// Asks about an event, as often as it is configured.
    async fn ask_in_turn(
        &self,
        hook: &mut Hook,
        waiting: Result<Waiting, Unavailable>,
    ) -> Result<(Result<Reply, Unavailable>, Landed), Unavailable> {
        let mut waiting = waiting?;
        let mut attempt = 0;
        loop {
            let turn = waiting.turn().await.map_err(|_open| {
                self.drop_hook(hook, "open");
                Unavailable::Open
            })?;
            let (reply, sign) = self.ask(hook).await;
            let landed = turn.land(sign);
            let passes = reply.as_ref().is_err_and(Unavailable::may_pass);
            if !passes || attempt as usize >= self.current().options.retries {
                return Ok((reply, landed));
            }
            tokio::time::sleep(backoff::wait(attempt, backoff::random())).await;
            attempt += 1;
            waiting = landed.again(hook.kind, hook.size());
        }
    }

    /// Asks once.
    async fn ask(&self, hook: &mut Hook) -> (Result<Reply, Unavailable>, Sign) {
        let current = self.current();
        let options = &current.options;
        let body = hook.body(Parts { request: options.include_request, rooms: options.include_rooms });
        let (start, name) = (Instant::now(), hook.happening.name());
        let response = current.client.ask(name, &hook.id, body, options.timeout).await;
        let reply = judge(&response, hook.namespace());
        let code = match (&response, &reply) {
            (_, Err(Unavailable::Malformed(_))) => "malformed",
            (Ok(response), _) => response.status.as_str(),
            (Err(failed), _) => failed.fault.name(),
        };
        self.metrics.hook(&self.name, name, code, start.elapsed().as_secs_f64());
        let error = response.as_ref().err().and_then(|failed| failed.error.as_deref());
        self.report(hook, code, error, &reply);
        (reply, sign(&response))
    }

    /// Has the log say what came of a hook, where that is to be looked at.
    fn report(&self, hook: &Hook, code: &str, error: Option<&str>, reply: &Result<Reply, Unavailable>) {
        let (backend, name, pace) = (&*self.name, hook.happening.name(), &self.pace);
        match reply {
            Err(Unavailable::Malformed(what)) => {
                if pace.once_a_second("malformed") {
                    warn!(backend, hook = name, %what, "the answer to a hook makes no sense");
                }
            }
            Err(_) => {
                if pace.once_a_second("unanswered") {
                    let url = self.current().options.url.to_string();
                    warn!(backend, hook = name, code, url, error, "a hook was not answered");
                }
            }
            Ok(Reply::Refused(Told { message: Some(_), .. })) => {
                debug!(backend, hook = name, code, "a hook was refused");
            }
            Ok(Reply::Refused(_)) => {
                let (kind, hint) = match code {
                    "401" => ("secret", ": this backend and its application are to have the same secret"),
                    _ => ("refused", ""),
                };
                if pace.once_a_minute(kind) {
                    warn!(backend, hook = name, code, "a hook was refused without a word{hint}");
                }
            }
            Ok(Reply::NotFound) => {
                if hook.kind == Kind::Connect && pace.once_a_minute("not found") {
                    let why = "the url of this backend takes no hooks, or its application has no such namespace";
                    warn!(backend, hook = name, code, "a client may not join: {why}");
                }
            }
            Ok(Reply::Done(_)) => {}
        }
    }

    /// Something that an answer wants cannot be done.
    fn tell_left_out(&self, error: &PerformError) {
        if self.pace.once_a_second("action") {
            warn!(backend = self.name, %error, "an action was left out");
        }
    }

    /// A hook comes to nothing, for a reason of a closed list.
    fn drop_hook(&self, hook: &Hook, reason: &str) {
        self.metrics.hook_dropped(&self.name, reason);
        if self.pace.once_a_second("dropped") {
            warn!(backend = self.name, hook = hook.happening.name(), reason, "a hook was left out");
        }
    }
}

/// What a client is told whom its backend does not want; python-socketio's words if the backend has none.
fn refusal(told: Told) -> ConnectError {
    let error = ConnectError::new(told.message.unwrap_or_else(|| "Connection rejected by server".into()));
    match told.data {
        Some(data) => error.with_data(data),
        None => error,
    }
}
