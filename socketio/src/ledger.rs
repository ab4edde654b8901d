//! What it is: what the histories of all namespaces of a server take together, within one bound.
//! What it is not: a history, nor what rooms keep (`histories`).
//! Who calls it: `recovery`, which has its namespace's history by an `Account`.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use crate::history::History;

/// All histories.
#[derive(Debug)]
pub(crate) struct Ledger {
    max_bytes: usize,
    bytes: AtomicUsize,
    /// How often any of them was added to, and how many there have been.
    count: AtomicU64,
    /// Taken for a few steps, and no other lock behind it.
    entries: Mutex<HashMap<u64, Arc<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    /// Taken for a few steps, by its own namespace and by those that need room, and no other lock behind it.
    history: Mutex<History>,
    bytes: AtomicUsize,
    /// When it was added to last, in the order of that.
    used: AtomicU64,
}

/// The history of one namespace. Dropped, it takes nothing any more.
#[derive(Debug)]
pub(crate) struct Account {
    ledger: Arc<Ledger>,
    id: u64,
    entry: Arc<Entry>,
}

impl Ledger {
    /// Of more bytes than these, those namespaces forget all that were not added to for longest, and in the end the one
    /// that is added to its oldest entries.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, bytes: AtomicUsize::new(0), count: AtomicU64::new(0), entries: Mutex::default() }
    }

    pub(crate) fn open(self: &Arc<Self>, history: History) -> Account {
        let id = self.count.fetch_add(1, Relaxed);
        let entry = Entry { history: Mutex::new(history), bytes: AtomicUsize::new(0), used: AtomicU64::new(id) };
        let entry = Arc::new(entry);
        self.entries().insert(id, entry.clone());
        Account { ledger: self.clone(), id, entry }
    }

    /// Has others forget, and then this one, until it fits.
    fn settle(&self, own: &Account) {
        while let Some(excess) = self.excess() {
            let entries = self.entries();
            let others = entries.iter().filter(|(id, entry)| **id != own.id && entry.bytes.load(Relaxed) > 0);
            let oldest = others.min_by_key(|(_, entry)| entry.used.load(Relaxed)).map(|(_, entry)| entry.clone());
            drop(entries);
            match oldest {
                Some(entry) => self.change(&entry, History::clear),
                None => return self.change(&own.entry, |history| history.shrink(excess)),
            }
        }
    }

    fn excess(&self) -> Option<usize> {
        self.bytes.load(Relaxed).checked_sub(self.max_bytes).filter(|excess| *excess > 0)
    }

    fn change<R>(&self, entry: &Entry, change: impl FnOnce(&mut History) -> R) -> R {
        let mut history = entry.history();
        let result = change(&mut history);
        let (after, before) = (history.bytes(), entry.bytes.load(Relaxed));
        entry.bytes.store(after, Relaxed);
        self.bytes.fetch_add(after.wrapping_sub(before), Relaxed);
        result
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<u64, Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    /// Looks at it.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&History) -> R) -> R {
        look(&self.entry.history())
    }

    /// Changes it, and has forgotten what is too much.
    pub(crate) fn change(&self, change: impl FnOnce(&mut History)) {
        self.entry.used.store(self.ledger.count.fetch_add(1, Relaxed), Relaxed);
        self.ledger.change(&self.entry, change);
        self.ledger.settle(self);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.ledger.entries().remove(&self.id);
        self.ledger.change(&self.entry, History::clear);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::parser::Parser;

    fn account(ledger: &Arc<Ledger>) -> Account {
        ledger.open(History::new(usize::MAX, Duration::from_secs(60)))
    }

    /// Adds an event of about this many bytes.
    fn add(account: &Account, bytes: usize) {
        let event = Parser::Default.event("/", "e", &"x".repeat(bytes), None).expect("an event");
        account.change(|history| history.emit(event, vec![], vec![], Instant::now()));
    }

    fn bytes(accounts: &[&Account]) -> Vec<usize> {
        accounts.iter().map(|account| account.read(History::bytes) / 1000).collect()
    }

    #[test]
    fn who_was_added_to_longest_ago_forgets_first() {
        let ledger = Arc::new(Ledger::new(10_000));
        let [a, b, c] = [(); 3].map(|()| account(&ledger));
        for (account, size) in [(&a, 3000), (&b, 3000), (&a, 1000)] {
            add(account, size);
        }
        assert_eq!(bytes(&[&a, &b, &c]), [4, 3, 0]);
        add(&c, 4000);
        assert_eq!(bytes(&[&a, &b, &c]), [4, 0, 4]);
        // More than all others have.
        add(&b, 4000);
        assert_eq!(bytes(&[&a, &b, &c]), [0, 4, 4]);
        for _ in 0..4 {
            add(&b, 4000);
        }
        assert_eq!(bytes(&[&a, &b, &c]), [0, 8, 0], "its own oldest ones");
        drop(b);
        assert_eq!(ledger.bytes.load(Relaxed), 0);
        assert_eq!(ledger.entries().len(), 2);
    }
}
