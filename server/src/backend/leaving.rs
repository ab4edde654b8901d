//! What it is: disconnects that have yet to be told: tried some times, and counted meanwhile.
//! What it is not: the order that they come in (`turns`).
//! Who calls it: `backend`, for each socket that leaves.

use std::{sync::Arc, time::Duration};

use super::{
    Backend, Backends, backoff,
    hook::Hook,
    outcome::{Reply, Unavailable},
    queue::Kind,
    turns::Waiting,
};

/// A disconnect that has yet to be told.
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
            let Ok(turn) = waiting.turn().await else { return backend.drop_hook(hook.kind, "open") };
            let (reply, sign) = backend.ask(&mut hook).await;
            let landed = turn.land(sign);
            match reply {
                Ok(Reply::Done(answer)) => {
                    return self.0.carry_out_for(backend, &hook.socket, Kind::Disconnect, &answer);
                }
                Err(why) if why.may_pass() => {}
                Ok(_) | Err(_) => return,
            }
            // What comes next for this socket, if it is recovered, does not wait for that.
            drop(landed);
            let is_first = |wait: &Duration| *wait == backoff::OF_DISCONNECTS[0];
            let wait = waits.next().filter(|wait| is_first(wait) || !self.0.is_closing());
            let Some(wait) = wait else { return backend.drop_hook(hook.kind, "given_up") };
            match self.0.is_closing() {
                true => tokio::time::sleep(wait).await,
                // When the server ends it goes at once.
                false => drop(self.0.unless_closing(tokio::time::sleep(wait)).await),
            }
            // Its application would take for gone who is here again.
            if self.0.sockets.get(hook.socket.id().as_str()).is_some() {
                return;
            }
            place = backend.wait(&hook);
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.leaving.send_modify(|leaving| *leaving -= 1);
    }
}
