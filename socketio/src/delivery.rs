//! What it is: one event of a client on its way through the middlewares to its handler, and what follows if that fails.
//! What it is not: the order of events among each other.
//! Who calls it: `served`, with each event.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    decoder::Incoming,
    error::EventError,
    event::{Answered, Event, Kind, Message, Next},
    extract::{Ack, Rejection},
    handler::{self, Ended, Started},
    histories::Histories,
    hooks::{Cause, Failure, Hooks},
    hub::Terms,
    lanes::{self, Late, Turn},
    ledger::Ledger,
    namespace::{Erased, Handlers},
    recovery::Recovery,
    running::Running,
    socket::Socket,
    tasks::Tasks,
};

/// What holds for all namespaces of a server.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) hooks: Hooks,
    /// Whether clients are told that a handler failed.
    pub(crate) error_acks: bool,
    pub(crate) terms: Terms,
    pub(crate) tasks: Arc<Tasks>,
    /// Whether clients can come back; and how long a connection may be dead before it is known to be.
    pub(crate) recovery: Option<(Recovery, Duration)>,
    /// What all namespaces keep for that.
    pub(crate) ledger: Arc<Ledger>,
    /// What rooms keep.
    pub(crate) histories: Arc<Histories>,
}

/// An event that is on its way.
pub(crate) struct Delivery {
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) socket: Socket,
    event: Incoming,
    answered: Answered,
    /// Set when something on its way waits.
    running: Option<Running>,
    /// Set where one event is handled at a time.
    turn: Option<Turn>,
}

impl Delivery {
    pub(crate) fn new(handlers: Arc<Handlers>, settings: Arc<Settings>, socket: Socket, event: Incoming) -> Self {
        let answered = Answered::new();
        // What is told of all events may answer beside what follows.
        if handlers.on_any.is_some() && event.ack.is_some() {
            answered.get_or_init(Arc::default);
        }
        Self { handlers, settings, socket, event, answered, running: None, turn: None }
    }

    /// Brings the event on its way.
    pub(crate) fn begin(self) {
        if let Some(on_any) = &self.handlers.on_any {
            let Self { handlers, settings, socket, event, answered, .. } = &self;
            let told = Self {
                handlers: handlers.clone(),
                settings: settings.clone(),
                socket: socket.clone(),
                event: event.clone(),
                answered: answered.clone(),
                running: None,
                turn: None,
            };
            let started = self.start(on_any);
            told.follow(started, Self::end);
            // It made the socket leave, or panicked, for which that leaves.
            if !self.socket.is_connected() {
                return;
            }
        }
        let Some(lane) = self.handlers.lane else { return self.pass(0) };
        let turn = lanes::turn(&self.socket, lane);
        let started = handler::start(&self.settings.tasks, || Ok(Box::pin(turn)));
        self.follow(started, |mut delivery, ended| {
            if let Ended::Returned(turn) = ended {
                delivery.turn = Some(turn);
                delivery.pass(0);
            }
        });
    }

    /// Does not bring it on its way, for it is one too many.
    pub(crate) fn refuse(self) {
        self.fail(Cause::TooManyEvents);
    }

    /// Goes on when what was started has ended. While it waits, the event counts as one that is under way.
    fn follow<O: Send + 'static>(mut self, started: Started<O>, then: impl FnOnce(Self, Ended<O>) + Send + 'static) {
        if started.waits() && self.running.is_none() {
            self.running = Some(Running::new(&self.socket.peer, self.event.size(), &self.settings.terms.limits));
        }
        started.then(move |ended| then(self, ended));
    }

    /// Goes on with this middleware, or the handler behind the last one.
    fn pass(self, at: usize) {
        let Some(middleware) = self.handlers.event_middlewares.get(at) else { return self.handle() };
        let started = self.start(middleware);
        self.follow(started, move |mut delivery, ended| {
            let next = match ended {
                Ended::Returned(Ok(next)) => next,
                Ended::Returned(Err(error)) => return delivery.fail(Cause::Returned(error)),
                Ended::Rejected(rejection) => return delivery.fail(Cause::Rejected(rejection)),
                Ended::Panicked(panic) => return delivery.fail(Cause::Panicked(panic)),
            };
            // Nothing more is called for one that has left while the middleware waited.
            if next == Next::Drop || !delivery.socket.is_connected() {
                return;
            }
            if let Next::Change { event, args } = next {
                delivery.event = Incoming { name: event.into(), args, ack: delivery.event.ack };
            }
            delivery.pass(at + 1);
        });
    }

    fn handle(self) {
        let Handlers { events, on_fallback, .. } = &*self.handlers;
        let Some(handler) = events.get(&*self.event.name).or(on_fallback.as_ref()) else { return };
        let started = self.start(handler);
        self.follow(started, Self::end);
    }

    fn end(self, ended: Ended<<Message as Kind>::Outcome>) {
        match ended {
            Ended::Returned(Ok(())) => {}
            Ended::Returned(Err(error)) => self.fail(match error.downcast::<Late>() {
                Ok(late) => Cause::Rejected(late.0),
                Err(error) => Cause::Returned(error),
            }),
            Ended::Rejected(rejection) => self.fail(Cause::Rejected(rejection)),
            Ended::Panicked(panic) => self.fail(Cause::Panicked(panic)),
        }
    }

    fn start<K: Kind<Data = Incoming>>(&self, handler: &Erased<K>) -> Started<K::Outcome> {
        let event = Event { socket: &self.socket, data: &self.event, answered: Some(&self.answered) };
        handler::start(&self.settings.tasks, || handler(&event))
    }

    fn fail(self, cause: Cause) {
        let Self { settings, socket, event, answered, .. } = &self;
        let failure = Failure { socket, event: Some(&event.name), cause };
        settings.hooks.failure(&failure);
        if settings.error_acks {
            let event = Event::<Message> { socket, data: event, answered: Some(answered) };
            // A client that has left needs no answer.
            let _gone = Ack::new(&event).send(&BTreeMap::from([("error", error(&failure.cause))]));
        }
        // The bug may have left half of something done: the client should begin anew.
        if matches!(failure.cause, Cause::Panicked(_)) {
            socket.disconnect();
        }
    }
}

/// What a client is told: nothing that was not written for it.
fn error(cause: &Cause) -> EventError {
    match cause {
        Cause::Returned(error) => match (error.downcast_ref::<EventError>(), error.downcast_ref::<Rejection>()) {
            (Some(error), _) => error.clone(),
            (None, Some(rejection)) => of_rejection(rejection),
            (None, None) => EventError::new("Internal error"),
        },
        Cause::TooManyEvents => EventError::new("Too many events"),
        Cause::Rejected(rejection) => of_rejection(rejection),
        Cause::Panicked(_) => EventError::new("Internal error"),
    }
}

fn of_rejection(rejection: &Rejection) -> EventError {
    match rejection {
        Rejection::Refused(error) => error.clone(),
        Rejection::Decode(_) => EventError::new("Invalid arguments"),
        Rejection::State(_) | Rejection::SocketData(_) | Rejection::Server => EventError::new("Internal error"),
    }
}
