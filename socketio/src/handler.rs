//! What it is: async functions as handlers: their arguments extracted, their results turned into answers, and run.
//! What it is not: the choice of a handler (`namespace`).
//! Who calls it: `served` and `delivery`; `client`, for what may wait before there is a handler.

use std::{
    any::Any,
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures_util::FutureExt;
use serde::Serialize;

use crate::{
    error::{ConnectError, EmitError, JoinError},
    event::{Connect, Disconnect, Event, Kind, Message, Middleware, Next, Outgoing},
    extract::{Ack, FromEvent, Rejection},
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
    note = "message handlers return `()`, `Reply<T>` or `Result<_, E>` of either, with any error `E` that `?` makes a `Box<dyn Error + Send + Sync>` of; middlewares and connect handlers `()`, `Result<(), ConnectError>` or `Result<(), JoinError>`; event middlewares `()`, `Next` or `Result<_, E>` of either; disconnect handlers and those for outgoing events `()`"
)]
pub trait Handler<K: Kind, A>: Send + Sync + 'static {
    /// Extracts the arguments and calls the function.
    ///
    /// # Errors
    /// [`Rejection`], when an argument cannot be had; the function is not called.
    fn call(&self, event: &Event<'_, K>) -> Result<Pin<Box<dyn Future<Output = K::Outcome> + Send>>, Rejection>;
}

/// What a handler may return.
#[diagnostic::on_unimplemented(
    message = "a handler of `{K}` events cannot return `{Self}`",
    note = "message handlers return `()`, `Reply<T>` or `Result<_, E>` of either, with any error `E` that `?` makes a `Box<dyn Error + Send + Sync>` of; middlewares and connect handlers `()`, `Result<(), ConnectError>` or `Result<(), JoinError>`; event middlewares `()`, `Next` or `Result<_, E>` of either; disconnect handlers and those for outgoing events `()`"
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

    fn bring(self, (): ()) -> <Message as Kind>::Outcome {
        Ok(())
    }
}

impl<T: Serialize + Send> Returned<Message> for Reply<T> {
    type Target = Ack;

    fn target(event: &Event<'_, Message>) -> Ack {
        Ack::new(event)
    }

    fn bring(self, ack: Ack) -> <Message as Kind>::Outcome {
        match ack.send(&self.0) {
            // A client that left needs no answer.
            Ok(()) | Err(EmitError::Disconnected) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// An error is told to [`Hooks::on_failure`](crate::Hooks::on_failure), and answered if
/// [`error_acks`](crate::Config::error_acks) is on.
impl<T: Returned<Message>, E: Into<Box<dyn Error + Send + Sync>> + Send> Returned<Message> for Result<T, E> {
    type Target = T::Target;

    fn target(event: &Event<'_, Message>) -> T::Target {
        T::target(event)
    }

    fn bring(self, target: T::Target) -> <Message as Kind>::Outcome {
        self.map_err(Into::into)?.bring(target)
    }
}

impl Returned<Middleware> for () {
    type Target = ();

    fn target(_: &Event<'_, Middleware>) {}

    fn bring(self, (): ()) -> <Middleware as Kind>::Outcome {
        Ok(Next::Pass)
    }
}

impl Returned<Middleware> for Next {
    type Target = ();

    fn target(_: &Event<'_, Middleware>) {}

    fn bring(self, (): ()) -> <Middleware as Kind>::Outcome {
        Ok(self)
    }
}

/// An error refuses the event.
impl<T, E> Returned<Middleware> for Result<T, E>
where
    T: Returned<Middleware, Target = ()>,
    E: Into<Box<dyn Error + Send + Sync>> + Send,
{
    type Target = ();

    fn target(_: &Event<'_, Middleware>) {}

    fn bring(self, (): ()) -> <Middleware as Kind>::Outcome {
        self.map_err(Into::into)?.bring(())
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

impl Returned<Outgoing> for () {
    type Target = ();

    fn target(_: &Event<'_, Outgoing>) {}

    fn bring(self, (): ()) {}
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
            fn call(&self, event: &Event<'_, K>) -> Result<Running<K>, Rejection> {
                let future = self($($argument::from_event(event)?),*);
                let target = <Fut::Output as Returned<K>>::target(event);
                Ok(Box::pin(async move { future.await.bring(target) }))
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
#[derive(Debug)]
pub(crate) enum Ended<O> {
    Returned(O),
    /// It was not called, for want of an argument.
    Rejected(Rejection),
    /// It panicked with this, which the panic hook has reported.
    Panicked(Box<dyn Any + Send>),
}

/// A handler whose part before the first wait has run.
pub(crate) enum Started<O> {
    Ended(Ended<O>),
    Waits(Pin<Box<dyn Future<Output = O> + Send>>),
}

/// Starts a handler, or anything that may wait: its part before the first wait runs now, so events of one socket begin
/// in order. A panic goes no further.
pub(crate) fn start<O>(
    call: impl FnOnce() -> Result<Pin<Box<dyn Future<Output = O> + Send>>, Rejection>,
) -> Started<O> {
    let first = catch_unwind(AssertUnwindSafe(|| {
        let mut running = call()?;
        // A handler that waits is polled again by its task: this waker need not wake.
        Ok(match running.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => Started::Ended(Ended::Returned(outcome)),
            Poll::Pending => Started::Waits(running),
        })
    }));
    match first {
        Ok(Ok(started)) => started,
        Ok(Err(rejection)) => Started::Ended(Ended::Rejected(rejection)),
        Err(panic) => Started::Ended(Ended::Panicked(panic)),
    }
}

impl<O: Send + 'static> Started<O> {
    /// Whether it has not ended yet.
    pub(crate) fn waits(&self) -> bool {
        matches!(self, Self::Waits(_))
    }

    /// Tells `done` how it ended: now, or in a task of its own, in which the rest of it runs.
    pub(crate) fn then(self, done: impl FnOnce(Ended<O>) + Send + 'static) {
        match self {
            Self::Ended(ended) => done(ended),
            Self::Waits(running) => {
                tokio::spawn(async move {
                    done(AssertUnwindSafe(running).catch_unwind().await.map_or_else(Ended::Panicked, Ended::Returned));
                });
            }
        }
    }
}
