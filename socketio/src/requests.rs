//! What it is: what other servers of a cluster were asked by this one, and what has come of it.
//! What it is not: the asking and the waiting (`request`), nor what clients are asked for others (`errands`).
//! Who calls it: `request` and `servers`.
//!
//! ```text
//! each server that was asked:  waited for -- an answer, or all parts of one --> heard
//!                                   |                  not all of these parts --> torn
//!                                   it goes -----------------------------------> lost -- an answer, yet --> heard
//! ```

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use bytes::Bytes;

use crate::{cluster::ServerId, cluster_message::Answer};

/// What is being asked, by its number.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// Taken for a few steps, and no other lock behind it.
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    next: u64,
    open: HashMap<u64, Asked>,
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

/// An answer of another server, or a part of it, and what follows it.
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

impl Requests {
    /// These are asked, and those have gone before. Gives the number of the request.
    pub(crate) fn begin(&self, waiting: BTreeSet<ServerId>, lost: BTreeSet<ServerId>) -> u64 {
        let mut all = self.all();
        let number = all.next;
        all.next += 1;
        all.open.insert(number, Asked { waiting, lost, ..Asked::default() });
        number
    }

    /// A server answers. One that has answered before is not heard; one that was not known when the request was made
    /// is.
    pub(crate) fn answer(&self, number: u64, heard: Heard) {
        self.hear(number, |asked| {
            if asked.end(&heard.from, 0) {
                asked.heard.push_back(heard);
            }
        });
    }

    /// A server tells a part of its answer.
    pub(crate) fn answer_in_part(&self, number: u64, heard: Heard) {
        self.hear(number, |asked| {
            if !asked.answered.contains(&heard.from) {
                *asked.parts.entry(heard.from.clone()).or_default() += 1;
                asked.heard.push_back(heard);
            }
        });
    }

    /// A server has told its answer in so many parts.
    pub(crate) fn end_parts(&self, number: u64, from: &ServerId, parts: usize) {
        self.hear(number, |asked| _ = asked.end(from, parts));
    }

    fn hear(&self, number: u64, hear: impl FnOnce(&mut Asked)) {
        let waker = {
            let mut all = self.all();
            let Some(asked) = all.open.get_mut(&number) else { return };
            hear(asked);
            asked.waker.take()
        };
        // Not under the lock: it may be the last one that knows of a task, and end it.
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Nobody waits for a server that has gone.
    pub(crate) fn give_up(&self, server: &ServerId) {
        let mut wakers = Vec::new();
        for asked in self.all().open.values_mut() {
            if asked.waiting.remove(server) {
                asked.lost.insert(server.clone());
                wakers.extend(asked.waker.take());
            }
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The next answer that has come; `None` when all have answered or gone. Else `waker` is woken.
    pub(crate) fn poll_next(&self, number: u64, waker: &Waker) -> Poll<Option<Heard>> {
        let waker = waker.clone();
        let mut all = self.all();
        let asked = all.open.get_mut(&number).expect("it is there until its end");
        if let Some(heard) = asked.heard.pop_front() {
            return Poll::Ready(Some(heard));
        }
        if asked.waiting.is_empty() {
            return Poll::Ready(None);
        }
        let before = asked.waker.replace(waker);
        drop(all);
        // Behind the lock, as it may end a task.
        drop(before);
        Poll::Pending
    }

    /// Who gave no answer, in order.
    pub(crate) fn missing(&self, number: u64) -> Missing {
        let all = self.all();
        let Some(asked) = all.open.get(&number) else { return Missing::default() };
        let [late, lost, torn] =
            [&asked.waiting, &asked.lost, &asked.torn].map(|servers| servers.iter().cloned().collect());
        Missing { late, lost, torn }
    }

    /// Nobody waits for answers any more. Says whether some are still due.
    pub(crate) fn end(&self, number: u64) -> bool {
        // Dropped behind the lock, as its waker may end a task.
        let asked = self.all().open.remove(&number);
        asked.is_some_and(|asked| !asked.waiting.is_empty())
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    /// A server has answered, in so many parts. Says whether it had not before.
    fn end(&mut self, from: &ServerId, parts: usize) -> bool {
        let is_first = self.answered.insert(from.clone());
        if is_first {
            self.waiting.remove(from);
            self.lost.remove(from);
            if self.parts.remove(from).unwrap_or_default() != parts {
                self.torn.insert(from.clone());
            }
        }
        is_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers<const N: usize>() -> [ServerId; N] {
        let mut servers = std::array::from_fn(|_| ServerId::draw());
        servers.sort();
        servers
    }

    fn next(requests: &Requests, number: u64) -> Poll<Option<ServerId>> {
        requests.poll_next(number, Waker::noop()).map(|heard| heard.map(|heard| heard.from))
    }

    fn reply(from: &ServerId) -> Heard {
        Heard { from: from.clone(), answer: Answer::Reply, parts: Vec::new() }
    }

    #[test]
    fn each_server_that_was_asked_is_heard_once() {
        let (requests, [a, b, c]) = (Requests::default(), servers());
        let number = requests.begin([a.clone(), b.clone()].into(), BTreeSet::new());
        assert_eq!(next(&requests, number), Poll::Pending);
        requests.answer(number, reply(&b));
        requests.answer(number, reply(&b));
        requests.answer(number + 1, reply(&a));
        assert_eq!(next(&requests, number), Poll::Ready(Some(b)));
        assert_eq!(next(&requests, number), Poll::Pending);
        requests.answer(number, reply(&c));
        assert_eq!(next(&requests, number), Poll::Ready(Some(c)), "it has come meanwhile");
        assert_eq!(next(&requests, number), Poll::Pending);
        assert_eq!(requests.missing(number), Missing { late: vec![a.clone()], ..Missing::default() });
        requests.give_up(&a);
        assert_eq!(next(&requests, number), Poll::Ready(None));
        assert_eq!(requests.missing(number), Missing { lost: vec![a], ..Missing::default() });
        assert!(!requests.end(number));
        assert!(requests.all().open.is_empty());
    }

    #[test]
    fn who_has_gone_may_answer_yet() {
        let (requests, [a, b]) = (Requests::default(), servers());
        let number = requests.begin([b.clone()].into(), [a.clone()].into());
        requests.give_up(&b);
        requests.answer(number, reply(&a));
        assert_eq!(next(&requests, number), Poll::Ready(Some(a)));
        assert_eq!(next(&requests, number), Poll::Ready(None));
        assert_eq!(requests.missing(number), Missing { lost: vec![b], ..Missing::default() });
    }

    #[test]
    fn an_answer_may_come_in_parts() {
        let (requests, [a, b]) = (Requests::default(), servers());
        let number = requests.begin([a.clone(), b.clone()].into(), BTreeSet::new());
        for server in [&a, &b] {
            requests.answer_in_part(number, reply(server));
            requests.answer_in_part(number, reply(server));
        }
        requests.end_parts(number, &a, 2);
        requests.answer_in_part(number, reply(&a));
        assert!(requests.missing(number).late == [b.clone()]);
        requests.end_parts(number, &b, 3);
        let mut heard = 0;
        while let Poll::Ready(Some(_)) = next(&requests, number) {
            heard += 1;
        }
        assert_eq!((heard, next(&requests, number)), (4, Poll::Ready(None)));
        assert_eq!(requests.missing(number), Missing { torn: vec![b], ..Missing::default() });
    }
}
