//! What it is: an event whose recipients are asked for answers, which are brought one by one as they come.
//! What it is not: an emit that nobody answers (`perform`).
//! Who calls it: `redis`, for others that ask by it.

use std::time::Duration;

use futures_util::{StreamExt, stream::FuturesUnordered};
use socketio::{AckError, Answer, Args, EmitError};

use crate::{op::Emit, perform::PerformError, sockets::Sockets};

/// The answers that are due.
pub(crate) struct Questions(FuturesUnordered<Answer<Args>>);

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
        let due = FuturesUnordered::new();
        for socket in self.select(namespace, &emit.to, &emit.except)? {
            let operator = socket.compress(!emit.manner.uncompressed).timeout(timeout);
            let operator = if emit.manner.volatile { operator.volatile() } else { operator };
            match operator.emit_with_ack(&emit.event, &emit.args) {
                Ok(answer) => due.push(answer),
                Err(EmitError::Disconnected | EmitError::NotReady | EmitError::TooManyAcks) => {}
                Err(error) => return Err(PerformError::Emit(error)),
            }
        }
        self.metrics.emitted(source, due.len());
        Ok(Questions(due))
    }
}

impl Questions {
    /// How many answers are still due.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The next one that comes, or why one will not come; `None` when none is due any more.
    pub(crate) async fn next(&mut self) -> Option<Result<Args, AckError>> {
        self.0.next().await
    }
}
