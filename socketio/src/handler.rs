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
    error::{ConnectError, EmitError},
    event::{Connect, Disconnect, Event, Kind, Message, Middleware, Next, Outgoing},
    extract::{Ack, FromEvent, Rejection},
    tasks::{Task, Tasks},
    trace,
};

/// A handler under way.
pub(crate) type Running<K> = Pin<Box<dyn Future<Output = <K as Kind>::Outcome> + Send>>;

/// An async function that can handle events of kind `K`. Its arguments `A` are extractors, up to six.
///
/// An async closure that captures nothing is one. What handlers share is best given to the namespace as
/// [`state`](crate::Namespace::state). A closure that captures all the same is no async closure, but one that returns
/// an async block, and clones for it what it captured:
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
///
/// use socketio::{Namespace, Reply, Socket};
///
/// let visits = Arc::new(AtomicU64::new(0));
/// let counter = Namespace::new("/").on("visit", move |_: Socket| {
///     let visits = visits.clone();
///     async move { Reply(visits.fetch_add(1, Ordering::Relaxed) + 1) }
/// });
/// ```
///
/// # When it does not compile
/// Rust says that a function is no handler, but not which part of it does not fit. It does when asked about one type
/// alone, and is right that this one cannot be had:
///
/// ```compile_fail,E0277
/// use socketio::{FromEvent, Message, Returned};
///
/// fn argument<T: FromEvent<Message>>() {}
/// fn result<T: Returned<Message>>() {}
///
/// result::<socketio::Reply<u32>>();
/// argument::<String>(); // `String` cannot be an argument of a handler for `Message` events
/// ```
///
/// Instead of `Message` it is `Connect` for middlewares and connect handlers, `Middleware` for event middlewares,
/// `Disconnect` and `Outgoing`. These are no handlers:
///
/// ```compile_fail,E0277
/// # use socketio::{Namespace, Socket};
/// Namespace::new("/").on("say", |_: Socket| {}); // it is not async
/// ```
/// ```compile_fail,E0277
/// # use socketio::Namespace;
/// Namespace::new("/").on("say", async |text: String| {}); // what is sent is asked for as `Data<String>`
/// ```
/// ```compile_fail,E0277
/// # use socketio::{Namespace, Socket};
/// Namespace::new("/").on("say", async |_: &Socket| {}); // extractors are taken by value
/// ```
/// ```compile_fail,E0277
/// # use socketio::Namespace;
/// Namespace::new("/").on("count", async || 5); // what is answered is returned as `Reply(5)`
/// ```
/// ```compile_fail,E0277
/// # use socketio::{Data, Namespace};
/// Namespace::new("/").on_connect(async |Data(_): Data<String>| {}); // a client that joins sends `Auth`
/// ```
/// ```compile_fail
/// # use socketio::Namespace;
/// Namespace::new("/").on("wait", async || {
///     let not_send = std::rc::Rc::new(1); // it is there while the handler waits, so the future is not `Send`
///     tokio::task::yield_now().await;
///     drop(not_send);
/// });
/// ```
#[diagnostic::on_unimplemented(
    message = "this is no handler for `{K}` events",
    label = "not async, or an argument or what it returns does not fit",
    note = "a handler is an `async fn` or an async closure: `async |socket: Socket, Data(text): Data<String>| {{ .. }}`",
    note = "arguments: up to six, by value: `Socket`, `SocketIo`, `Auth<T>`, `Query<T>`, `Params<T>`, `State<T>`, `SocketData<T>`, `Handshake`, and `Option` or `Result<_, Rejection>` of each; for messages and event middlewares also `Data<T>`, `Args`, `EventName`, `Ack`; for outgoing events also `Data<T>`, `Args`, `EventName`; for disconnects also `DisconnectReason`",
    note = "`T` of `Data<T>`, `Auth<T>`, `Query<T>` and `Params<T>` implements `serde::Deserialize` and borrows nothing; of `State<T>` it is `Clone + Send + Sync`; of `Reply<T>` it implements `serde::Serialize`",
    note = "what it returns: for messages `()`, `Reply<T>` or `Result<_, E>` of either, with any error that `?` takes; for connects and middlewares `()` or `Result<(), E>`, with an error that becomes a `ConnectError`, as that and a `JoinError` do; for event middlewares `()`, `Next` or `Result<_, E>` of either; for disconnects and outgoing events `()`",
    note = "the doc of the trait `Handler` says how to find out which part does not fit"
)]
pub trait Handler<K: Kind, A>: Send + Sync + 'static {
    /// Extracts the arguments and calls the function.
    ///
    /// # Errors
    /// [`Rejection`], when an argument cannot be had; the function is not called.
    fn call(&self, event: &Event<'_, K>) -> Result<Pin<Box<dyn Future<Output = K::Outcome> + Send>>, Rejection>;
}

/// What a handler may return.
///
/// - For messages `()`, which answers nothing, [`Reply<T>`](Reply), or a `Result` of either with any error.
/// - For connects and their middlewares `()` or `Result<(), E>`, with any error that becomes a
///   [`ConnectError`](crate::ConnectError): that itself, a [`JoinError`](crate::JoinError), or one of the application
///   with a `From` for it.
/// - For event middlewares `()`, [`Next`], or a `Result` of either with any error.
/// - For disconnects and outgoing events `()`.
#[diagnostic::on_unimplemented(
    message = "a handler for `{K}` events cannot return `{Self}`",
    note = "for messages it is `()`, `Reply<T>` or `Result<_, E>` of either, with any error that `?` takes; for connects and middlewares `()` or `Result<(), E>`, with an error that becomes a `ConnectError`, as that and a `JoinError` do; for event middlewares `()`, `Next` or `Result<_, E>` of either; for disconnects and outgoing events `()`"
)]
pub trait Returned<K: Kind>: Send {
    /// Where the result goes, made before the handler runs.
    type Target: Send + 'static;

    /// Where the result of this event's handler goes.
    fn target(event: &Event<'_, K>) -> Self::Target;

    /// Brings the result there.
    fn bring(self, target: Self::Target) -> K::Outcome;
}

/// The answer to an event, returned by its handler: arguments as [`Socket::emit`](crate::Socket::emit) takes them. So
/// `Reply((1, 2))` answers two, of which `emitWithAck` at the client gives the first; `Reply([(1, 2)])` answers one,
/// the list `[1, 2]`.
///
/// It is sent if the client wants one. A handler that returns `()` answers nothing, `Reply(())` answers without
/// arguments.
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

/// An error refuses the client.
impl<E: Into<ConnectError> + Send> Returned<Connect> for Result<(), E> {
    type Target = ();

    fn target(_: &Event<'_, Connect>) {}

    fn bring(self, (): ()) -> Result<(), ConnectError> {
        self.map_err(Into::into)
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
    Waits(Pin<Box<dyn Future<Output = O> + Send>>, Task),
}

/// Starts a handler, or anything that may wait: its part before the first wait runs now, so events of one socket begin
/// in order. A panic goes no further.
pub(crate) fn start<O>(
    tasks: &Tasks,
    call: impl FnOnce() -> Result<Pin<Box<dyn Future<Output = O> + Send>>, Rejection>,
) -> Started<O> {
    let first = catch_unwind(AssertUnwindSafe(|| {
        let mut running = call()?;
        // A handler that waits is polled again by its task: this waker need not wake.
        Ok(match running.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => Started::Ended(Ended::Returned(outcome)),
            Poll::Pending => Started::Waits(running, tasks.begin()),
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
        matches!(self, Self::Waits(..))
    }

    /// Tells `done` how it ended: now, or in a task of its own, in which the rest of it runs.
    pub(crate) fn then(self, done: impl FnOnce(Ended<O>) + Send + 'static) {
        match self {
            Self::Ended(ended) => done(ended),
            Self::Waits(running, task) => {
                tokio::spawn(trace::here(async move {
                    done(AssertUnwindSafe(running).catch_unwind().await.map_or_else(Ended::Panicked, Ended::Returned));
                    drop(task);
                }));
            }
        }
    }
}
