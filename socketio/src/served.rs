//! What it is: one namespace that is being served: how clients join it and leave, and how events reach its handlers.
//! What it is not: who is in it; that is its `hub`.
//! Who calls it: `namespaces` makes it; `client` brings it what clients send.

use std::{
    fmt,
    sync::{Arc, Mutex, Weak},
};

use tokio::runtime::Handle;

use crate::{
    attendance::Attendance,
    changes::{Change, Listener},
    decoder::Incoming,
    delivery::{Delivery, Settings},
    error::{ConnectError, DisconnectReason},
    event::{Event, Kind},
    extract::Rejection,
    handler::{self, Ended},
    histories::Keeper,
    hooks::{Cause, Failure},
    hub::{Extras, Hub, Observer},
    lanes::{self, Turn},
    namespace::{Erased, Handlers},
    peer::Peer,
    presence::Present,
    recovery::Recoverable,
    socket::Socket,
    throttle::Throttled,
    trace,
};

/// A namespace that is being served. Clones are the same.
#[derive(Clone)]
pub(crate) struct Served(Arc<Inner>);

struct Inner {
    hub: Arc<Hub>,
    /// The same for all namespaces of a family.
    handlers: Arc<Handlers>,
    /// The same for all namespaces of a server.
    settings: Arc<Settings>,
}

/// A client is not let in.
pub(crate) enum Refusal {
    /// It has to be told this.
    Due(ConnectError),
    /// It was sent away meanwhile, and told so.
    Told,
}

impl Served {
    /// Serves a namespace with this name; `params` are the parameters in it.
    pub(crate) fn new(path: String, params: Box<str>, handlers: Arc<Handlers>, settings: Arc<Settings>) -> Self {
        let observer = Box::new(Listeners { handlers: handlers.clone(), settings: settings.clone() });
        let recovery = settings.recovery.map(|(options, silence)| Recoverable::new(options, silence, &settings.ledger));
        let mut terms = settings.terms.clone();
        terms.flush_delay = handlers.flush_delay.unwrap_or(terms.flush_delay);
        let keeper = Keeper::new(handlers.history.clone(), settings.histories.clone());
        let throttled = Throttled::new(handlers.throttle.clone());
        let hub = Arc::new_cyclic(|hub| {
            let present = Arc::default();
            let on_room = listener(&path, &handlers, &present, hub);
            let extras = Extras { state: handlers.state.clone(), on_room, recovery, keeper, throttled, present };
            Hub::new(path, params, terms, extras, observer)
        });
        Self(Arc::new(Inner { hub, handlers, settings }))
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.0.hub
    }

    /// Whether its rooms, or some, tell who is in them.
    pub(crate) fn has_presence(&self) -> bool {
        !self.0.handlers.presence.is_empty()
    }

    /// A client asks to join. `joined` is told whether it may, perhaps later and in another task, unless it has gone.
    pub(crate) fn connect(&self, peer: Arc<Peer>, joined: impl FnOnce(Result<(), Refusal>) + Send + 'static) {
        let skips = self.0.settings.recovery.is_some_and(|(options, _)| options.skip_middlewares);
        let first = if skips && peer.is_recovered() { self.0.handlers.middlewares.len() } else { 0 };
        self.pass(Socket { hub: self.0.hub.clone(), peer }, first, joined);
    }

    /// Goes on with this middleware, or the connect handler behind the last one; lets the client in behind that.
    fn pass(&self, socket: Socket, at: usize, joined: impl FnOnce(Result<(), Refusal>) + Send + 'static) {
        let Handlers { middlewares, on_connect, .. } = &*self.0.handlers;
        let Some(handler) = middlewares.iter().chain(on_connect).nth(at) else { return self.admit(&socket, joined) };
        let event = Event { socket: &socket, data: &(), answered: None };
        let started = handler::start(&self.0.settings.tasks, || handler(&event));
        let served = self.clone();
        started.then(move |ended| match ended {
            Ended::Returned(Ok(())) if socket.peer.is_gone() => served.abandon(&socket, joined),
            Ended::Returned(Ok(())) => served.pass(socket, at + 1, joined),
            Ended::Returned(Err(error)) => served.refuse(&socket, error, joined),
            Ended::Rejected(rejection) => {
                let error = match &rejection {
                    Rejection::Refused(error) => ConnectError::from(error.clone()),
                    _ => ConnectError::refused(),
                };
                fail(&served.0.settings, &socket, Cause::Rejected(rejection));
                served.refuse(&socket, error, joined);
            }
            Ended::Panicked(panic) => {
                fail(&served.0.settings, &socket, Cause::Panicked(panic));
                served.refuse(&socket, ConnectError::refused(), joined);
            }
        });
    }

    fn admit(&self, socket: &Socket, joined: impl FnOnce(Result<(), Refusal>)) {
        if !self.0.hub.admit(&socket.peer) {
            return self.abandon(socket, joined);
        }
        trace::joined(socket.namespace_name(), &socket.id(), socket.revision());
        joined(Ok(()));
        while let Some(event) = socket.peer.next_waiting() {
            self.handle(&socket.peer, event);
        }
    }

    /// A client that was to be let in has gone meanwhile: it never joined, and no further handler is called.
    fn abandon(&self, socket: &Socket, joined: impl FnOnce(Result<(), Refusal>)) {
        let Some(reason) = socket.peer.gone() else { return };
        if reason == DisconnectReason::ServerNamespaceDisconnect {
            joined(Err(Refusal::Told));
        }
        if let Some(on_abandoned) = &self.0.handlers.on_abandoned {
            on_abandoned(socket, reason);
        }
    }

    fn refuse(&self, socket: &Socket, error: ConnectError, joined: impl FnOnce(Result<(), Refusal>)) {
        match socket.peer.gone() {
            None => {
                self.0.hub.remove(&socket.peer, DisconnectReason::ServerNamespaceDisconnect, false);
                joined(Err(Refusal::Due(error)));
            }
            Some(DisconnectReason::ServerNamespaceDisconnect) => joined(Err(Refusal::Told)),
            Some(_) => {}
        }
    }

    /// A client of this namespace emitted an event.
    pub(crate) fn handle(&self, peer: &Arc<Peer>, event: Incoming) {
        let socket = Socket { hub: self.0.hub.clone(), peer: peer.clone() };
        Delivery::new(self.0.handlers.clone(), self.0.settings.clone(), socket, event).begin();
    }

    /// It was one too many.
    pub(crate) fn refuse_event(&self, peer: &Arc<Peer>, event: Incoming) {
        let socket = Socket { hub: self.0.hub.clone(), peer: peer.clone() };
        Delivery::new(self.0.handlers.clone(), self.0.settings.clone(), socket, event).refuse();
    }
}

/// Who is to be told of rooms, if anybody is.
fn listener(path: &str, handlers: &Handlers, present: &Arc<Mutex<Present>>, hub: &Weak<Hub>) -> Option<Listener> {
    let rules = handlers.presence.clone();
    let attendance = (!rules.is_empty()).then(|| Attendance { rules, present: present.clone(), hub: hub.clone() });
    let (on_room, path) = (handlers.on_room.clone(), path.to_owned());
    if attendance.is_none() && on_room.is_none() {
        return None;
    }
    Some(Box::new(move |change| {
        if let Some(attendance) = &attendance {
            attendance.note(change);
        }
        if let (Some(on_room), Change::Room(change)) = (&on_room, change) {
            on_room(&path, change);
        }
    }))
}

/// The handlers of what a hub tells.
#[derive(Clone)]
struct Listeners {
    handlers: Arc<Handlers>,
    settings: Arc<Settings>,
}

impl Listeners {
    /// Keeps `turn` until the handler has ended. The caller may be a thread of the application.
    fn call<K: Kind<Outcome = ()>>(&self, handler: &Erased<K>, socket: Socket, data: &K::Data, turn: Option<Turn>) {
        let _runtime = self.settings.tasks.enter();
        let event = Event { socket: &socket, data, answered: None };
        let started = handler::start(&self.settings.tasks, || handler(&event));
        let settings = self.settings.clone();
        started.then(move |ended| {
            match ended {
                Ended::Returned(()) => {}
                Ended::Rejected(rejection) => fail(&settings, &socket, Cause::Rejected(rejection)),
                Ended::Panicked(panic) => fail(&settings, &socket, Cause::Panicked(panic)),
            }
            drop(turn);
        });
    }

    fn disconnected(&self, socket: Socket, reason: DisconnectReason, turn: Option<Turn>) {
        if let Some(handler) = &self.handlers.on_disconnect {
            self.call(handler, socket, &reason, turn);
        }
    }
}

impl Observer for Listeners {
    fn leaving(&self, hub: &Arc<Hub>, peer: &Arc<Peer>, reason: DisconnectReason) {
        if let Some(handler) = &self.handlers.on_disconnecting {
            self.call(handler, Socket { hub: hub.clone(), peer: peer.clone() }, &reason, None);
        }
    }

    fn go_on(&self, hub: &Arc<Hub>) {
        let _runtime = self.settings.tasks.enter();
        // Nobody waits for a thread that has none.
        let Ok(runtime) = Handle::try_current() else { return while hub.changes.go_on() {} };
        let (hub, task) = (hub.clone(), self.settings.tasks.begin());
        runtime.spawn(async move {
            while hub.changes.go_on() {
                tokio::task::yield_now().await;
            }
            drop(task);
        });
    }

    fn left(&self, hub: &Arc<Hub>, peer: &Arc<Peer>, reason: DisconnectReason) {
        trace::left(&hub.path, peer.id(), peer.revision(), reason);
        let socket = Socket { hub: hub.clone(), peer: peer.clone() };
        let Some(lane) = self.handlers.lane else { return self.disconnected(socket, reason, None) };
        let _runtime = self.settings.tasks.enter();
        let (turn, listeners) = (lanes::turn(&socket, lane), self.clone());
        handler::start(&self.settings.tasks, || Ok(Box::pin(turn))).then(move |ended| {
            let Ended::Returned(turn) = ended else { return };
            listeners.disconnected(socket, reason, Some(turn));
        });
    }

    fn hears_outgoing(&self) -> bool {
        self.handlers.on_any_outgoing.is_some()
    }

    fn outgoing(&self, hub: &Arc<Hub>, peer: &Arc<Peer>, event: &Incoming) {
        if let Some(handler) = &self.handlers.on_any_outgoing {
            self.call(handler, Socket { hub: hub.clone(), peer: peer.clone() }, event, None);
        }
    }
}

/// A handler that is for no event failed.
fn fail(settings: &Settings, socket: &Socket, cause: Cause) {
    settings.hooks.failure(&Failure { socket, event: None, cause });
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").field("hub", &self.0.hub).finish_non_exhaustive()
    }
}
