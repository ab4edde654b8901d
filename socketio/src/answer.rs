//! What it is: an answer that a client owes, or those of many clients, to be awaited.
//! What it is not: the table in which it is looked up when it comes (`acks`).
//! Who calls it: applications, with what `emit_with_ack` gave them.

use std::{
    collections::VecDeque,
    error, fmt,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    sync::oneshot::{self, error::TryRecvError},
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    args::{Args, FromArgs},
    error::AckError,
    id::SocketId,
    peer::Peer,
};

/// When nobody waits any longer; `None` is never.
struct Timer {
    at: Option<Instant>,
    /// Made where it is awaited: who asks may be a thread without a runtime.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    fn new(after: Option<Duration>) -> Self {
        // A time that the clock does not have is never.
        Self { at: after.and_then(|after| Instant::now().checked_add(after)), sleep: None }
    }

    /// Whether the time is over; if not, it wakes when it is.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(at) = self.at else { return false };
        self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at))).as_mut().poll(cx).is_ready()
    }
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

    /// What is there when the time is over.
    fn in_time(&mut self) -> Result<Args, AckError> {
        self.receiver.try_recv().map_err(|error| match error {
            TryRecvError::Empty => AckError::Timeout,
            TryRecvError::Closed => AckError::Disconnected,
        })
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
        Self { due, timer: Timer::new(timeout), read: PhantomData }
    }
}

impl<R: FromArgs> Future for Answer<R> {
    type Output = Result<R, AckError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.due.poll(cx) {
            Poll::Ready(answer) => Poll::Ready(answer.and_then(|args| R::from_args(args).map_err(AckError::Decode))),
            Poll::Pending if self.timer.is_over(cx) => Poll::Ready(Err(AckError::Timeout)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<R> fmt::Debug for Answer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("id", &self.due.id).finish_non_exhaustive()
    }
}

/// The answers to a broadcast, in no order. They are complete when everybody who was asked has answered, so at once
/// when that is nobody. Without a [`timeout`](crate::Broadcast::timeout) each is waited for until its socket leaves.
#[must_use = "the answers come when this is awaited; dropped, nobody waits for them"]
pub struct Answers<R> {
    /// Who has yet to answer; all may answer at once, the first is looked at.
    due: VecDeque<Due>,
    heard: Vec<(SocketId, Result<Args, AckError>)>,
    timer: Timer,
    read: PhantomData<fn() -> R>,
}

impl<R> Answers<R> {
    pub(crate) fn new(timeout: Option<Duration>) -> Self {
        Self { due: VecDeque::new(), heard: Vec::new(), timer: Timer::new(timeout), read: PhantomData }
    }

    pub(crate) fn expect(&mut self, due: Due) {
        self.due.push_back(due);
    }

    pub(crate) fn miss(&mut self, id: SocketId, why: AckError) {
        self.heard.push((id, Err(why)));
    }
}

impl<R: FromArgs> Future for Answers<R> {
    type Output = Result<Vec<(SocketId, R)>, Incomplete<R>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut over = false;
        while let Some(due) = this.due.front_mut() {
            let answer = match due.poll(cx) {
                Poll::Ready(answer) => answer,
                Poll::Pending if over || this.timer.is_over(cx) => {
                    over = true;
                    due.in_time()
                }
                Poll::Pending => return Poll::Pending,
            };
            this.heard.push((due.peer.id().clone(), answer));
            this.due.pop_front();
        }
        let mut all = Incomplete { answers: Vec::new(), missing: Vec::new() };
        for (id, answer) in this.heard.drain(..) {
            match answer.and_then(|args| R::from_args(args).map_err(AckError::Decode)) {
                Ok(answer) => all.answers.push((id, answer)),
                Err(why) => all.missing.push((id, why)),
            }
        }
        Poll::Ready(if all.missing.is_empty() { Ok(all.answers) } else { Err(all) })
    }
}

impl<R> fmt::Debug for Answers<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers")
            .field("due", &self.due.len())
            .field("heard", &self.heard.len())
            .finish_non_exhaustive()
    }
}

/// Not everybody who was asked has answered: what came, and who is missing.
#[derive(Debug)]
pub struct Incomplete<R> {
    /// Who answered, and what (`err.responses` of the reference).
    pub answers: Vec<(SocketId, R)>,
    /// Who did not, and why.
    pub missing: Vec<(SocketId, AckError)>,
}

impl<R> fmt::Display for Incomplete<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (missing, asked) = (self.missing.len(), self.missing.len() + self.answers.len());
        write!(f, "{missing} of {asked} sockets gave no answer")
    }
}

impl<R: fmt::Debug> error::Error for Incomplete<R> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.missing.first().map(|(_id, why)| why as _)
    }
}
