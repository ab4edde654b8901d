//! What it is: the other servers of a cluster: who is there, what they are told, and what they were asked.
//! What it is not: the carrier of messages (`cluster`), nor what is done with those that come (`inbox`).
//! Who calls it: handles, to tell and to ask others; `inbox`, with what comes and whenever a heartbeat is due.
//!
//! ```text
//! this server:      alone -- join --> one of a cluster -- leave --> alone, for good
//! another server:   unknown -- any message of it --> there -- silence --> silent -- any message --> there
//!                                                      |         Bye, at any time --> left
//! a request of ours: asked of all who are there; each answers once, or goes; until all have, or the time is over
//! ```

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    fmt,
    ops::Bound,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::task::AbortHandle;

use crate::{
    accounts::Accounts,
    args::Args,
    cluster::{Carrier, ClusterTimes, ServerId},
    cluster_message::{self, Answer, Attendee, Attending, Body},
    timer::Timer,
};

/// Most servers that are known at a time. Whoever can write to the carrier could make up more.
const MAX_SERVERS: usize = 10_000;

/// Questions of theirs that may wait for answers of clients.
const MAX_ASKING: usize = 10_000;

/// The other servers, as one of them knows them.
pub(crate) struct Servers {
    pub(crate) id: ServerId,
    /// Set once it joins, and empty again once it leaves. Read for a few steps.
    joined: OnceLock<RwLock<Option<Arc<Joined>>>>,
    /// Taken for a few steps, and no other lock behind it but that of the requests.
    seen: Mutex<BTreeMap<ServerId, Standing>>,
    /// What was heard of who is in rooms of others.
    pub(crate) accounts: Accounts,
    /// What is being asked, by its number. Taken for a few steps, behind `seen`.
    requests: Mutex<HashMap<u64, Asked>>,
    next_request: AtomicU64,
    /// How often it was told that somebody came to a room that tells it, or went.
    attended: AtomicU64,
    /// What clients of this server are being asked for others, by who asks and the number of the request. Taken for a
    /// few steps, and no other lock behind it.
    asking: Mutex<BTreeMap<(ServerId, u64), AbortHandle>>,
}

/// What another server may have this one do: called with the name of that and what it says, it gives the list of its
/// answer and the attachments, or `None` when it fails.
pub(crate) type Handler =
    Arc<dyn Fn(ServerId, Args) -> Pin<Box<dyn Future<Output = Option<List>> + Send>> + Send + Sync>;

/// The text of a list, and what placeholders in it stand for.
pub(crate) type List = (String, Vec<Bytes>);

/// What there is while it is one of a cluster.
pub(crate) struct Joined {
    carrier: Box<dyn Carrier>,
    pub(crate) times: ClusterTimes,
    /// What others may have it do, by the names of events.
    pub(crate) handlers: HashMap<String, Handler>,
}

/// What is known of another server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It was heard at this time.
    There(Instant),
    /// It was not heard for too long, and may be again.
    Silent,
    /// It has said goodbye: its process ends.
    Left,
}

impl Standing {
    fn is_there(self) -> bool {
        matches!(self, Self::There(_))
    }
}

/// Whether a server was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noted {
    New,
    Known,
    /// It is not: it has left.
    Left,
}

/// What was asked, and what came of it.
#[derive(Debug, Default)]
struct Asked {
    /// Who has yet to answer.
    waiting: BTreeSet<ServerId>,
    /// Who has answered.
    answered: BTreeSet<ServerId>,
    /// How many parts of an answer came of each that has not told all of it.
    parts: BTreeMap<ServerId, usize>,
    /// Of whose answer a part was lost.
    torn: BTreeSet<ServerId>,
    /// Answers that nobody has taken yet.
    heard: VecDeque<Heard>,
    /// Who went away without one.
    lost: BTreeSet<ServerId>,
    waker: Option<Waker>,
}

/// An answer of another server, and what follows it.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) from: ServerId,
    pub(crate) answer: Answer,
    pub(crate) parts: Vec<Bytes>,
}

/// Who gave no answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) late: Vec<ServerId>,
    pub(crate) lost: Vec<ServerId>,
    pub(crate) torn: Vec<ServerId>,
}

impl Default for Servers {
    fn default() -> Self {
        Self {
            id: ServerId::draw(),
            joined: OnceLock::new(),
            seen: Mutex::default(),
            accounts: Accounts::default(),
            requests: Mutex::default(),
            next_request: AtomicU64::new(0),
            attended: AtomicU64::new(0),
            asking: Mutex::default(),
        }
    }
}

impl Servers {
    /// This server is one of a cluster from now on. Says whether it was none before.
    pub(crate) fn join(
        &self,
        carrier: Box<dyn Carrier>,
        times: ClusterTimes,
        handlers: HashMap<String, Handler>,
    ) -> bool {
        let joined = Joined { carrier, times: times.checked(), handlers };
        self.joined.set(RwLock::new(Some(Arc::new(joined)))).is_ok()
    }

    /// How long answers of other servers are waited for.
    pub(crate) fn request_timeout(&self) -> Duration {
        self.joined().map_or(Duration::ZERO, |joined| joined.times.request_timeout)
    }

    /// Bytes that are enough for one message.
    pub(crate) fn usual_size(&self) -> usize {
        self.joined().map_or(0, |joined| joined.carrier.usual_size())
    }

    /// Whether it is, or was, one of a cluster.
    pub(crate) fn have_cluster(&self) -> bool {
        self.joined.get().is_some()
    }

    pub(crate) fn joined(&self) -> Option<Arc<Joined>> {
        self.joined.get()?.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// This server leaves its cluster for good. Says whom it knew.
    pub(crate) fn leave(&self) -> Vec<ServerId> {
        let joined = self.joined.get().map(|joined| joined.write().unwrap_or_else(PoisonError::into_inner).take());
        let Some(Some(joined)) = joined else { return Vec::new() };
        joined.carrier.publish(cluster_message::write(&self.id, None, &Body::Bye, []));
        let seen: Vec<_> = std::mem::take(&mut *self.seen()).into_keys().collect();
        seen.iter().for_each(|server| self.lose(server));
        seen
    }

    /// Tells all others.
    pub(crate) fn tell<'a>(&self, body: &Body, parts: impl IntoIterator<Item = &'a [u8]>) {
        if let Some(joined) = self.joined() {
            joined.carrier.publish(cluster_message::write(&self.id, None, body, parts));
        }
    }

    /// Tells one of them.
    pub(crate) fn send<'a>(&self, to: &ServerId, body: &Body, parts: impl IntoIterator<Item = &'a [u8]>) {
        if let Some(joined) = self.joined() {
            joined.carrier.send(to, cluster_message::write(&self.id, Some(to), body, parts));
        }
    }

    /// Asks these, or all who are there, with what `body` makes of the number of the request. All may answer until
    /// `timeout`.
    pub(crate) fn ask<'a>(
        self: &Arc<Self>,
        to: Option<&[ServerId]>,
        timeout: Option<Duration>,
        body: impl FnOnce(u64) -> Body,
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> Request {
        let (number, timer) = (self.next_request.fetch_add(1, Ordering::Relaxed), Timer::new(timeout));
        {
            let seen = self.seen();
            let is_there = |server: &ServerId| seen.get(server).is_some_and(|standing| standing.is_there());
            let (waiting, lost) = match to {
                Some(to) => to.iter().cloned().partition(is_there),
                None => (seen.keys().filter(|server| is_there(server)).cloned().collect(), BTreeSet::new()),
            };
            self.requests().insert(number, Asked { waiting, lost, ..Asked::default() });
        }
        let Some(joined) = self.joined() else { return Request { servers: self.clone(), number, timer } };
        let (body, parts): (_, Vec<_>) = (body(number), parts.into_iter().collect());
        let message = |to| cluster_message::write(&self.id, to, &body, parts.iter().copied());
        match to {
            Some(to) => to.iter().for_each(|server| joined.carrier.send(server, message(Some(server)))),
            // Also when nobody is known: one that has come a moment ago should do what it is told.
            None => joined.carrier.publish(message(None)),
        }
        Request { servers: self.clone(), number, timer }
    }

    /// A server says something. Says whether it is known, unless there is no room for it, or this one has left.
    pub(crate) fn note(&self, server: &ServerId, now: Instant) -> Option<Noted> {
        self.joined()?;
        let mut seen = self.seen();
        match seen.get_mut(server) {
            // What was under way when it left.
            Some(Standing::Left) => Some(Noted::Left),
            Some(standing) => {
                let before = std::mem::replace(standing, Standing::There(now));
                Some(if before.is_there() { Noted::Known } else { Noted::New })
            }
            None => {
                if seen.len() >= MAX_SERVERS {
                    let gone = seen.iter().find(|(_, standing)| !standing.is_there()).map(|(gone, _)| gone.clone())?;
                    seen.remove(&gone);
                }
                seen.insert(server.clone(), Standing::There(now));
                Some(Noted::New)
            }
        }
    }

    /// Tells all others who comes to a room that tells it, or goes.
    pub(crate) fn attend(&self, namespace: &str, attending: Attending) {
        self.attended.fetch_add(1, Ordering::Relaxed);
        self.tell(&Body::Attending(namespace.to_owned(), attending), []);
    }

    /// Tells another server, or all, who is in such rooms.
    pub(crate) fn show(&self, to: Option<&ServerId>, namespace: &str, all: Vec<Attendee>) {
        let body = Body::Attending(namespace.to_owned(), Attending::All(all));
        match to {
            Some(to) => self.send(to, &body, []),
            None => self.tell(&body, []),
        }
    }

    /// How often it has told that.
    pub(crate) fn attended(&self) -> u64 {
        self.attended.load(Ordering::Relaxed)
    }

    /// Asks all others who is in such rooms of a namespace.
    pub(crate) fn ask_who(&self, namespace: &str) {
        self.accounts.ask(self.there(), namespace);
        self.tell(&Body::Who(namespace.to_owned()), []);
    }

    /// A server has left.
    pub(crate) fn lose(&self, server: &ServerId) {
        if let Some(standing) = self.seen().get_mut(server) {
            *standing = Standing::Left;
        }
        self.give_up(server);
    }

    /// Says that this one is there, and gives up those that have said nothing for too long, which it returns.
    pub(crate) fn beat(&self, now: Instant) -> Vec<ServerId> {
        let Some(joined) = self.joined() else { return Vec::new() };
        self.tell(&Body::Here(self.attended()), []);
        let timeout = joined.times.heartbeat_timeout;
        let mut silent = Vec::new();
        for (server, standing) in self.seen().iter_mut() {
            if let Standing::There(heard) = *standing
                && now.saturating_duration_since(heard) >= timeout
            {
                *standing = Standing::Silent;
                silent.push(server.clone());
            }
        }
        silent.iter().for_each(|server| self.give_up(server));
        silent
    }

    /// Nobody waits for a server that has gone, and nobody asks for it.
    fn give_up(&self, server: &ServerId) {
        self.accounts.forget(server);
        let mut wakers = Vec::new();
        for asked in self.requests().values_mut() {
            if asked.waiting.remove(server) {
                asked.lost.insert(server.clone());
                wakers.extend(asked.waker.take());
            }
        }
        wakers.into_iter().for_each(Waker::wake);
        let mut asking = self.asking();
        let of_it: Vec<_> = asking.keys().filter(|(from, _)| from == server).cloned().collect();
        let ended: Vec<_> = of_it.iter().filter_map(|key| asking.remove(key)).collect();
        drop(asking);
        ended.iter().for_each(AbortHandle::abort);
    }

    /// A server answers, or tells the rest of its answer behind so many parts. One that has answered before is not
    /// heard; one that was not known when the request was made is.
    pub(crate) fn answer(&self, request: u64, heard: Heard, parts: usize) {
        self.hear(request, |asked| {
            if asked.answered.insert(heard.from.clone()) {
                asked.waiting.remove(&heard.from);
                asked.lost.remove(&heard.from);
                if asked.parts.remove(&heard.from).unwrap_or_default() != parts {
                    asked.torn.insert(heard.from.clone());
                }
                asked.heard.push_back(heard);
            }
        });
    }

    /// A server tells a part of its answer.
    pub(crate) fn answer_in_part(&self, request: u64, heard: Heard) {
        self.hear(request, |asked| {
            if !asked.answered.contains(&heard.from) {
                *asked.parts.entry(heard.from.clone()).or_default() += 1;
                asked.heard.push_back(heard);
            }
        });
    }

    fn hear(&self, request: u64, hear: impl FnOnce(&mut Asked)) {
        let waker = {
            let mut requests = self.requests();
            let Some(asked) = requests.get_mut(&request) else { return };
            hear(asked);
            asked.waker.take()
        };
        // Not under the lock: it may be the last one that knows of a task, and end it.
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether clients may be asked for another server: not while too many are.
    pub(crate) fn may_ask(&self) -> bool {
        self.asking().len() < MAX_ASKING
    }

    /// Asks clients for another server, in a task that `start` starts and that has ended with `note_asked`.
    pub(crate) fn note_asking(&self, from: &ServerId, request: u64, start: impl FnOnce() -> AbortHandle) {
        // The task ends behind this.
        let mut asking = self.asking();
        let before = asking.insert((from.clone(), request), start());
        drop(asking);
        if let Some(before) = before {
            before.abort();
        }
    }

    /// Clients have answered to another server.
    pub(crate) fn note_asked(&self, from: &ServerId, request: u64) {
        self.asking().remove(&(from.clone(), request));
    }

    /// Another server no longer waits for them.
    pub(crate) fn forget(&self, from: &ServerId, request: u64) {
        let asking = self.asking().remove(&(from.clone(), request));
        if let Some(asking) = asking {
            asking.abort();
        }
    }

    /// Those who are there, in order.
    pub(crate) fn there(&self) -> Vec<ServerId> {
        let seen = self.seen();
        seen.iter().filter(|(_, standing)| standing.is_there()).map(|(server, _)| server.clone()).collect()
    }

    /// Whether this is the id of a socket of one of them, that is there, was or will be.
    pub(crate) fn have_socket(&self, id: &str) -> bool {
        self.with_socket(id).is_some()
    }

    /// The server that has the socket of this id, if it has one and is there; it may be this one.
    pub(crate) fn server_of(&self, id: &str) -> Option<ServerId> {
        if ServerId::mark_of(id) == Some(self.id.mark()) {
            return Some(self.id.clone());
        }
        self.with_socket(id).filter(|(_, standing)| standing.is_there()).map(|(server, _)| server)
    }

    fn with_socket(&self, id: &str) -> Option<(ServerId, Standing)> {
        let mark = ServerId::mark_of(id).filter(|_| self.have_cluster())?;
        let seen = self.seen();
        let mut behind = seen.range::<str, _>((Bound::Included(mark), Bound::Unbounded));
        behind.next().filter(|(server, _)| server.mark() == mark).map(|(server, standing)| (server.clone(), *standing))
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<ServerId, Standing>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<u64, Asked>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asking(&self) -> MutexGuard<'_, BTreeMap<(ServerId, u64), AbortHandle>> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.leave();
    }
}

/// What other servers were asked. Dropped, nobody waits for them any more, and they are told so.
pub(crate) struct Request {
    servers: Arc<Servers>,
    number: u64,
    timer: Timer,
}

impl Request {
    /// The next answer that comes; `None` when none will: all have answered or gone, or the time is over.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Heard>> {
        let waker = cx.waker().clone();
        let _before = {
            let mut requests = self.servers.requests();
            let asked = requests.get_mut(&self.number).expect("it is there until this is dropped");
            if let Some(heard) = asked.heard.pop_front() {
                return Poll::Ready(Some(heard));
            }
            if asked.waiting.is_empty() {
                return Poll::Ready(None);
            }
            // Dropped behind the lock, as it may end a task.
            asked.waker.replace(waker)
        };
        if self.timer.is_over(cx) { Poll::Ready(None) } else { Poll::Pending }
    }

    /// The same, to be awaited.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Who gave no answer, in order.
    pub(crate) fn missing(&self) -> Missing {
        let requests = self.servers.requests();
        let Some(asked) = requests.get(&self.number) else { return Missing::default() };
        let [late, lost, torn] =
            [&asked.waiting, &asked.lost, &asked.torn].map(|servers| servers.iter().cloned().collect());
        Missing { late, lost, torn }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        // Dropped behind the lock, as its waker may end a task.
        let asked = self.servers.requests().remove(&self.number);
        if asked.is_some_and(|asked| !asked.waiting.is_empty()) {
            self.servers.tell(&Body::Forget(self.number), []);
        }
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servers").field("id", &self.id).field("there", &self.there()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SocketId;

    const TIMES: ClusterTimes = ClusterTimes {
        heartbeat_interval: Duration::from_secs(5),
        heartbeat_timeout: Duration::from_secs(10),
        request_timeout: Duration::from_secs(5),
    };

    /// A server of a cluster, and what it has published.
    fn joined() -> (Arc<Servers>, Arc<Mutex<Vec<Bytes>>>) {
        let (servers, published) = (Arc::new(Servers::default()), Arc::<Mutex<Vec<Bytes>>>::default());
        let sink = published.clone();
        let publish = move |message| sink.lock().expect("not poisoned").push(message);
        assert!(servers.join(Box::new(publish), TIMES, HashMap::new()));
        (servers, published)
    }

    fn others(count: usize) -> Vec<ServerId> {
        let mut others: Vec<_> = (0..count).map(|_| ServerId::draw()).collect();
        others.sort();
        others
    }

    fn next(request: &mut Request) -> Poll<Option<ServerId>> {
        request.poll_next(&mut Context::from_waker(Waker::noop())).map(|heard| heard.map(|heard| heard.from))
    }

    fn reply(from: &ServerId) -> Heard {
        Heard { from: from.clone(), answer: Answer::Reply, parts: Vec::new() }
    }

    #[test]
    fn who_is_silent_is_not_there() {
        let (servers, published) = joined();
        let (others, start) = (others(2), Instant::now());
        assert!(others.iter().all(|other| servers.note(other, start).is_some()));
        let second = |count: u64| start + Duration::from_secs(count);
        for (at, heard, there) in
            [(5, None, &others[..]), (9, Some(&others[1]), &others), (10, None, &others[1..]), (19, None, &[])]
        {
            if let Some(server) = heard {
                assert!(servers.note(server, second(at)).is_some());
            }
            servers.beat(second(at));
            assert_eq!(servers.there(), there, "after {at} s");
        }
        let published = published.lock().expect("not poisoned");
        let said: Vec<_> = published.iter().map(|message| cluster_message::read(message.clone())).collect();
        let here =
            || cluster_message::Message { from: servers.id.clone(), to: None, body: Body::Here(0), parts: vec![] };
        assert_eq!(said, [Ok(here()), Ok(here()), Ok(here()), Ok(here())]);
    }

    #[test]
    fn each_server_that_was_asked_is_heard_once() {
        let (servers, _published) = joined();
        let (others, now) = (others(3), Instant::now());
        assert!(others[..2].iter().all(|other| servers.note(other, now).is_some()));
        let mut request = servers.ask(None, None, |number| Body::Call(Some(number)), []);
        assert_eq!(next(&mut request), Poll::Pending);
        servers.answer(request.number, reply(&others[1]), 0);
        servers.answer(request.number, reply(&others[1]), 0);
        servers.answer(request.number + 1, reply(&others[0]), 0);
        assert_eq!(next(&mut request), Poll::Ready(Some(others[1].clone())));
        assert_eq!(next(&mut request), Poll::Pending);
        servers.answer(request.number, reply(&others[2]), 0);
        assert_eq!(next(&mut request), Poll::Ready(Some(others[2].clone())), "it has come meanwhile");
        assert_eq!(next(&mut request), Poll::Pending);
        assert_eq!(request.missing(), Missing { late: vec![others[0].clone()], ..Missing::default() });
        servers.lose(&others[0]);
        assert_eq!(next(&mut request), Poll::Ready(None));
        assert_eq!(request.missing(), Missing { lost: vec![others[0].clone()], ..Missing::default() });
        drop(request);
        assert!(servers.requests().is_empty());
    }

    #[test]
    fn an_answer_may_come_in_parts() {
        let (servers, _published) = joined();
        let (others, now) = (others(2), Instant::now());
        assert!(others.iter().all(|other| servers.note(other, now).is_some()));
        let mut request = servers.ask(Some(&others), None, |number| Body::Call(Some(number)), []);
        for other in &others {
            servers.answer_in_part(request.number, reply(other));
            servers.answer_in_part(request.number, reply(other));
        }
        servers.answer(request.number, reply(&others[0]), 2);
        servers.answer_in_part(request.number, reply(&others[0]));
        servers.answer(request.number, reply(&others[1]), 3);
        let heard: Vec<_> = std::iter::from_fn(|| match next(&mut request) {
            Poll::Ready(heard) => heard,
            Poll::Pending => panic!("both have answered"),
        })
        .collect();
        assert_eq!(heard.len(), 6);
        assert_eq!(request.missing(), Missing { torn: vec![others[1].clone()], ..Missing::default() });
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_waited_for_longer_than_was_asked_for() {
        let (servers, _published) = joined();
        let other = ServerId::draw();
        assert_eq!(servers.note(&other, Instant::now()), Some(Noted::New));
        let (start, time) = (tokio::time::Instant::now(), Duration::from_secs(3));
        let mut request = servers.ask(None, Some(time), |number| Body::Call(Some(number)), []);
        assert!(request.next().await.is_none());
        assert_eq!((start.elapsed(), request.missing().late), (time, vec![other]));
    }

    #[test]
    fn sockets_of_others_are_known_by_their_ids() {
        let (servers, _published) = joined();
        let (others, now) = (others(50), Instant::now());
        assert!(others[1..].iter().all(|other| servers.note(other, now).is_some()));
        servers.lose(&others[1]);
        let id = |server: &ServerId| SocketId::draw_on(server).to_string();
        assert!(others[1..].iter().all(|other| servers.have_socket(&id(other))));
        assert!(!servers.have_socket(&id(&others[0])));
        assert_eq!(servers.server_of(&id(&others[2])), Some(others[2].clone()));
        assert_eq!(servers.server_of(&id(&others[1])), None, "it has left");
        assert!(!servers.have_socket(&id(&servers.id)), "that is looked for among those that are there");
        assert!(!servers.have_socket(&id(&others[2])[1..]));
        assert!(!servers.have_socket(&format!("{}#äöü and so on", others[2].mark())));
    }

    #[test]
    fn who_has_left_says_nothing() {
        let (servers, published) = joined();
        servers.leave();
        servers.beat(Instant::now());
        servers.leave();
        let published = published.lock().expect("not poisoned");
        assert_eq!(published.len(), 1);
        assert_eq!(cluster_message::read(published[0].clone()).expect("ours").body, Body::Bye);
    }

    #[test]
    fn so_many_servers_are_known_at_most() {
        let ((servers, _published), now) = (joined(), Instant::now());
        let others = others(MAX_SERVERS + 1);
        assert!(others[..MAX_SERVERS].iter().all(|other| servers.note(other, now).is_some()));
        assert_eq!(servers.note(&others[MAX_SERVERS], now), None);
        assert_eq!(servers.note(&others[0], now), Some(Noted::Known));
        servers.lose(&others[1]);
        assert_eq!(servers.note(&others[MAX_SERVERS], now), Some(Noted::New), "in place of one that has left");
    }
}
