//! What it is: async functions as handlers: their arguments extracted, their results turned into answers, and run.
//! What it is not: the choice of a handler (`namespace`).
//! Who calls it: `namespace`.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures_util::FutureExt;
use serde::Serialize;

use crate::{
    error::{ConnectError, JoinError},
    event::{Connect, Disconnect, Event, Kind, Message},
    extract::{Ack, FromEvent},
    tasks::Tasks,
};

/// A handler under way.
pub(crate) type Running<K> = Pin<Box<dyn Future<Output = <K as Kind>::Outcome> + Send>>;

/// An async function that can handle events of kind `K`. Its arguments `A` are extractors, up to six.
///
/// An async closure that captures nothing is one. One that captures is written
/// `move |socket: Socket| { let captured = captured.clone(); async move { .. } }`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot handle `{K}` events",
    label = "not a handler",
    note = "a handler is an async function with up to six extractors as arguments, whose future is `Send`",
    note = "message handlers return `()`, `Reply<T>` or `Result<_, E>` of either; connect handlers `()`, `Result<(), ConnectError>` or `Result<(), JoinError>`; disconnect handlers `()`"
)]
pub trait Handler<K: Kind, A>: Send + Sync + 'static {
    /// Extracts the arguments and calls the function. `None` when an argument cannot be had.
    fn call(&self, event: &Event<'_, K>) -> Option<Pin<Box<dyn Future<Output = K::Outcome> + Send>>>;
}

/// What a handler may return.
#[diagnostic::on_unimplemented(
    message = "a handler of `{K}` events cannot return `{Self}`",
    note = "message handlers return `()`, `Reply<T>` or `Result<_, E>` of either; connect handlers `()`, `Result<(), ConnectError>` or `Result<(), JoinError>`; disconnect handlers `()`"
)]
pub trait Returned<K: Kind>: Send {
    /// Where the result goes, made before the handler runs.
    type Target: Send + 'static;

    /// Where the result of this event's handler goes.
    fn target(event: &Event<'_, K>) -> Self::Target;

    /// Brings the result there.
    fn bring(self, target: Self::Target) -> K::Outcome;
}

/// The answer to an event, returned by its handler: arguments as [`Socket::emit`](crate::Socket::emit) takes them.
///
/// It is sent if the client wants one. A handler that returns `()` answers nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply<T>(pub T);

impl Returned<Message> for () {
    type Target = ();

    fn target(_: &Event<'_, Message>) {}

    fn bring(self, (): ()) {}
}

impl<T: Serialize + Send> Returned<Message> for Reply<T> {
    type Target = Option<Ack>;

    fn target(event: &Event<'_, Message>) -> Option<Ack> {
        Ack::from_event(event).ok()
    }

    fn bring(self, ack: Option<Ack>) {
        if let Some(ack) = ack {
            // A client that left needs no answer; one that cannot be written is as no answer to the client.
            let _unanswered = ack.send(&self.0);
        }
    }
}

/// An error answers nothing: the client's `timeout` tells its user.
impl<T: Returned<Message>, E: Send> Returned<Message> for Result<T, E> {
    type Target = T::Target;

    fn target(event: &Event<'_, Message>) -> T::Target {
        T::target(event)
    }

    fn bring(self, target: T::Target) {
        if let Ok(returned) = self {
            returned.bring(target);
        }
    }
}

impl Returned<Connect> for () {
    type Target = ();

    fn target(_: &Event<'_, Connect>) {}

    fn bring(self, (): ()) -> Result<(), ConnectError> {
        Ok(())
    }
}

impl Returned<Connect> for Result<(), ConnectError> {
    type Target = ();

    fn target(_: &Event<'_, Connect>) {}

    fn bring(self, (): ()) -> Self {
        self
    }
}

/// A handler that only joins a room.
impl Returned<Connect> for Result<(), JoinError> {
    type Target = ();

    fn target(_: &Event<'_, Connect>) {}

    fn bring(self, (): ()) -> Result<(), ConnectError> {
        Ok(self?)
    }
}

impl Returned<Disconnect> for () {
    type Target = ();

    fn target(_: &Event<'_, Disconnect>) {}

    fn bring(self, (): ()) {}
}

macro_rules! impl_handler {
    ($($argument:ident),*) => {
        impl<K, F, Fut, $($argument),*> Handler<K, ($($argument,)*)> for F
        where
            K: Kind,
            F: Fn($($argument),*) -> Fut + Send + Sync + 'static,
            Fut: Future + Send + 'static,
            Fut::Output: Returned<K>,
            $($argument: FromEvent<K>,)*
        {
            fn call(&self, event: &Event<'_, K>) -> Option<Running<K>> {
                let future = self($($argument::from_event(event).ok()?),*);
                let target = <Fut::Output as Returned<K>>::target(event);
                Some(Box::pin(async move { future.await.bring(target) }))
            }
        }
    };
}

impl_handler!();
impl_handler!(A);
impl_handler!(A, B);
impl_handler!(A, B, C);
impl_handler!(A, B, C, D);
impl_handler!(A, B, C, D, E);
impl_handler!(A, B, C, D, E, G);

/// How a handler ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended<O> {
    Returned(O),
    /// It was not called, for want of an argument.
    NotCalled,
    /// It panicked, which the panic hook has reported.
    Panicked,
}

/// Starts a handler: its part before the first wait runs now, so events of one socket begin in order; the rest,
/// if there is one, in a task of its own. `done` is told how it ended; a panic goes no further than that.
pub(crate) fn run<K: Kind>(
    tasks: &Tasks,
    call: impl FnOnce() -> Option<Running<K>>,
    done: impl FnOnce(Ended<K::Outcome>) + Send + 'static,
) {
    let first = catch_unwind(AssertUnwindSafe(|| {
        let mut running = call()?;
        // A handler that waits is polled again by its task: this waker need not wake.
        Some(match running.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => Ok(outcome),
            Poll::Pending => Err(running),
        })
    }));
    match first {
        Ok(Some(Ok(outcome))) => done(Ended::Returned(outcome)),
        Ok(Some(Err(running))) => {
            let task = tasks.begin();
            tokio::spawn(async move {
                done(AssertUnwindSafe(running).catch_unwind().await.map_or(Ended::Panicked, Ended::Returned));
                drop(task);
            });
        }
        Ok(None) => done(Ended::NotCalled),
        Err(_panic) => done(Ended::Panicked),
    }
}
