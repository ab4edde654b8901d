//! What it is: how much of what other servers tell of who is in their rooms was heard, so that what is lost is noticed.
//! What it is not: who is there; that is `presence`, by namespace.
//! Who calls it: `servers` and `inbox`.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{cluster::ServerId, cluster_message::Attending};

/// What was heard of other servers. All is heard of one of which as much has come as it counts itself.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    /// Taken for a few steps, and no other lock behind it.
    all: Mutex<HashMap<ServerId, Account>>,
}

/// What was heard of one.
#[derive(Debug, Default)]
struct Account {
    /// How often it told that somebody came or went.
    times: u64,
    /// The namespaces of which it has yet to tell who is there.
    awaited: BTreeSet<String>,
}

impl Accounts {
    /// These servers are asked who is in rooms of a namespace.
    pub(crate) fn ask(&self, servers: Vec<ServerId>, namespace: &str) {
        let mut all = self.all();
        for server in servers {
            all.entry(server).or_default().awaited.insert(namespace.to_owned());
        }
    }

    /// A server tells something of its rooms in a namespace.
    pub(crate) fn note(&self, server: &ServerId, namespace: &str, attending: &Attending) {
        let mut all = self.all();
        let account = all.entry(server.clone()).or_default();
        match attending {
            Attending::Came(_) | Attending::Went(..) => account.times = account.times.wrapping_add(1),
            Attending::All(_) => _ = account.awaited.remove(namespace),
        }
    }

    /// A server has told that so often, and will tell all who are in its rooms, in these namespaces.
    pub(crate) fn begin(&self, server: &ServerId, times: u64, awaited: BTreeSet<String>) {
        self.all().insert(server.clone(), Account { times, awaited });
    }

    /// Whether everything was heard of a server that has told it so often.
    pub(crate) fn is_complete(&self, server: &ServerId, times: u64) -> bool {
        let all = self.all();
        all.get(server).map_or(times == 0, |account| account.times == times && account.awaited.is_empty())
    }

    /// A server has gone: what it tells when it is back is heard anew.
    pub(crate) fn forget(&self, server: &ServerId) {
        self.all().remove(server);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<ServerId, Account>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::SocketId, rooms::Room};

    #[test]
    fn what_is_lost_is_noticed() {
        let (accounts, server) = (Accounts::default(), ServerId::draw());
        let went = || Attending::Went(Room::from("r"), SocketId::draw());
        let all = || Attending::All(Vec::new());
        assert!(accounts.is_complete(&server, 0), "it has said nothing");
        assert!(!accounts.is_complete(&server, 1), "that was lost");
        accounts.begin(&server, 3, ["/".to_owned(), "/a".to_owned()].into());
        accounts.note(&server, "/", &all());
        assert!(!accounts.is_complete(&server, 3), "a list is yet to come");
        accounts.note(&server, "/a", &went());
        accounts.note(&server, "/a", &all());
        assert!(accounts.is_complete(&server, 4), "who went meanwhile counts");
        accounts.ask(vec![server.clone()], "/b");
        assert!(!accounts.is_complete(&server, 4), "nor is what it was asked for");
        accounts.note(&server, "/b", &all());
        assert!(accounts.is_complete(&server, 4));
        accounts.forget(&server);
        assert!(!accounts.is_complete(&server, 4));
    }
}
