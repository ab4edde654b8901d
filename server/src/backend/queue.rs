//! What it is: hooks that wait: each socket has a line, and lines take turns. A machine without a clock.
//! What it is not: the decision whether the backend can take one more (`schedule`).
//! Who calls it: `schedule`.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// What a hook is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Event,
    /// A socket has left. What is told of users goes the same way.
    Disconnect,
    /// The turn of a disconnect that something waits behind, as its client is back. No hook is of this kind.
    Blip,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Connect, Self::Event, Self::Disconnect, Self::Blip];
}

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Events, and as many disconnects. Of connects there are no more than connections.
    pub(crate) hooks: usize,
    /// Events of one line.
    pub(crate) per_line: usize,
    /// Bytes of all events. Others have none that are not bounded elsewhere.
    pub(crate) bytes: usize,
    /// Whether of one line one goes at a time.
    pub(crate) is_ordered: bool,
}

/// Why something cannot wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    Queue,
    Line,
}

/// Lines of hooks, by whose they are.
#[derive(Debug)]
pub(crate) struct Queue<K, T> {
    bounds: Bounds,
    lines: HashMap<K, Line<T>>,
    /// Those whose first one may go, by its kind, in the order of their turns. They may have another turn meanwhile.
    ready: [VecDeque<K>; 4],
    waiting: [usize; 4],
    bytes: usize,
}

/// It is there while something waits or is open.
#[derive(Debug)]
struct Line<T> {
    waiting: VecDeque<Item<T>>,
    /// How many have gone and not come to an end.
    open: usize,
    /// The turn that it waits for.
    ready: Option<Kind>,
}

/// What waits.
#[derive(Debug)]
pub(crate) struct Item<T> {
    pub(crate) kind: Kind,
    pub(crate) bytes: usize,
    pub(crate) job: T,
}

impl<T> Line<T> {
    /// The kind of the first one, if it may go: an event beside others of its line where these need no order, all else
    /// alone.
    fn next(&self, is_ordered: bool) -> Option<Kind> {
        let kind = self.waiting.front()?.kind;
        let is_blip = kind == Kind::Disconnect && self.waiting.len() > 1;
        let may_go = self.open == 0 || kind == Kind::Event && !is_ordered;
        may_go.then_some(if is_blip { Kind::Blip } else { kind })
    }
}

impl<K: Clone + Eq + Hash, T> Queue<K, T> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, lines: HashMap::new(), ready: Default::default(), waiting: [0; 4], bytes: 0 }
    }

    /// From now on this much may wait; what waits already stays.
    pub(crate) fn bound(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.iter().sum()
    }

    /// Puts something behind all others of its line.
    ///
    /// # Errors
    /// [`Full`].
    pub(crate) fn push(&mut self, line: &K, item: Item<T>) -> Result<(), Full> {
        let Item { kind, bytes, .. } = item;
        let in_line = self.lines.get(line).map_or(0, |line| line.waiting.len());
        let are_too_many = kind != Kind::Connect && self.waiting[kind as usize] >= self.bounds.hooks;
        if are_too_many || kind == Kind::Event && self.bytes + bytes > self.bounds.bytes {
            return Err(Full::Queue);
        }
        if kind == Kind::Event && in_line >= self.bounds.per_line {
            return Err(Full::Line);
        }
        self.add(line, item, VecDeque::push_back);
        Ok(())
    }

    /// Puts something that had gone before all others of its line; it is open no longer.
    pub(crate) fn put_back(&mut self, line: &K, item: Item<T>) {
        self.add(line, item, VecDeque::push_front);
        self.close(line);
    }

    fn add(&mut self, line: &K, item: Item<T>, add: impl Fn(&mut VecDeque<Item<T>>, Item<T>)) {
        self.waiting[item.kind as usize] += 1;
        self.bytes += item.bytes;
        let empty = || Line { waiting: VecDeque::new(), open: 0, ready: None };
        add(&mut self.lines.entry(line.clone()).or_insert_with(empty).waiting, item);
        self.look(line);
    }

    /// Whether one of this kind may go.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        !self.ready[kind as usize].is_empty()
    }

    /// Lets one of this kind go. It is open until its line is told so.
    pub(crate) fn pop(&mut self, kind: Kind) -> Option<(K, Item<T>)> {
        loop {
            let name = self.ready[kind as usize].pop_front()?;
            // It may have had another turn since.
            let Some(line) = self.lines.get_mut(&name).filter(|line| line.ready == Some(kind)) else { continue };
            line.ready = None;
            // Something else may have been put before it.
            if line.next(self.bounds.is_ordered) != Some(kind) {
                self.look(&name);
                continue;
            }
            let item = line.waiting.pop_front().expect("a line that is ready has somebody waiting");
            line.open += 1;
            self.waiting[item.kind as usize] -= 1;
            self.bytes -= item.bytes;
            self.look(&name);
            return Some((name, item));
        }
    }

    /// What had gone has come to its end.
    pub(crate) fn close(&mut self, line: &K) {
        let found = self.lines.get_mut(line).expect("a line is there while something of it is open");
        found.open -= 1;
        if found.open == 0 && found.waiting.is_empty() {
            self.lines.remove(line);
        } else {
            self.look(line);
        }
    }

    /// Gives a line its turn if its first one may go.
    fn look(&mut self, name: &K) {
        let line = self.lines.get_mut(name).expect("looked at while it is there");
        if let Some(kind) = line.next(self.bounds.is_ordered).filter(|kind| line.ready != Some(*kind)) {
            line.ready = Some(kind);
            self.ready[kind as usize].push_back(name.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Kind::{Blip, Connect, Disconnect, Event};

    const BOUNDS: Bounds = Bounds { hooks: 100, per_line: 100, bytes: 1000, is_ordered: true };

    type Names = Queue<&'static str, &'static str>;

    fn push(queue: &mut Names, line: &'static str, kind: Kind, job: &'static str) -> Result<(), Full> {
        queue.push(&line, Item { kind, bytes: if kind == Event { job.len() } else { 0 }, job })
    }

    fn pop(queue: &mut Names, kind: Kind) -> Option<&'static str> {
        queue.pop(kind).map(|(_, item)| item.job)
    }

    #[test]
    fn lines_take_turns_and_each_has_one_open() {
        let mut queue = Names::new(BOUNDS);
        for (line, job) in [("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1"), ("b", "b2"), ("c", "c1")] {
            push(&mut queue, line, Event, job).expect("room");
        }
        let popped: Vec<_> = std::iter::from_fn(|| pop(&mut queue, Event)).collect();
        assert_eq!(popped, ["a1", "b1", "c1"]);
        queue.close(&"b");
        queue.close(&"a");
        assert_eq!(
            [pop(&mut queue, Event), pop(&mut queue, Event), pop(&mut queue, Event)],
            [Some("b2"), Some("a2"), None]
        );
        for line in ["a", "b", "c"] {
            queue.close(&line);
        }
        assert_eq!(pop(&mut queue, Event), Some("a3"));
        queue.close(&"a");
        assert_eq!((queue.len(), queue.bytes, queue.lines.len()), (0, 0, 0));
    }

    #[test]
    fn without_order_events_go_at_once_and_all_else_alone() {
        let mut queue = Names::new(Bounds { is_ordered: false, ..BOUNDS });
        for (kind, job) in [(Event, "e1"), (Event, "e2"), (Disconnect, "d"), (Connect, "c"), (Event, "e3")] {
            push(&mut queue, "a", kind, job).expect("room");
        }
        assert_eq!(
            [pop(&mut queue, Event), pop(&mut queue, Event), pop(&mut queue, Event)],
            [Some("e1"), Some("e2"), None]
        );
        assert_eq!(pop(&mut queue, Blip), None, "events before it are open");
        queue.close(&"a");
        assert_eq!(pop(&mut queue, Blip), None);
        queue.close(&"a");
        assert_eq!(pop(&mut queue, Blip), Some("d"));
        assert_eq!(pop(&mut queue, Connect), None, "it comes behind the end of the stay before");
        queue.close(&"a");
        assert_eq!([pop(&mut queue, Connect), pop(&mut queue, Event)], [Some("c"), Some("e3")]);
    }

    #[test]
    fn what_is_put_back_is_the_next_one() {
        for is_ordered in [true, false] {
            let mut queue = Names::new(Bounds { is_ordered, ..BOUNDS });
            for (kind, job) in [(Event, "e1"), (Disconnect, "d"), (Connect, "c")] {
                push(&mut queue, "a", kind, job).expect("room");
            }
            assert_eq!(pop(&mut queue, Event), Some("e1"));
            queue.put_back(&"a", Item { kind: Event, bytes: 2, job: "e1" });
            assert!(!queue.has(Blip));
            assert_eq!(pop(&mut queue, Event), Some("e1"));
            queue.close(&"a");
            assert_eq!(pop(&mut queue, Blip), Some("d"));
            queue.put_back(&"a", Item { kind: Disconnect, bytes: 1, job: "d" });
            assert_eq!([pop(&mut queue, Connect), pop(&mut queue, Blip)], [None, Some("d")]);
            queue.close(&"a");
            assert_eq!(pop(&mut queue, Connect), Some("c"));
        }
    }

    #[test]
    fn a_disconnect_that_something_comes_behind_has_another_turn() {
        let mut queue = Names::new(BOUNDS);
        for (line, kind, job) in [("a", Disconnect, "a1"), ("b", Disconnect, "b1"), ("a", Connect, "a2")] {
            push(&mut queue, line, kind, job).expect("room");
        }
        assert_eq!([pop(&mut queue, Connect), pop(&mut queue, Blip), pop(&mut queue, Blip)], [None, Some("a1"), None]);
        queue.close(&"a");
        assert_eq!(pop(&mut queue, Connect), Some("a2"));
        queue.close(&"a");
        assert_eq!([pop(&mut queue, Disconnect), pop(&mut queue, Disconnect)], [Some("b1"), None]);
        queue.close(&"b");
        assert_eq!((queue.len(), queue.bytes, queue.lines.len()), (0, 0, 0));
    }

    #[test]
    fn what_waits_is_bounded_in_all_of_each_line_and_in_bytes() {
        let mut queue = Names::new(Bounds { hooks: 3, per_line: 2, bytes: 10, is_ordered: true });
        assert_eq!(push(&mut queue, "a", Event, "11"), Ok(()));
        assert_eq!(push(&mut queue, "a", Event, "22"), Ok(()));
        assert_eq!(push(&mut queue, "a", Event, "33"), Err(Full::Line));
        assert_eq!(push(&mut queue, "b", Event, "33"), Ok(()));
        assert_eq!(push(&mut queue, "c", Event, "44"), Err(Full::Queue));
        assert_eq!(push(&mut queue, "a", Disconnect, "dddd"), Ok(()), "disconnects are counted apart");
        for _ in 0..10 {
            assert_eq!(push(&mut queue, "d", Connect, "cccc"), Ok(()), "of these there are as many as connections");
        }
        assert_eq!(queue.len(), 14);
        // What goes makes room.
        assert_eq!(pop(&mut queue, Event), Some("11"));
        assert_eq!(push(&mut queue, "c", Event, "4444444"), Err(Full::Queue), "too many bytes");
        assert_eq!(push(&mut queue, "c", Event, "444444"), Ok(()));
        // With fewer than wait already, disconnects are not refused.
        queue.bound(Bounds { bytes: 1, ..queue.bounds });
        assert_eq!(push(&mut queue, "d", Disconnect, "d"), Ok(()));
        assert_eq!(queue.waiting, [10, 3, 2, 0]);
    }
}
