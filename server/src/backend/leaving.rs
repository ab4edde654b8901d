//! What it is: what has yet to be told of sockets and users that came or went: tried some times, counted meanwhile.
//! What it is not: the order that they come in (`turns`).
//! Who calls it: `backend`, for each socket that leaves; `users`.

use std::{sync::Arc, time::Duration};

use super::{
    Answer, Backend, Backends, backoff, effect,
    hook::{Hook, Subject},
    message::Happening,
    outcome::{Reply, Unavailable},
    queue::Kind,
    turns::Waiting,
};

/// A hook that nobody waits for, and that has yet to be told.
pub(super) struct Leaving(Arc<Backends>);

impl Leaving {
    pub(super) fn new(backends: Arc<Backends>) -> Self {
        backends.leaving.send_modify(|leaving| *leaving += 1);
        Self(backends)
    }

    /// Tells it, some times if it has to be.
    pub(super) async fn tell(self, backend: &Backend, mut hook: Hook, waiting: Result<Waiting, Unavailable>) {
        let mut waits = backoff::OF_DISCONNECTS.into_iter();
        let mut place = waiting;
        while let Ok(waiting) = place {
            // Disconnects wait for a breaker to close, but not when the server ends.
            let Ok(turn) = waiting.turn().await else { return backend.drop_hook(&hook, "open") };
            let (reply, sign) = backend.ask(&mut hook).await;
            let landed = turn.land(sign);
            match reply {
                Ok(Reply::Done(answer)) => return self.carry_out(backend, &hook, &answer),
                Err(why) if why.may_pass() => {}
                Ok(_) | Err(_) => return,
            }
            // What comes next for this socket, if it is recovered, does not wait for that.
            drop(landed);
            let is_first = |wait: &Duration| *wait == backoff::OF_DISCONNECTS[0];
            let wait = waits.next().filter(|wait| is_first(wait) || !self.0.is_closing());
            let Some(wait) = wait else { return backend.drop_hook(&hook, "given_up") };
            match self.0.is_closing() {
                true => tokio::time::sleep(wait).await,
                // When the server ends it goes at once.
                false => drop(self.0.unless_closing(tokio::time::sleep(wait)).await),
            }
            if self.is_over(&hook) {
                return;
            }
            place = backend.wait(&hook);
        }
    }

    fn carry_out(&self, backend: &Backend, hook: &Hook, answer: &Answer) {
        match &hook.subject {
            Subject::Socket { socket, .. } => self.0.carry_out_for(backend, socket, Kind::Disconnect, answer),
            Subject::User { .. } => effect::carry_out_actions(&self.0.sockets, answer, |error| {
                backend.tell_left_out(error);
            }),
        }
    }

    /// Whether it is not true any more: an application would take for gone who is here again. That one's end is told.
    fn is_over(&self, hook: &Hook) -> bool {
        match (&hook.subject, &hook.happening) {
            (Subject::Socket { socket, .. }, _) => self.0.sockets.take_over(socket),
            (Subject::User { namespace, user }, Happening::User { is_online }) => {
                self.0.users.has(namespace, user) != *is_online
            }
            (Subject::User { .. }, _) => false,
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.leaving.send_modify(|leaving| *leaving -= 1);
    }
}
