//! What it is: an answer that a client owes, to be awaited.
//! What it is not: the table in which it is looked up when it comes (`acks`).
//! Who calls it: applications, with what `emit_with_ack` gave them.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{sync::oneshot, time::Sleep};

use crate::{
    args::{Args, FromArgs},
    error::AckError,
    peer::Peer,
};

/// When nobody waits any longer; `None` is never.
type Timer = Option<Pin<Box<Sleep>>>;

fn timer(after: Option<Duration>) -> Timer {
    after.map(|after| Box::pin(tokio::time::sleep(after)))
}

/// Whether the time is over; if not, it wakes when it is.
fn is_over(timer: &mut Timer, cx: &mut Context<'_>) -> bool {
    timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready())
}

/// One answer that is due. Dropped, it leaves nothing behind.
pub(crate) struct Due {
    peer: Arc<Peer>,
    id: u64,
    receiver: oneshot::Receiver<Args>,
}

impl Due {
    pub(crate) fn new(peer: Arc<Peer>, id: u64, receiver: oneshot::Receiver<Args>) -> Self {
        Self { peer, id, receiver }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Args, AckError>> {
        Pin::new(&mut self.receiver).poll(cx).map_err(|_| AckError::Disconnected)
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        self.peer.forget_ack(self.id);
    }
}

/// The answer to an event. Without a [`timeout`](crate::SocketOperator::timeout) it waits until the socket leaves.
#[must_use = "the answer comes when this is awaited; dropped, nobody waits for it"]
pub struct Answer<R> {
    due: Due,
    timer: Timer,
    read: PhantomData<fn() -> R>,
}

impl<R> Answer<R> {
    pub(crate) fn new(due: Due, timeout: Option<Duration>) -> Self {
        Self { due, timer: timer(timeout), read: PhantomData }
    }
}

impl<R: FromArgs> Future for Answer<R> {
    type Output = Result<R, AckError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.due.poll(cx) {
            Poll::Ready(answer) => Poll::Ready(answer.and_then(|args| R::from_args(args).map_err(AckError::Decode))),
            Poll::Pending if is_over(&mut self.timer, cx) => Poll::Ready(Err(AckError::Timeout)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<R> fmt::Debug for Answer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("id", &self.due.id).finish_non_exhaustive()
    }
}
