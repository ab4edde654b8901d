//! What it is: the answers of other servers of a cluster, to be awaited.
//! What it is not: those of clients (`answer`).
//! Who calls it: applications, with what `server_side_emit_with_ack` gave them.

use std::{
    error, fmt,
    marker::PhantomData,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;

use crate::{
    args::{Args, FromArgs},
    cluster::ServerId,
    cluster_message::{self, Answer},
    request::Request,
    requests::{Heard, Missing},
};

/// Not all servers of the cluster have answered: what came, and who is missing.
#[derive(Debug)]
pub struct Partial<T> {
    /// What came, that of this server included where it was asked.
    pub heard: Vec<T>,
    /// The servers whose answers did not, and why.
    pub missing: Vec<(ServerId, ReplyError)>,
}

/// Why an answer of a server of the cluster did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyError {
    /// Not in time, or a message was lost.
    Timeout,
    /// The server left, or was not heard for too long.
    Gone,
    /// It has no handler for the event.
    NoHandler,
    /// Its handler failed.
    Failed,
    /// Its answer is not what was asked for.
    Decode,
    /// A part of its answer was lost.
    Torn,
}

impl<T> Partial<T> {
    /// What came, if nobody is missing.
    pub(crate) fn complete(self) -> Result<Vec<T>, Self> {
        if self.missing.is_empty() { Ok(self.heard) } else { Err(self) }
    }
}

/// Whatever came of it: who takes what there is needs not tell the two cases apart.
impl<T> From<Result<Vec<T>, Self>> for Partial<T> {
    fn from(outcome: Result<Vec<T>, Self>) -> Self {
        match outcome {
            Ok(heard) => Self { heard, missing: Vec::new() },
            Err(partial) => partial,
        }
    }
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "the server gave no answer in time",
            Self::Gone => "the server has gone",
            Self::NoHandler => "the server has no handler for that",
            Self::Failed => "the handler of the server failed",
            Self::Decode => "the answer of the server cannot be decoded",
            Self::Torn => "a part of the answer of the server was lost",
        })
    }
}

impl error::Error for ReplyError {}

impl<T> fmt::Display for Partial<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "answers of servers that are missing: {}", self.missing.len())
    }
}

impl<T: fmt::Debug> error::Error for Partial<T> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.missing.first().map(|(_server, why)| why as _)
    }
}

/// Who gave no answer to a request, and why.
pub(crate) fn missing(request: &Request) -> impl Iterator<Item = (ServerId, ReplyError)> {
    let Missing { late, lost, torn } = request.missing();
    let all = [(late, ReplyError::Timeout), (lost, ReplyError::Gone), (torn, ReplyError::Torn)];
    all.into_iter().flat_map(|(servers, why)| servers.into_iter().map(move |server| (server, why)))
}

/// The answers of other servers, in no order: see
/// [`SocketIo::server_side_emit_with_ack`](crate::SocketIo::server_side_emit_with_ack).
#[must_use = "the answers come when this is awaited; dropped, nobody waits for them"]
pub struct Replies<R> {
    asked: Request,
    heard: Vec<(ServerId, Args)>,
    /// Who has no answer.
    missing: Vec<(ServerId, ReplyError)>,
    read: PhantomData<fn() -> R>,
}

impl<R> Replies<R> {
    pub(crate) fn new(asked: Request) -> Self {
        Self { asked, heard: Vec::new(), missing: Vec::new(), read: PhantomData }
    }
}

impl<R: FromArgs> Future for Replies<R> {
    type Output = Result<Vec<(ServerId, R)>, Partial<(ServerId, R)>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        while let Some(Heard { from, answer, parts }) = ready!(this.asked.poll_next(cx)) {
            match list(&answer, parts) {
                Ok(list) => this.heard.push((from, list)),
                Err(why) => this.missing.push((from, why)),
            }
        }
        let mut all = Partial { heard: Vec::new(), missing: mem::take(&mut this.missing) };
        for (from, list) in this.heard.drain(..) {
            match R::from_args(list) {
                Ok(answer) => all.heard.push((from, answer)),
                Err(_) => all.missing.push((from, ReplyError::Decode)),
            }
        }
        all.missing.extend(missing(&this.asked));
        Poll::Ready(all.complete())
    }
}

fn list(answer: &Answer, parts: Vec<Bytes>) -> Result<Args, ReplyError> {
    match answer {
        Answer::Reply => {
            let mut parts = parts.into_iter();
            cluster_message::list(parts.next(), parts.collect()).map_err(|_| ReplyError::Decode)
        }
        Answer::NoHandler => Err(ReplyError::NoHandler),
        Answer::Failed => Err(ReplyError::Failed),
        Answer::Sockets(_) | Answer::Acks(..) => Err(ReplyError::Decode),
    }
}

impl<R> fmt::Debug for Replies<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies").field("heard", &self.heard.len()).finish_non_exhaustive()
    }
}
