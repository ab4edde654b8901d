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
use socketio::{AckError, Answer, Args, EmitError, SocketId};

use crate::{emitted::Emitted, metrics::Metrics, op::Emit, perform::PerformError, sockets::Sockets};

/// The answers that are due. Dropped, it leaves nothing behind.
pub(crate) struct Questions {
    due: FuturesUnordered<Question>,
    unasked: Vec<SocketId>,
}

/// One of them.
struct Question {
    sid: SocketId,
    asked: Instant,
    answer: Answer<Args>,
    metrics: Arc<Metrics>,
}

impl Future for Question {
    type Output = (SocketId, Result<Args, AckError>);

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
    /// event, owes too many answers or has just gone is not asked.
    ///
    /// # Errors
    /// [`PerformError`]; nobody was asked then.
    pub(crate) fn ask(
        &self,
        namespace: &str,
        emit: &Emit,
        timeout: Duration,
        source: &str,
    ) -> Result<Questions, PerformError> {
        let (due, mut unasked) = (FuturesUnordered::new(), Vec::new());
        for socket in self.select(namespace, &emit.to, &emit.except)? {
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
        Ok(Questions { due, unasked })
    }
}

impl Questions {
    /// How many answers are still due.
    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }

    /// Who was not asked for owing too many answers already.
    pub(crate) fn unasked(&mut self) -> Vec<SocketId> {
        std::mem::take(&mut self.unasked)
    }

    /// The next one that comes, or why one will not come; `None` when none is due any more.
    pub(crate) async fn next(&mut self) -> Option<(SocketId, Result<Args, AckError>)> {
        self.due.next().await
    }
}
