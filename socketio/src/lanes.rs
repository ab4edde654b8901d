//! What it is: turns: of the events of one socket in one lane, one is handled at a time, in the order of arrival.
//! What it is not: a queue of events; whoever waits for its turn has its event.
//! Who calls it: `delivery` and `served` for namespaces that are sequential; handlers that are.

use std::{
    collections::HashMap,
    error, fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    event::{Event, Message},
    extract::Rejection,
    handler::{Handler, Running},
    socket::Socket,
};

/// Names a lane: that of one namespace, or of one handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Lane(u64);

impl Lane {
    /// One that nobody else has.
    pub(crate) fn draw() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The lanes of one socket, kept with it as the application's values are.
#[derive(Default)]
struct Lanes(Mutex<HashMap<Lane, Arc<Semaphore>>>);

/// Somebody's turn, until it is dropped.
pub(crate) type Turn = OwnedSemaphorePermit;

/// Waits for a turn. Who is polled first has it first.
pub(crate) fn turn(socket: &Socket, lane: Lane) -> impl Future<Output = Turn> + Send + use<> {
    let lanes = socket.peer.state().data.get_or_default::<Lanes>();
    let free = {
        let mut lanes = lanes.0.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.entry(lane).or_insert_with(|| Arc::new(Semaphore::new(1))).clone()
    };
    async { free.acquire_owned().await.expect("nobody closes a lane") }
}

/// A handler that has one event of a socket at a time: the next one waits until it has ended. Events of other sockets,
/// and those of other handlers, do not wait for it.
///
/// It is for what depends on what came before, and waits in between:
///
/// ```
/// # async fn store(row: &serde_json::Value) {}
/// use socketio::{Data, Namespace, Reply, Sequential};
///
/// let log = Namespace::new("/log").on("row", Sequential::new(async |Data(row): Data<serde_json::Value>| {
///     store(&row).await; // rows are stored in the order in which the client sent them
///     Reply(())
/// }));
/// ```
///
/// [`Namespace::sequential`](crate::Namespace::sequential) makes all handlers of a namespace wait for each other.
///
/// A handler that waits for an answer of its own client does not get it while
/// [`max_running_events`](crate::Limits::max_running_events) wait: give such a question a timeout.
#[derive(Debug)]
pub struct Sequential<H> {
    handler: Arc<H>,
    lane: Lane,
}

impl<H> Sequential<H> {
    /// The same handler, one event of a socket at a time.
    pub fn new(handler: H) -> Self {
        Self { handler: Arc::new(handler), lane: Lane::draw() }
    }
}

#[diagnostic::do_not_recommend]
impl<A, H: Handler<Message, A>> Handler<Message, A> for Sequential<H> {
    fn call(&self, event: &Event<'_, Message>) -> Result<Pin<Box<dyn Future<Output = Output> + Send>>, Rejection> {
        let (handler, turn) = (self.handler.clone(), turn(event.socket, self.lane));
        // Before it is copied.
        event.share_answer();
        let (socket, data, answered) = (event.socket.clone(), event.data.clone(), event.answered.cloned());
        Ok(Box::pin(async move {
            let _turn = turn.await;
            // Not before: what it takes may be what the event before leaves behind.
            let event = Event { socket: &socket, data: &data, answered: answered.as_ref() };
            let running: Running<Message> = handler.call(&event).map_err(Late)?;
            running.await
        }))
    }
}

/// A handler was not called, which was found out in its turn.
#[derive(Debug)]
pub(crate) struct Late(pub(crate) Rejection);

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl error::Error for Late {}

/// What a message's handler comes to.
type Output = <Message as crate::event::Kind>::Outcome;
