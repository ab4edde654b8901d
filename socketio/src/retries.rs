//! What it is: answers kept by an id that clients put into their events, so that what comes again is not done again.
//! What it is not: a store, as it ends with the process; nor aware of sockets, as clients repeat on any connection.
//! Who calls it: applications, in handlers of events that clients repeat until they are answered.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::OnceCell;

/// Does once what clients ask for again and again, as the official client with its `retries` until there is an answer;
/// repeats are answered with what came of it. Clones are the same.
///
/// Nothing on the wire tells a repeat, so the client puts an id into the event that is the same each time, and no
/// other event has:
///
/// ```js
/// const socket = io({ retries: 3, ackTimeout: 10_000 });
/// socket.emit("say", "hello", crypto.randomUUID(), (error, number) => {});
/// ```
///
/// ```
/// use std::time::Duration;
/// use socketio::{Data, Namespace, Reply, Retries};
///
/// async fn store(text: String) -> std::io::Result<u64> {
///     Ok(text.len() as u64)
/// }
///
/// let said = Retries::new(100_000, Duration::from_secs(600));
/// let chat = Namespace::new("/").on("say", move |Data((text, id)): Data<(String, String)>| {
///     let said = said.clone();
///     async move { said.try_once(id, store(text)).await.map(Reply) }
/// });
/// ```
///
/// What holds: of all calls with one key, one at a time runs its work, and once it has succeeded no other does, for as
/// long as the answer is kept; the others wait for it. Which connection they come by makes no difference. Work that
/// fails, panics or is dropped is no answer: the next call tries again.
///
/// Whoever knows a key gets its answer: where answers are not for everybody, let the user be part of the key. Keys come
/// from clients and are kept: take some of a fixed size, or check their length.
pub struct Retries<K, T>(Arc<Shared<K, T>>);

struct Shared<K, T> {
    /// Taken for a few steps, and not while work is done.
    kept: Mutex<Kept<K, T>>,
    max_answers: usize,
    max_age: Duration,
}

struct Kept<K, T> {
    answers: HashMap<K, Arc<OnceCell<T>>>,
    /// The keys of all answers, with the time at which each came first, oldest first.
    order: VecDeque<(Instant, K)>,
}

impl<K: Clone + Eq + Hash, T: Clone> Retries<K, T> {
    /// Keeps this many answers, those being worked on among them, for this long from the first call for each: longer
    /// than clients go on repeating. Of more, those that came first are forgotten.
    pub fn new(max_answers: usize, max_age: Duration) -> Self {
        let kept = Mutex::new(Kept { answers: HashMap::new(), order: VecDeque::new() });
        Self(Arc::new(Shared { kept, max_answers, max_age }))
    }

    /// The answer for this key: what `work` gives if there is none yet. An answer that is an error is kept, too.
    pub async fn once(&self, key: K, work: impl Future<Output = T>) -> T {
        let Ok(answer) = self.try_once(key, async { Ok::<_, Infallible>(work.await) }).await;
        answer
    }

    /// The answer for this key: what `work` gives if there is none yet.
    ///
    /// # Errors
    /// That of `work`; it is not kept.
    pub async fn try_once<E>(&self, key: K, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let answer = self.answer(key, Instant::now());
        answer.get_or_try_init(|| work).await.cloned()
    }

    /// The place of the answer for this key, made if it is not there.
    fn answer(&self, key: K, now: Instant) -> Arc<OnceCell<T>> {
        let Shared { kept, max_answers, max_age } = &*self.0;
        // Dropped after the lock is free: its type is the application's.
        let mut forgotten = Vec::new();
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { answers, order } = &mut *kept;
        while order.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > *max_age) {
            forgotten.extend(forget_first(answers, order));
        }
        if let Some(answer) = answers.get(&key) {
            return answer.clone();
        }
        let answer = Arc::new(OnceCell::new());
        answers.insert(key.clone(), answer.clone());
        order.push_back((now, key));
        if order.len() > *max_answers {
            forgotten.extend(forget_first(answers, order));
        }
        answer
    }
}

fn forget_first<K: Eq + Hash, T>(
    answers: &mut HashMap<K, Arc<OnceCell<T>>>,
    order: &mut VecDeque<(Instant, K)>,
) -> Option<Arc<OnceCell<T>>> {
    let (_at, key) = order.pop_front()?;
    answers.remove(&key)
}

impl<K, T> Clone for Retries<K, T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, T> fmt::Debug for Retries<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { max_answers, max_age, .. } = &*self.0;
        f.debug_struct("Retries").field("max_answers", max_answers).field("max_age", max_age).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn answers_are_kept_for_long_enough_and_not_too_many() {
        let (retries, start) = (Retries::<_, ()>::new(2, 3 * SECOND), Instant::now());
        let first = retries.answer("a", start);
        let is_first = |key, seconds| Arc::ptr_eq(&first, &retries.answer(key, start + seconds * SECOND));
        assert!(
            !is_first("b", 1) && is_first("a", 1) && is_first("a", 3),
            "a repeat does not make it older or younger"
        );
        assert!(!is_first("a", 4), "too old");
        let again = retries.answer("a", start + 4 * SECOND);
        retries.answer("c", start + 4 * SECOND);
        assert!(Arc::ptr_eq(&again, &retries.answer("a", start + 4 * SECOND)), "of three, `b` came first");
        retries.answer("d", start + 4 * SECOND);
        assert!(!Arc::ptr_eq(&again, &retries.answer("a", start + 4 * SECOND)));
        let kept = retries.0.kept.lock().expect("no panic");
        assert_eq!((kept.answers.len(), kept.order.len()), (2, 2));
    }

    /// An answer that looks at the lock when it is dropped.
    #[derive(Clone)]
    struct Looking(Retries<&'static str, Self>);

    impl Drop for Looking {
        fn drop(&mut self) {
            assert!(self.0.0.kept.try_lock().is_ok(), "what is the application's is dropped without the lock");
        }
    }

    #[tokio::test]
    async fn answers_are_forgotten_without_the_lock() {
        let retries = Retries::new(1, SECOND);
        for key in ["a", "b"] {
            drop(retries.once(key, async { Looking(retries.clone()) }).await);
        }
    }
}
