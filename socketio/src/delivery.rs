//! What it is: one event of a client on its way through the middlewares to its handler, and what follows if that fails.
//! What it is not: the order of events among each other.
//! Who calls it: `served`, with each event.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    decoder::Incoming,
    error::EventError,
    event::{Answered, Event, Kind, Message, Next},
    extract::Ack,
    handler::{self, Ended, Started},
    hooks::{Cause, Failure, Hooks},
    limits::Limits,
    namespace::{Erased, Handlers},
    recovery::Recovery,
    socket::Socket,
    tasks::Tasks,
};

/// What holds for all namespaces of a server.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) hooks: Hooks,
    /// Whether clients are told that a handler failed.
    pub(crate) error_acks: bool,
    pub(crate) limits: Arc<Limits>,
    pub(crate) tasks: Arc<Tasks>,
    /// Whether clients can come back; and how long a connection may be dead before it is known to be.
    pub(crate) recovery: Option<(Recovery, Duration)>,
}

/// An event that is on its way.
pub(crate) struct Delivery {
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) socket: Socket,
    event: Incoming,
    answered: Option<Answered>,
}

impl Delivery {
    pub(crate) fn new(handlers: Arc<Handlers>, settings: Arc<Settings>, socket: Socket, event: Incoming) -> Self {
        let several_answer = settings.error_acks || handlers.on_any.is_some();
        let answered = (several_answer && event.ack.is_some()).then(Answered::default);
        Self { handlers, settings, socket, event, answered }
    }

    /// Brings the event on its way.
    pub(crate) fn begin(self) {
        if let Some(on_any) = &self.handlers.on_any {
            let Self { handlers, settings, socket, event, answered } = &self;
            let told = Self {
                handlers: handlers.clone(),
                settings: settings.clone(),
                socket: socket.clone(),
                event: event.clone(),
                answered: answered.clone(),
            };
            self.start(on_any).then(move |ended| told.end(ended));
        }
        self.pass(0);
    }

    /// Goes on with this middleware, or the handler behind the last one.
    fn pass(mut self, at: usize) {
        let Some(middleware) = self.handlers.event_middlewares.get(at) else { return self.handle() };
        self.start(middleware).then(move |ended| {
            let next = match ended {
                Ended::Returned(Ok(next)) => next,
                Ended::Returned(Err(error)) => return self.fail(Cause::Returned(error)),
                Ended::Rejected(rejection) => return self.fail(Cause::Rejected(rejection)),
                Ended::Panicked(panic) => return self.fail(Cause::Panicked(panic)),
            };
            // Nothing more is called for one that has left while the middleware waited.
            if next == Next::Drop || !self.socket.is_connected() {
                return;
            }
            if let Next::Change { event, args } = next {
                self.event = Incoming { name: event.into(), args, ack: self.event.ack };
            }
            self.pass(at + 1);
        });
    }

    fn handle(self) {
        let Handlers { events, on_fallback, .. } = &*self.handlers;
        let Some(handler) = events.get(&*self.event.name).or(on_fallback.as_ref()) else { return };
        self.start(handler).then(move |ended| self.end(ended));
    }

    fn end(self, ended: Ended<<Message as Kind>::Outcome>) {
        match ended {
            Ended::Returned(Ok(())) => {}
            Ended::Returned(Err(error)) => self.fail(Cause::Returned(error)),
            Ended::Rejected(rejection) => self.fail(Cause::Rejected(rejection)),
            Ended::Panicked(panic) => self.fail(Cause::Panicked(panic)),
        }
    }

    fn start<K: Kind<Data = Incoming>>(&self, handler: &Erased<K>) -> Started<K::Outcome> {
        let event = Event { socket: &self.socket, data: &self.event, answered: self.answered.as_ref() };
        handler::start(&self.settings.tasks, || handler(&event))
    }

    fn fail(self, cause: Cause) {
        let Self { settings, socket, event, answered, .. } = &self;
        let failure = Failure { socket, event: Some(&event.name), cause };
        settings.hooks.failure(&failure);
        if settings.error_acks && answered.is_some() {
            let event = Event::<Message> { socket, data: event, answered: answered.as_ref() };
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
        Cause::Returned(error) => match error.downcast_ref::<EventError>() {
            Some(error) => error.clone(),
            None => EventError::new("Internal error"),
        },
        Cause::Rejected(_) => EventError::new("Invalid arguments"),
        Cause::Panicked(_) => EventError::new("Internal error"),
    }
}
