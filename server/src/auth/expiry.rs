//! What it is: when sockets' tokens expire, and who they are then.
//! What it is not: a clock; `run` waits, the rest has the time as an argument.
//! Who calls it: `namespaces` notes sockets that are let in; `serve` runs it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::Instant,
};

use tokio::sync::Notify;

/// Who expires when. Clones are the same.
pub(crate) struct Expiries<T>(Arc<Shared<T>>);

struct Shared<T> {
    /// Taken for a few steps.
    table: Mutex<Table<T>>,
    /// Somebody expires sooner than anybody before.
    sooner: Notify,
}

struct Table<T> {
    /// By the time and a number, since several may expire at once.
    known: BTreeMap<(Instant, u64), T>,
    next: u64,
}

/// That somebody's end is known; forgotten when it is dropped.
pub(crate) struct Noted<T> {
    of: Expiries<T>,
    key: (Instant, u64),
}

impl<T> Default for Expiries<T> {
    fn default() -> Self {
        let table = Mutex::new(Table { known: BTreeMap::new(), next: 0 });
        Self(Arc::new(Shared { table, sooner: Notify::new() }))
    }
}

impl<T> Clone for Expiries<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Expiries<T> {
    /// Notes that somebody's token is good until then.
    pub(crate) fn note(&self, who: T, until: Instant) -> Noted<T> {
        let mut table = self.table();
        let key = (until, table.next);
        table.next += 1;
        table.known.insert(key, who);
        let is_first = table.known.first_key_value().is_some_and(|(first, _)| *first == key);
        drop(table);
        if is_first {
            self.0.sooner.notify_one();
        }
        Noted { of: self.clone(), key }
    }

    /// Takes out whose time is over, and says when to come again.
    fn poll(&self, now: Instant) -> (Vec<T>, Option<Instant>) {
        let mut table = self.table();
        let mut over = Vec::new();
        while let Some(entry) = table.known.first_entry() {
            if entry.key().0 > now {
                return (over, Some(entry.key().0));
            }
            over.push(entry.remove());
        }
        (over, None)
    }

    /// Hands over each one when its time is over.
    pub(crate) async fn run(self, expired: impl Fn(&T)) {
        loop {
            let (over, next) = self.poll(Instant::now());
            over.iter().for_each(&expired);
            let wait = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => {}
                () = self.0.sooner.notified() => {}
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table<T>> {
        self.0.table.lock().expect("not poisoned: nobody panics while it is held")
    }
}

impl<T> Drop for Noted<T> {
    fn drop(&mut self) {
        self.of.table().known.remove(&self.key);
    }
}

impl<T> fmt::Debug for Noted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Noted").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_expires_at_its_time_or_is_forgotten() {
        let (expiries, start) = (Expiries::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let _noted = [("b", 2), ("a", 1), ("c", 2), ("d", 9)].map(|(name, until)| expiries.note(name, at(until)));
        let forgotten = expiries.note("e", at(1));
        let both = [expiries.note("f", at(3)), expiries.note("f", at(4))];
        drop(forgotten);
        for (now, over, next) in [
            (0, &[][..], Some(1)),
            (1, &["a"], Some(2)),
            (1, &[], Some(2)),
            (2, &["b", "c"], Some(3)),
            (3, &["f"], Some(4)),
        ] {
            assert_eq!(expiries.poll(at(now)), (over.to_vec(), next.map(at)), "{now}");
        }
        drop(both);
        assert_eq!(expiries.poll(at(5)), (Vec::new(), Some(at(9))));
        assert_eq!(expiries.poll(at(10)), (vec!["d"], None));
    }

    #[tokio::test]
    async fn who_expires_sooner_than_all_before_is_not_late() {
        let expiries = Expiries::default();
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let running = tokio::spawn(expiries.clone().run(move |who| told.send(*who).expect("heard below")));
        let _later = expiries.note("later", Instant::now() + Duration::from_secs(3600));
        tokio::task::yield_now().await;
        let _soon = expiries.note("soon", Instant::now());
        assert_eq!(heard.recv().await, Some("soon"));
        running.abort();
    }
}
