//! What it is: the table of live sessions, and the guard that keeps a session in it.
//! What it is not: an owner of tasks.
//! Who calls it: `engine` adds and finds; a driver holds the guard, whose drop is the only removal.

use std::{
    borrow::Borrow,
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use dashmap::DashSet;
use tokio::sync::{Notify, futures::Notified};

use crate::{admission::Admitted, id::Sid, socket::Socket};

/// All live sessions of one engine. Clones are the same table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sessions(Arc<Table>);

#[derive(Debug, Default)]
struct Table {
    by_sid: DashSet<BySid>,
    /// WebSockets of sessions that have ended, whose close is not written yet.
    farewells: AtomicUsize,
    /// Told when there is a session more.
    added: Notify,
    /// Told when there is a session or a farewell less.
    removed: Notify,
}

/// A session, found by its sid: as it has that itself, the table keeps no copy.
#[derive(Debug)]
struct BySid(Socket);

impl PartialEq for BySid {
    fn eq(&self, other: &Self) -> bool {
        self.0.sid() == other.0.sid()
    }
}

impl Eq for BySid {}

impl Hash for BySid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.sid().hash(state);
    }
}

impl Borrow<Sid> for BySid {
    fn borrow(&self) -> &Sid {
        self.0.sid_ref()
    }
}

/// Keeps one session in the table, and counted, until it is dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    sessions: Sessions,
    pub(crate) socket: Socket,
    _admitted: Admitted,
}

/// Counts as long as the close of a WebSocket is not written.
#[derive(Debug)]
pub(crate) struct Farewell(Sessions);

impl Registration {
    /// To be dropped once the close of a WebSocket of this session is written.
    pub(crate) fn farewell(&self) -> Farewell {
        self.sessions.0.farewells.fetch_add(1, Ordering::Relaxed);
        Farewell(self.sessions.clone())
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.0.farewells.fetch_sub(1, Ordering::Relaxed);
        self.0.0.removed.notify_waiters();
    }
}

impl Sessions {
    /// Adds a session, unless there is one with its id.
    pub(crate) fn register(&self, socket: &Socket, admitted: Admitted) -> Option<Registration> {
        let is_new = self.0.by_sid.insert(BySid(socket.clone()));
        self.0.added.notify_waiters();
        is_new.then(|| Registration { sessions: self.clone(), socket: socket.clone(), _admitted: admitted })
    }

    pub(crate) fn find(&self, sid: &str) -> Option<Socket> {
        Some(self.0.by_sid.get(&Sid::parse(sid)?)?.0.clone())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.by_sid.len()
    }

    /// All sessions of this moment, so that none of the table's locks is held while they are used.
    pub(crate) fn all(&self) -> Vec<Socket> {
        self.0.by_sid.iter().map(|session| session.0.clone()).collect()
    }

    /// Waits until a session is added after this call.
    pub(crate) fn added(&self) -> Notified<'_> {
        self.0.added.notified()
    }

    /// Waits until no session is left, and each client was told.
    pub(crate) async fn empty(&self) {
        loop {
            let removed = self.0.removed.notified();
            if self.0.by_sid.is_empty() && self.0.farewells.load(Ordering::Relaxed) == 0 {
                return;
            }
            removed.await;
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.sessions.0.by_sid.remove(&self.socket.sid());
        self.sessions.0.removed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::Instant;

    use super::*;
    use crate::{
        admission::{Admission, SessionLimits},
        config::Config,
        handshake::Handshake,
        protocol::{Encoding, Transport},
        session::Session,
    };

    #[test]
    fn of_two_handshakes_at_once_with_one_id_one_is_let_in() {
        let sid = Sid::draw();
        let config = Arc::new(Config::default());
        let admission = Admission::new(SessionLimits::from(&*config));
        let arrival = || {
            let now = Instant::now().into_std();
            let session = Session::new(config.clone(), Encoding::V4, Transport::Polling, "{}", now);
            let handshake = Handshake::new("", Transport::Polling, None, std::iter::empty());
            let (admitted, _) = admission.admit(None).expect("there is no bound on two");
            (Socket::new(sid, handshake, session), admitted)
        };
        let [(first, of_first), (second, of_second), (_, of_third)] = [arrival(), arrival(), arrival()];
        let sessions = Sessions::default();
        let registration = sessions.register(&first, of_first);
        assert!(registration.is_some() && sessions.register(&second, of_second).is_none());
        first.close();
        assert!(sessions.find(sid.as_str()).is_some_and(|found| found.closed() == first.closed()));
        assert_eq!(sessions.len(), 1);
        drop(registration);
        assert_eq!(sessions.len(), 0);
        assert!(sessions.register(&second, of_third).is_some());
    }
}
