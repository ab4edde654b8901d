//! What it is: an event whose recipients are asked for answers, which are brought one by one as they come.
//! What it is not: an emit that nobody answers (`perform`).
//! Who calls it: `redis` and `api`, for others that ask by them.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use socketio::{AckError, Answer, Answers, Args, EmitError, Incomplete, ServerId, SocketId};

use crate::{
    emitted::{Emitted, Source},
    metrics::Metrics,
    op::Emit,
    perform::PerformError,
    sockets::{Reach, Sockets},
};

/// The answers that are due. Dropped, it leaves nothing behind.
pub(crate) struct Questions {
    due: FuturesUnordered<Question>,
    unasked: Vec<SocketId>,
    /// Those of other servers of a cluster, which come all at once.
    elsewhere: Option<Answers<Args>>,
    heard: Vec<Heard>,
    unheard: Vec<ServerId>,
}

/// An answer, or why there is none.
type Heard = (SocketId, Result<Args, AckError>);

/// One of them.
struct Question {
    sid: SocketId,
    asked: Instant,
    answer: Answer<Args>,
    metrics: Arc<Metrics>,
}

impl Future for Question {
    type Output = Heard;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer).poll(cx).map(|answer| {
            if answer.is_ok() {
                self.metrics.acked(self.asked.elapsed().as_secs_f64());
            }
            (self.sid.clone(), answer)
        })
    }
}

impl Sockets {
    /// Emits to all who are meant, and asks each for an answer within this time. One who was not ready for a volatile
    /// event, owes too many answers or has just gone is not asked. In a cluster clients of all servers are, unless each
    /// of these hears of it by itself.
    ///
    /// # Errors
    /// [`PerformError`]; nobody was asked then.
    pub(crate) fn ask(
        &self,
        namespace: &str,
        emit: &Emit,
        timeout: Duration,
        source: Source,
    ) -> Result<Questions, PerformError> {
        let (due, mut unasked) = (FuturesUnordered::new(), Vec::new());
        let who = (&emit.to, &emit.except);
        let sockets = self.select(namespace, who.0, who.1)?;
        // Found before anybody is asked, for it may be that there is no such namespace.
        let others = match self.have_cluster() && source.is_heard_once() {
            true => {
                let named = self.named(namespace, who.0);
                self.others(namespace, who, &named, (emit.manner, Reach::Elsewhere))?
            }
            false => None,
        };
        for socket in sockets {
            let operator = socket.compress(!emit.manner.uncompressed).timeout(timeout);
            let operator = if emit.manner.volatile { operator.volatile() } else { operator };
            match operator.emit_with_ack(&emit.event, &emit.args) {
                Ok(answer) => due.push(Question {
                    sid: socket.id(),
                    asked: Instant::now(),
                    answer,
                    metrics: self.metrics.clone(),
                }),
                Err(EmitError::TooManyAcks) => unasked.push(socket.id()),
                Err(EmitError::Disconnected | EmitError::NotReady) => {}
                Err(error) => return Err(PerformError::Emit(error)),
            }
        }
        let Emit { event, args, to, except, .. } = emit;
        self.note_emitted(namespace, &Emitted { source, event, args, to, except, recipients: due.len() });
        let elsewhere = others.map(|others| others.timeout(timeout).emit_with_ack(event, args)).transpose();
        let elsewhere = elsewhere.map_err(PerformError::Emit)?;
        Ok(Questions { due, unasked, elsewhere, heard: Vec::new(), unheard: Vec::new() })
    }
}

impl Questions {
    /// How many answers of single sockets are still due.
    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }

    /// Who was not asked for owing too many answers already.
    pub(crate) fn unasked(&mut self) -> Vec<SocketId> {
        std::mem::take(&mut self.unasked)
    }

    /// The next one that comes, or why one will not come; `None` when none is due any more.
    pub(crate) async fn next(&mut self) -> Option<(SocketId, Result<Args, AckError>)> {
        loop {
            if let Some(heard) = self.heard.pop() {
                return Some(heard);
            }
            let elsewhere = async {
                match &mut self.elsewhere {
                    Some(answers) => Some(answers.await),
                    None => None,
                }
            };
            tokio::select! {
                Some(heard) = self.due.next() => return Some(heard),
                Some(outcome) = elsewhere => {
                    self.elsewhere = None;
                    self.hear(outcome);
                }
                else => return None,
            }
        }
    }

    /// All other servers have told of their clients, or will not.
    fn hear(&mut self, outcome: Result<Vec<(SocketId, Args)>, Incomplete<Args>>) {
        let (answers, missing) = match outcome {
            Ok(answers) => (answers, Vec::new()),
            Err(Incomplete { answers, missing, servers }) => {
                self.unheard = servers.into_iter().map(|(server, _)| server).collect();
                (answers, missing)
            }
        };
        self.heard.extend(answers.into_iter().map(|(sid, answer)| (sid, Ok(answer))));
        self.heard.extend(missing.into_iter().map(|(sid, why)| (sid, Err(why))));
    }

    /// Servers of the cluster that did not say whom they asked; known when none is due any more.
    pub(crate) fn unheard(&mut self) -> Vec<ServerId> {
        std::mem::take(&mut self.unheard)
    }
}
