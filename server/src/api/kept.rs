//! What it is: answers kept by the ids of requests for a while: a request that is sent once more is not done once more.
//! What it is not: kept beyond the process, nor shared with others of a cluster.
//! Who calls it: whatever in `api` does something for a request with an id.

use std::{
    collections::{HashMap, VecDeque},
    future::poll_fn,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard},
    task::Poll,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{HeaderMap, Response, header::HeaderValue};
use tokio::sync::watch;

use super::{ApiError, route::Call};
use crate::{
    answer::{Answer, json, whole},
    keyring::Grant,
};

/// The header that says the id of a request.
const HEADER: &str = "idempotency-key";

/// The header of an answer that was there already.
const REPLAYED: &str = "idempotent-replayed";

/// Longest id, in bytes.
const MAX_ID: usize = 255;

/// Bytes of all answers together, with what it takes to keep them; beyond it the oldest are forgotten sooner.
const MAX_BYTES: usize = 32 << 20;

/// What it takes to keep one, about.
const OVERHEAD: usize = 256;

/// All answers that are kept.
pub(crate) struct Kept {
    ttl: Duration,
    hasher: RandomState,
    /// Taken for a few steps, twice for a request with an id.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    by_id: HashMap<Arc<Key>, Entry>,
    /// When those that are done were, oldest first.
    done: VecDeque<(Instant, Arc<Key>)>,
    bytes: usize,
}

/// An id is that of whoever has the same key of the API.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    owner: u64,
    id: Box<str>,
}

struct Entry {
    /// What the request was, as a hash of it.
    print: u64,
    outcome: Outcome,
}

enum Outcome {
    Running(watch::Receiver<Option<Bytes>>),
    Done(Bytes),
}

/// What is to be done for a request with an id.
enum Begun {
    /// It is the first one: do it.
    First(Turn),
    /// Another one is being done.
    Running(watch::Receiver<Option<Bytes>>),
    Done(Bytes),
    /// Another request had this id.
    Other,
}

/// A request that is being done. Dropped before it is, it counts as never sent.
struct Turn {
    kept: Arc<Kept>,
    key: Arc<Key>,
    told: watch::Sender<Option<Bytes>>,
}

/// The id of a request, if it has one: of its header, or as its body says.
pub(super) fn id(headers: &HeaderMap, of_body: Option<&str>) -> Result<Option<Box<str>>, ApiError> {
    let header = headers.get(HEADER).map(|value| value.to_str());
    let header = header.transpose().map_err(|_| ApiError::field(HEADER, "plain characters only"))?;
    // There is a draft of a standard that has it in quotes.
    let header = header.map(|id| id.strip_prefix('"').and_then(|id| id.strip_suffix('"')).unwrap_or(id));
    match (header, of_body) {
        (Some(header), Some(body)) if header != body => Err(ApiError::field("id", "it is not that of Idempotency-Key")),
        (Some(id), _) => checked(id, HEADER).map(Some),
        (None, Some(id)) => checked(id, "id").map(Some),
        (None, None) => Ok(None),
    }
}

fn checked(id: &str, field: &str) -> Result<Box<str>, ApiError> {
    match id.len() {
        1..=MAX_ID => Ok(id.into()),
        _ => Err(ApiError::field(field, format!("1 to {MAX_ID} bytes"))),
    }
}

/// Does what a request with this body wants, once for all requests that have this id. What takes its time goes on when
/// its client goes away: it may ask again.
pub(super) async fn answer(
    call: &Call<'_>,
    id: Option<Box<str>>,
    body: &[u8],
    act: impl Future<Output = Result<Vec<u8>, ApiError>> + Send + 'static,
) -> Result<Answer, ApiError> {
    let Some(id) = id else { return act.await.map(json).map(whole) };
    let print = call.api.kept.hasher.hash_one((call.route.template, body));
    let (answer, is_replayed) = call.api.kept.once(call.grant, id, print, act).await?;
    let mut answer: Response<Full<Bytes>> = json(answer.to_vec());
    if is_replayed {
        answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(whole(answer))
}

impl Kept {
    pub(crate) fn new(ttl: Duration) -> Self {
        Self { ttl, hasher: RandomState::new(), state: Mutex::default() }
    }

    /// The same for one op of several, in whatever body it comes.
    pub(super) async fn op(
        self: &Arc<Self>,
        grant: &Grant,
        id: &str,
        op: &[u8],
        act: impl Future<Output = Result<Vec<u8>, ApiError>> + Send + 'static,
    ) -> Result<Bytes, ApiError> {
        let (id, print) = (checked(id, "id")?, self.hasher.hash_one(op));
        Ok(self.once(grant, id, print, act).await?.0)
    }

    /// Gives the answer, and whether it was there.
    async fn once(
        self: &Arc<Self>,
        grant: &Grant,
        id: Box<str>,
        print: u64,
        act: impl Future<Output = Result<Vec<u8>, ApiError>> + Send + 'static,
    ) -> Result<(Bytes, bool), ApiError> {
        let key = Arc::new(Key { owner: grant.owner(&self.hasher), id });
        loop {
            match self.begin(&key, print, Instant::now()) {
                Begun::First(turn) => return Ok((turn.take(act).await?, false)),
                Begun::Done(answer) => return Ok((answer, true)),
                Begun::Other => return Err(ApiError::Conflict),
                Begun::Running(mut told) => {
                    // If nothing came of it, nobody has done it yet.
                    if let Ok(answer) = told.wait_for(Option::is_some).await
                        && let Some(answer) = &*answer
                    {
                        return Ok((answer.clone(), true));
                    }
                }
            }
        }
    }

    fn begin(self: &Arc<Self>, key: &Arc<Key>, print: u64, now: Instant) -> Begun {
        let mut state = self.state();
        state.forget(self.ttl, now);
        match state.by_id.get(key) {
            Some(entry) if entry.print != print => Begun::Other,
            Some(Entry { outcome: Outcome::Running(told), .. }) => Begun::Running(told.clone()),
            Some(Entry { outcome: Outcome::Done(answer), .. }) => Begun::Done(answer.clone()),
            None => {
                let (told, hears) = watch::channel(None);
                state.bytes += OVERHEAD + key.id.len();
                state.by_id.insert(key.clone(), Entry { print, outcome: Outcome::Running(hears) });
                Begun::First(Turn { kept: self.clone(), key: key.clone(), told })
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned: nobody panics while it is held")
    }
}

impl State {
    /// Forgets what is old, and as much more as there is too much.
    fn forget(&mut self, ttl: Duration, now: Instant) {
        while let Some((at, _)) = self.done.front()
            && (now.saturating_duration_since(*at) >= ttl || self.bytes > MAX_BYTES)
        {
            if let Some((_, key)) = self.done.pop_front() {
                self.remove(&key);
            }
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.by_id.remove(key) {
            let answer = if let Outcome::Done(answer) = &entry.outcome { answer.len() } else { 0 };
            self.bytes -= OVERHEAD + key.id.len() + answer;
        }
    }
}

impl Turn {
    /// Does it: here, as far as it needs not wait, and then in a task of its own.
    async fn take(
        self,
        act: impl Future<Output = Result<Vec<u8>, ApiError>> + Send + 'static,
    ) -> Result<Bytes, ApiError> {
        let mut done = Box::pin(async move {
            let answer = Bytes::from(act.await?);
            self.end(&answer, Instant::now());
            Ok(answer)
        });
        match poll_fn(|cx| Poll::Ready(done.as_mut().poll(cx))).await {
            Poll::Ready(answer) => answer,
            Poll::Pending => match tokio::spawn(done).await {
                Ok(answer) => answer,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            },
        }
    }

    fn end(&self, answer: &Bytes, now: Instant) {
        let mut state = self.kept.state();
        if let Some(entry) = state.by_id.get_mut(&self.key) {
            entry.outcome = Outcome::Done(answer.clone());
            state.bytes += answer.len();
            state.done.push_back((now, self.key.clone()));
        }
        state.forget(self.kept.ttl, now);
        drop(state);
        self.told.send_replace(Some(answer.clone()));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.told.borrow().is_none() {
            self.kept.state().remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> Arc<Key> {
        Arc::new(Key { owner: 0, id: id.into() })
    }

    fn done(kept: &Arc<Kept>, id: &str, answer: &'static [u8], now: Instant) {
        match kept.begin(&key(id), 1, now) {
            Begun::First(turn) => turn.end(&Bytes::from_static(answer), now),
            _ => panic!("{id} was there"),
        }
    }

    fn is_kept(kept: &Arc<Kept>, id: &str, now: Instant) -> bool {
        matches!(kept.begin(&key(id), 1, now), Begun::Done(_))
    }

    #[test]
    fn answers_are_kept_for_their_time_and_within_bounds() {
        static LARGE: [u8; MAX_BYTES / 4] = [0; MAX_BYTES / 4];
        let (kept, start) = (Arc::new(Kept::new(Duration::from_secs(10))), Instant::now());
        done(&kept, "a", b"1", start);
        assert!(is_kept(&kept, "a", start + Duration::from_secs(9)));
        assert!(!is_kept(&kept, "a", start + Duration::from_secs(10)));
        for id in ["1", "2", "3", "4"] {
            done(&kept, id, &LARGE, start);
        }
        assert!(!is_kept(&kept, "1", start) && is_kept(&kept, "2", start), "the oldest goes");
        assert!(!is_kept(&kept, "4", start + Duration::from_secs(10)));
        let state = kept.state();
        assert_eq!((state.bytes, state.by_id.len(), state.done.len()), (0, 0, 0));
    }

    #[test]
    fn what_was_given_up_may_be_done_again() {
        let (kept, now) = (Arc::new(Kept::new(Duration::from_secs(10))), Instant::now());
        let first = kept.begin(&key("a"), 1, now);
        assert!(matches!(kept.begin(&key("a"), 1, now), Begun::Running(_)));
        assert!(matches!(kept.begin(&key("a"), 2, now), Begun::Other));
        drop(first);
        assert!(matches!(kept.begin(&key("a"), 2, now), Begun::First(_)));
        assert_eq!(kept.state().bytes, 0);
    }
}
