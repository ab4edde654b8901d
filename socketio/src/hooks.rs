//! What it is: what an application is told that belongs to no handler.
//! What it is not: a way to change what happens; nothing is asked.
//! Who calls it: applications fill it in; `namespaces`, `served` and `delivery` call it.

use std::{any::Any, error::Error, fmt, sync::Arc};

use crate::{extract::Rejection, socket::Socket, trace};

/// Called with the name of a namespace.
type OnNewNamespace = dyn Fn(&str) + Send + Sync;

/// Called with the name that a client asked for.
type OnInvalidNamespace = dyn Fn(&str) + Send + Sync;

/// Called with each connection; gives what is told of its events.
type OnConnection = dyn Fn(&engineio::Socket) -> Box<Tell> + Send + Sync;

type Tell = dyn FnMut(&engineio::Event) + Send;

/// Called with what failed.
type OnFailure = dyn Fn(&Failure<'_>) + Send + Sync;

/// Functions of the application that are told what happens in a [`SocketIo`](crate::SocketIo). They should return at
/// once, because clients wait meanwhile; a panic in them has no consequence.
///
/// ```
/// let hooks = socketio::Hooks::default()
///     .on_new_namespace(|name| println!("{name} is there"))
///     .on_failure(|failure| eprintln!("{failure}"));
/// ```
#[derive(Clone, Default)]
pub struct Hooks {
    on_connection: Option<Arc<OnConnection>>,
    on_new_namespace: Option<Arc<OnNewNamespace>>,
    on_invalid_namespace: Option<Arc<OnInvalidNamespace>>,
    on_failure: Option<Arc<OnFailure>>,
}

/// A handler or a middleware failed, or was not called. `Display` and `Debug` are fit for logs: they tell no id that is
/// made of a sid, see [`SocketId`](crate::SocketId).
#[derive(Debug)]
pub struct Failure<'a> {
    /// Whose event it was.
    pub socket: &'a Socket,
    /// Name of the event as it came to that handler; `None` of a connect or a disconnect.
    pub event: Option<&'a str>,
    /// What failed.
    pub cause: Cause,
}

/// Why a handler or a middleware failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// It was not called: what the client sent is not what it wants. A client that asks to join is refused.
    Rejected(Rejection),
    /// It was not called: the client sent more events than [`event_rate`](crate::Limits::event_rate) lets it.
    TooManyEvents,
    /// It returned this error. A [`ConnectError`](crate::ConnectError) is no failure.
    Returned(Box<dyn Error + Send + Sync>),
    /// It panicked with this. The socket is disconnected, or refused; others do not notice.
    Panicked(Box<dyn Any + Send>),
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a handler of {} for ", self.socket.namespace_name())?;
        match self.socket.public_id() {
            Some(id) => write!(f, "the socket {id}")?,
            None => f.write_str("a socket of revision 3")?,
        }
        if let Some(event) = self.event {
            write!(f, " and its event {event:?}")?;
        }
        match &self.cause {
            Cause::Rejected(rejection) => write!(f, " was not called: {rejection}"),
            Cause::TooManyEvents => f.write_str(" was not called: too many events"),
            Cause::Returned(error) => write!(f, " failed: {error}"),
            Cause::Panicked(_) => f.write_str(" panicked"),
        }
    }
}

impl Hooks {
    /// Told of each connection when it opens (`connection` of `io.engine`), before its client has joined a namespace;
    /// gives back what is told of all that happens to it from then on, up to its
    /// [`Close`](engineio::Event::Close): for logs and metrics. A second one replaces the first.
    ///
    /// ```
    /// use socketio::engineio::Event;
    ///
    /// let hooks = socketio::Hooks::default().on_connection(|_connection| {
    ///     let mut messages = 0;
    ///     move |event: &Event| match event {
    ///         Event::Message(_) => messages += 1,
    ///         Event::Close(reason) => println!("{reason} after {messages} messages"),
    ///         _ => {}
    ///     }
    /// });
    /// ```
    pub fn on_connection<F: FnMut(&engineio::Event) + Send + 'static>(
        self,
        open: impl Fn(&engineio::Socket) -> F + Send + Sync + 'static,
    ) -> Self {
        Self { on_connection: Some(Arc::new(move |socket| Box::new(open(socket)))), ..self }
    }

    /// Told the name of each namespace that comes into being (`new_namespace`): of the fixed ones while the server is
    /// made, of those of a family before their first client joins. A second one replaces the first.
    pub fn on_new_namespace(self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { on_new_namespace: Some(Arc::new(tell)), ..self }
    }

    /// Told the name of each namespace that a client asks for and that is not there for it (`Invalid namespace`); it is
    /// the client's, of any length. A second one replaces the first.
    pub fn on_invalid_namespace(self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { on_invalid_namespace: Some(Arc::new(tell)), ..self }
    }

    /// Told of each handler and middleware that fails. A second one replaces the first.
    ///
    /// Default: nobody is told, but for what Rust's panic hook prints.
    pub fn on_failure(self, tell: impl Fn(&Failure<'_>) + Send + Sync + 'static) -> Self {
        Self { on_failure: Some(Arc::new(tell)), ..self }
    }

    /// What is told of this connection, if anybody wants to know.
    pub(crate) fn connection(&self, socket: &engineio::Socket) -> Option<Box<Observer>> {
        let open = self.on_connection.as_ref()?;
        let mut observer = None;
        quietly(|| observer = Some(Observer(open(socket)).into()));
        observer
    }

    pub(crate) fn new_namespace(&self, name: &str) {
        if let Some(tell) = &self.on_new_namespace {
            quietly(|| tell(name));
        }
    }

    pub(crate) fn invalid_namespace(&self, name: &str) {
        if let Some(tell) = &self.on_invalid_namespace {
            quietly(|| tell(name));
        }
    }

    pub(crate) fn failure(&self, failure: &Failure<'_>) {
        let (namespace, event) = (failure.socket.namespace_name(), failure.event);
        match &failure.cause {
            Cause::TooManyEvents => trace::event_dropped(namespace, event),
            Cause::Rejected(_) => trace::handler_rejected(namespace, event),
            Cause::Returned(error) => trace::handler_failed(namespace, event, &**error),
            Cause::Panicked(_) => trace::handler_panicked(namespace, event),
        }
        if let Some(tell) = &self.on_failure {
            quietly(|| tell(failure));
        }
    }
}

/// What an application is told of one connection.
pub(crate) struct Observer(Box<Tell>);

impl Observer {
    pub(crate) fn tell(&mut self, event: &engineio::Event) {
        quietly(|| self.0(event));
    }
}

/// The panic hook has reported it.
fn quietly(tell: impl FnOnce()) {
    let _panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(tell));
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}
