//! What it is: which hook goes next, and when: queue, breaker and pace put together. A machine without a clock.
//! What it is not: the going (`turns`).
//! Who calls it: `turns`, whenever something has changed or its time has come.

use std::{hash::Hash, time::Instant};

use super::{
    breaker::{Access, Breaker, Change, Sign},
    pacer::Pacer,
    queue::{Bounds, Full, Item, Kind, Queue},
};

/// The hooks of one backend.
#[derive(Debug)]
pub(crate) struct Schedule<K, T> {
    queue: Queue<K, T>,
    breaker: Breaker,
    pacer: Pacer,
    in_flight: usize,
    max_in_flight: usize,
    /// The kind that went last; the others have their turns before it.
    last: usize,
    /// Nothing waits for the backend any more.
    is_hurried: bool,
}

/// How hooks go.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) bounds: Bounds,
    pub(crate) breaker: Breaker,
    pub(crate) pacer: Pacer,
    pub(crate) max_in_flight: usize,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<K, T> {
    /// This one goes.
    Go(K, T),
    /// This one fails, as the backend is not asked for now.
    Fail(T),
    /// Nothing until then.
    At(Instant),
    /// Nothing until something has ended, or comes.
    Nothing,
}

impl<K: Clone + Eq + Hash, T> Schedule<K, T> {
    pub(crate) fn new(Terms { bounds, breaker, pacer, max_in_flight }: Terms) -> Self {
        let queue = Queue::new(bounds);
        Self { queue, breaker, pacer, in_flight: 0, max_in_flight, last: 0, is_hurried: false }
    }

    /// From now on hooks go like this, those that wait too. A pause is over.
    pub(crate) fn adjust(&mut self, Terms { bounds, breaker, pacer, max_in_flight }: Terms) {
        self.queue.bound(bounds);
        (self.breaker, self.max_in_flight) = (breaker, max_in_flight);
        if !self.is_hurried {
            self.pacer = pacer;
        }
    }

    /// How many wait, and how many are in flight.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.queue.len(), self.in_flight)
    }

    /// Whether none goes, as the backend has failed too often.
    pub(crate) fn is_paused(&self) -> bool {
        self.breaker.is_open()
    }

    /// A hook comes, behind all others of its line.
    ///
    /// # Errors
    /// [`Full`].
    pub(crate) fn push(&mut self, line: &K, item: Item<T>) -> Result<(), Full> {
        self.queue.push(line, item)
    }

    /// What is to be done now. It is asked again until there is nothing.
    pub(crate) fn next(&mut self, now: Instant) -> Next<K, T> {
        match self.breaker.access(now) {
            Access::All => self.take_turns(now),
            Access::One if self.in_flight < self.max_in_flight => self.probe(now),
            Access::One => Next::Nothing,
            Access::None(until) => self.wait(until),
        }
    }

    fn take_turns(&mut self, now: Instant) -> Next<K, T> {
        if self.in_flight >= self.max_in_flight {
            return Next::Nothing;
        }
        let mut next = Next::Nothing;
        for step in 1..=Kind::ALL.len() {
            let turn = (self.last + step) % Kind::ALL.len();
            let kind = Kind::ALL[turn];
            if kind == Kind::Disconnect
                && self.queue.has(kind)
                && let Some(at) = self.pacer.wait(now)
            {
                next = Next::At(at);
                continue;
            }
            if let Some(gone) = self.go(kind, now) {
                self.last = turn;
                return gone;
            }
        }
        next
    }

    /// One goes, of those that nobody loses if it comes to nothing first.
    fn probe(&mut self, now: Instant) -> Next<K, T> {
        let kinds = [Kind::Connect, Kind::Blip, Kind::Disconnect, Kind::Event];
        let gone = kinds.into_iter().find_map(|kind| self.go(kind, now));
        if gone.is_some() {
            self.breaker.probe();
        }
        gone.unwrap_or(Next::Nothing)
    }

    /// Events fail at once; all else waits, unless there is no time for that but the probe's.
    fn wait(&mut self, until: Option<Instant>) -> Next<K, T> {
        let fails = |kind: &Kind| match kind {
            Kind::Connect => false,
            Kind::Event => true,
            Kind::Disconnect | Kind::Blip => self.is_hurried && until.is_some(),
        };
        let failed = Kind::ALL.into_iter().filter(fails).find_map(|kind| self.queue.pop(kind));
        if let Some((line, item)) = failed {
            self.queue.close(&line);
            return Next::Fail(item.job);
        }
        match until.filter(|_| Kind::ALL.into_iter().any(|kind| self.queue.has(kind))) {
            Some(until) => Next::At(until),
            None => Next::Nothing,
        }
    }

    fn go(&mut self, kind: Kind, now: Instant) -> Option<Next<K, T>> {
        let (line, item) = self.queue.pop(kind)?;
        if kind == Kind::Disconnect {
            self.pacer.take(now);
        }
        self.in_flight += 1;
        Some(Next::Go(line, item.job))
    }

    /// One is in flight no longer. Its line stays closed to others until it is [`close`](Self::close)d, or this one is
    /// to go [`again`](Self::again).
    pub(crate) fn land(&mut self, sign: Sign, now: Instant) -> Option<Change> {
        self.in_flight -= 1;
        self.breaker.note(sign, now)
    }

    /// One that has landed is over.
    pub(crate) fn close(&mut self, line: &K) {
        self.queue.close(line);
    }

    /// One that has landed is to go again.
    pub(crate) fn again(&mut self, line: &K, item: Item<T>) {
        self.queue.put_back(line, item);
    }

    /// From now on disconnects do not wait for their pace. If the backend has a pause, one hook goes as a probe at
    /// once; when that fails, or the next pause begins, they fail.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.pacer = Pacer::new(0);
        self.breaker.hurry(now);
        self.is_hurried = true;
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
