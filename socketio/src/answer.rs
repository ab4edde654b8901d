//! What it is: an answer that a client owes, or those of many clients, to be awaited.
//! What it is not: the table in which it is looked up when it comes (`acks`).
//! Who calls it: applications, with what `emit_with_ack` gave them.

use std::{
    collections::VecDeque,
    error, fmt,
    marker::PhantomData,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::oneshot::{self, error::TryRecvError};

use crate::{
    args::{Args, FromArgs},
    cluster::ServerId,
    cluster_message::{self, Answer as Told, BESIDE, ClusterError, Missing},
    error::AckError,
    id::SocketId,
    peer::Peer,
    replies::{self, ReplyError},
    request::Request,
    requests::Heard,
    timer::Timer,
};

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

/// What came of asking a client.
type OfClient = (SocketId, Result<Args, AckError>);

/// The answers to a broadcast, in no order. They are complete when everybody who was asked has answered, so at once
/// when that is nobody. Without a [`timeout`](crate::Broadcast::timeout) each is waited for until its socket leaves.
/// Other servers of a [cluster](crate::SocketIo::join_cluster) ask their clients, and tell of all answers at once.
#[must_use = "the answers come when this is awaited; dropped, nobody waits for them"]
pub struct Answers<R> {
    /// Who has yet to answer; all may answer at once, the first is looked at.
    due: VecDeque<Due>,
    heard: Vec<OfClient>,
    timer: Timer,
    /// What other servers were asked.
    elsewhere: Option<Request>,
    /// Who of them did not say whom they asked.
    silent: Vec<(ServerId, ReplyError)>,
    read: PhantomData<fn() -> R>,
}

impl<R> Answers<R> {
    pub(crate) fn new(timeout: Option<Duration>, elsewhere: Option<Request>) -> Self {
        let (due, heard, timer) = (VecDeque::new(), Vec::new(), Timer::new(timeout));
        Self { due, heard, timer, elsewhere, silent: Vec::new(), read: PhantomData }
    }

    pub(crate) fn expect(&mut self, due: Due) {
        self.due.push_back(due);
    }

    pub(crate) fn miss(&mut self, id: SocketId, why: AckError) {
        self.heard.push((id, Err(why)));
    }

    /// Another server tells of its clients.
    fn hear(&mut self, Heard { from, answer, parts }: Heard) {
        let Ok(heard) = heard(answer, parts) else { return self.silent.push((from, ReplyError::Decode)) };
        self.heard.extend(heard);
    }
}

/// What another server has told of its clients.
fn heard(answer: Told, parts: Vec<Bytes>) -> Result<Vec<OfClient>, ClusterError> {
    let Told::Acks(answers, missing) = answer else { return Err(ClusterError::Malformed) };
    let (mut heard, mut parts) = (Vec::new(), parts.into_iter());
    for (id, attachments) in answers {
        let list = cluster_message::list(parts.next(), parts.by_ref().take(attachments).collect())?;
        heard.push((id, Ok(list)));
    }
    heard.extend(missing.into_iter().map(|(id, why)| (id, Err(why.into()))));
    Ok(heard)
}

impl From<Missing> for AckError {
    fn from(why: Missing) -> Self {
        match why {
            Missing::Timeout => Self::Timeout,
            Missing::Disconnected => Self::Disconnected,
            Missing::TooManyAcks => Self::TooManyAcks,
        }
    }
}

/// What a server tells another one of the answers of its clients, with the lists behind it: message by message, in each
/// about so many bytes.
pub(crate) fn told(outcome: Result<Vec<(SocketId, Args)>, Incomplete<Args>>, size: usize) -> Vec<(Told, Vec<Bytes>)> {
    let (heard, missing) = match outcome {
        Ok(heard) => (heard, Vec::new()),
        Err(Incomplete { answers, missing, .. }) => (answers, missing),
    };
    let (mut all, mut told, mut bytes) = (Vec::new(), (Vec::new(), Vec::new(), Vec::<Bytes>::new()), 0);
    let mut add = |more: usize, told: &mut (Vec<_>, Vec<_>, Vec<Bytes>)| {
        if bytes > 0 && bytes + more > size {
            let (answers, missing, parts) = mem::take(told);
            all.push((Told::Acks(answers, missing), parts));
            bytes = 0;
        }
        bytes += more;
    };
    for (id, args) in heard {
        add(BESIDE + args.size(), &mut told);
        told.0.push((id, args.attachments().len()));
        told.2.push(args.to_json().into());
        told.2.extend(args.attachments().iter().cloned());
    }
    for (id, error) in missing {
        add(BESIDE, &mut told);
        let why = match error {
            AckError::Disconnected => Missing::Disconnected,
            AckError::TooManyAcks => Missing::TooManyAcks,
            // Lists are read by whoever asked.
            AckError::Timeout | AckError::Decode(_) => Missing::Timeout,
        };
        told.1.push((id, why));
    }
    let (answers, missing, parts) = told;
    all.push((Told::Acks(answers, missing), parts));
    all
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
        while let Some(elsewhere) = &mut this.elsewhere {
            match elsewhere.poll_next(cx) {
                Poll::Ready(Some(heard)) => this.hear(heard),
                Poll::Ready(None) => {
                    this.silent.extend(replies::missing(elsewhere));
                    this.elsewhere = None;
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        let mut all = Incomplete { answers: Vec::new(), missing: Vec::new(), servers: mem::take(&mut this.silent) };
        for (id, answer) in this.heard.drain(..) {
            match answer.and_then(|args| R::from_args(args).map_err(AckError::Decode)) {
                Ok(answer) => all.answers.push((id, answer)),
                Err(why) => all.missing.push((id, why)),
            }
        }
        let is_complete = all.missing.is_empty() && all.servers.is_empty();
        Poll::Ready(if is_complete { Ok(all.answers) } else { Err(all) })
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
    /// Servers of the [cluster](crate::SocketIo::join_cluster) that did not say whom they asked, and why.
    pub servers: Vec<(ServerId, ReplyError)>,
}

impl<R> fmt::Display for Incomplete<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (missing, asked) = (self.missing.len(), self.missing.len() + self.answers.len());
        write!(f, "{missing} of {asked} sockets gave no answer")?;
        match self.servers.len() {
            0 => Ok(()),
            servers => write!(f, "; servers that did not say whom they asked: {servers}"),
        }
    }
}

impl<R: fmt::Debug> error::Error for Incomplete<R> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.missing.first().map(|(_id, why)| why as _)
    }
}
