//! What it is: the other servers of a cluster: who is there, and what they are told.
//! What it is not: the carrier of messages (`cluster`), what is done with those that come (`inbox`), nor what comes of
//! requests (`requests`).
//! Who calls it: handles, to tell and to ask others; `inbox`, with what comes and whenever a heartbeat is due.
//!
//! ```text
//! this server:      alone -- join --> one of a cluster -- leave --> alone, for good
//! another server:   unknown -- any message of it --> there -- silence --> silent -- any message --> there
//!                                                      |         Bye, at any time --> left
//! ```

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    ops::Bound,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    accounts::Accounts,
    args::Args,
    cluster::{Carrier, ClusterTimes, ServerId},
    cluster_message::{self, Answer, Attendee, Attending, Body},
    errands::Errands,
    requests::Requests,
};

/// Most servers that are known at a time. Whoever can write to the carrier could make up more.
const MAX_SERVERS: usize = 10_000;

/// The other servers, as one of them knows them.
pub(crate) struct Servers {
    pub(crate) id: ServerId,
    /// Set once it joins, and empty again once it leaves. Read for a few steps.
    joined: OnceLock<RwLock<Option<Arc<Joined>>>>,
    /// Taken for a few steps, and no other lock behind it but that of the requests.
    seen: Mutex<BTreeMap<ServerId, Standing>>,
    /// What was heard of who is in rooms of others.
    pub(crate) accounts: Accounts,
    /// What they are asked.
    pub(crate) requests: Requests,
    /// How often it was told that somebody came to a room that tells it, or went.
    attended: AtomicU64,
    /// What they ask clients of this one.
    pub(crate) errands: Errands,
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

impl Default for Servers {
    fn default() -> Self {
        Self {
            id: ServerId::draw(),
            joined: OnceLock::new(),
            seen: Mutex::default(),
            accounts: Accounts::default(),
            requests: Requests::default(),
            attended: AtomicU64::new(0),
            errands: Errands::default(),
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

    /// Whether this server is one of a cluster.
    pub(crate) fn have_cluster(&self) -> bool {
        self.joined().is_some()
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

    /// Asks these, or all who are there, with what `body` makes of the number of the request, which it returns.
    pub(crate) fn ask<'a>(
        &self,
        to: Option<&[ServerId]>,
        body: impl FnOnce(u64) -> Body,
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> u64 {
        let number = {
            let seen = self.seen();
            let is_there = |server: &ServerId| seen.get(server).is_some_and(|standing| standing.is_there());
            let (waiting, lost) = match to {
                Some(to) => to.iter().cloned().partition(is_there),
                None => (seen.keys().filter(|server| is_there(server)).cloned().collect(), BTreeSet::new()),
            };
            self.requests.begin(waiting, lost)
        };
        let Some(joined) = self.joined() else { return number };
        let (body, parts): (_, Vec<_>) = (body(number), parts.into_iter().collect());
        let message = |to| cluster_message::write(&self.id, to, &body, parts.iter().copied());
        match to {
            Some(to) => to.iter().for_each(|server| joined.carrier.send(server, message(Some(server)))),
            // Also when nobody is known: one that has come a moment ago should do what it is told.
            None => joined.carrier.publish(message(None)),
        }
        number
    }

    /// Tells another server an answer. If there is much of it, or a message of it may be too large for the carrier, a
    /// small one behind it says how much there was.
    pub(crate) fn answer(&self, to: &ServerId, request: u64, answers: Vec<(Answer, Vec<Bytes>)>) {
        let (count, usual_size) = (answers.len(), self.usual_size());
        let mut is_whole = count == 1;
        for (answer, parts) in answers {
            is_whole &= answer.size() + parts.iter().map(Bytes::len).sum::<usize>() <= usual_size;
            let body = if is_whole { Body::Answer(request, answer) } else { Body::Part(request, answer) };
            self.send(to, &body, parts.iter().map(|part| &**part));
        }
        if !is_whole {
            self.send(to, &Body::Parts(request, count), []);
        }
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
        self.requests.give_up(server);
        self.errands.give_up_all(server);
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
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.leave();
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
    use crate::{id::SocketId, requests::Missing};

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
    fn who_is_there_is_asked_and_waited_for_until_it_goes() {
        let (servers, _published) = joined();
        let (others, now) = (others(3), Instant::now());
        assert!(others[..2].iter().all(|other| servers.note(other, now).is_some()));
        let ask = |to: Option<&[ServerId]>| servers.ask(to, |number| Body::Call(Some(number)), []);
        let missing = |late: &[ServerId], lost: &[ServerId]| Missing {
            late: late.to_vec(),
            lost: lost.to_vec(),
            ..Missing::default()
        };
        let [all, some] = [None, Some(&others[1..])].map(ask);
        assert_eq!(servers.requests.missing(all), missing(&others[..2], &[]));
        assert_eq!(servers.requests.missing(some), missing(&others[1..2], &others[2..]));
        servers.lose(&others[1]);
        assert_eq!(servers.requests.missing(all), missing(&others[..1], &others[1..2]));
        assert_eq!(servers.requests.missing(some), missing(&[], &others[1..]));
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
