//! What it is: what was emitted in one namespace lately, and who was meant: enough to tell what a client missed.
//! What it is not: a queue per client: an event is kept once, however many it was sent to; of what a room keeps, and
//! tells a socket that joins it, there is a reference.
//! Who calls it: `recovery`, in the order in which events are sent.

use std::{
    collections::{HashSet, VecDeque},
    time::{Duration, Instant},
};

use engineio::Sid;

use crate::{id::SocketId, parser::Encoded, rooms::Room};

/// Letters of an offset that say which history it is of: 48 random bits.
const EPOCH_LENGTH: usize = 8;

/// The latest events of a namespace, oldest first, and in between who joined and left rooms. Entries are numbered
/// from 1 on: that is their position.
#[derive(Debug)]
pub(crate) struct History {
    /// Tells this history's offsets from those of another one, such as of the process before this.
    epoch: Box<str>,
    /// The position of the last entry.
    last: u64,
    entries: VecDeque<Entry>,
    bytes: usize,
    max_bytes: usize,
    retention: Duration,
    /// When the newest of the forgotten entries was made.
    forgotten: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    at: Instant,
    what: What,
}

#[derive(Debug)]
enum What {
    /// An event as it is sent, and the rooms that were meant and excepted.
    Emitted {
        event: Encoded,
        rooms: Vec<Room>,
        except: Vec<Room>,
    },
    /// An event that a room keeps, before it is sent to a socket that joins that. Its bytes are the room's.
    Replayed(SocketId, Encoded),
    Joined(SocketId, Room),
    Left(SocketId, Room),
}

/// What a client missed.
#[derive(Debug)]
pub(crate) enum Missed {
    /// As it was sent.
    Sent(Encoded),
    /// As it was before it was sent, at this position.
    Replayed(Encoded, u64),
}

impl Entry {
    /// About what it takes, in bytes. A name counts each time, for the room that shares it may be gone.
    fn size(&self) -> usize {
        let room = |room: &Room| size_of::<Room>() + room.as_str().len();
        size_of::<Self>()
            + match &self.what {
                What::Emitted { event, rooms, except } => {
                    event.size() + rooms.iter().chain(except).map(room).sum::<usize>()
                }
                What::Joined(_, room) | What::Left(_, room) => room.as_str().len(),
                What::Replayed(..) => 0,
            }
    }
}

impl History {
    /// An empty one. Entries are forgotten after `retention`, or for newer ones above `max_bytes`.
    pub(crate) fn new(max_bytes: usize, retention: Duration) -> Self {
        let epoch = Sid::draw().as_str()[..EPOCH_LENGTH].into();
        Self { epoch, last: 0, entries: VecDeque::new(), bytes: 0, max_bytes, retention, forgotten: None }
    }

    /// The position of the last entry.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Keeps an event, as it is to be sent, for the members of `rooms`, or for everybody if there are none, but for
    /// those of `except`.
    pub(crate) fn emit(&mut self, event: Encoded, rooms: Vec<Room>, except: Vec<Room>, now: Instant) {
        self.push(What::Emitted { event, rooms, except }, now);
    }

    /// Keeps that a socket is sent an event of a room, in which that stays for as long as it does there.
    pub(crate) fn replay(&mut self, event: Encoded, id: SocketId, now: Instant) {
        self.push(What::Replayed(id, event), now);
    }

    /// What a client that has seen the entry at this position says.
    pub(crate) fn offset(&self, position: u64) -> String {
        format!("{}.{position}", self.epoch)
    }

    pub(crate) fn join(&mut self, id: SocketId, room: Room, now: Instant) {
        self.push(What::Joined(id, room), now);
    }

    pub(crate) fn leave(&mut self, id: SocketId, room: Room, now: Instant) {
        self.push(What::Left(id, room), now);
    }

    fn push(&mut self, what: What, now: Instant) {
        let entry = Entry { at: now, what };
        self.last += 1;
        self.bytes += entry.size();
        self.entries.push_back(entry);
        self.forget(now);
    }

    /// Forgets what is too old, or too much.
    pub(crate) fn forget(&mut self, now: Instant) {
        while let Some(entry) = self.entries.front() {
            if self.bytes <= self.max_bytes && now.saturating_duration_since(entry.at) <= self.retention {
                break;
            }
            self.forget_first();
        }
    }

    /// Forgets the oldest entries, of so many bytes at least.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let most = self.bytes.saturating_sub(bytes);
        while self.bytes > most {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        self.bytes -= entry.size();
        self.forgotten = Some(entry.at);
    }

    /// About what it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets everything: nobody is left who could ask.
    pub(crate) fn clear(&mut self) {
        if let Some(newest) = self.entries.back() {
            self.forgotten = Some(newest.at);
        }
        (self.entries, self.bytes) = (VecDeque::new(), 0);
    }

    /// The position that an offset stands for. An offset of another history says that nothing of this one was seen: 0.
    /// `None` when it is no offset of ours.
    pub(crate) fn position(&self, offset: &str) -> Option<u64> {
        let (epoch, position) = offset.split_at_checked(EPOCH_LENGTH)?;
        let position = position.strip_prefix('.')?.parse().ok()?;
        match epoch == &*self.epoch {
            true => Some(position).filter(|position| *position <= self.last),
            false => Some(0),
        }
    }

    /// The last position that was taken at this time. `None` when that is forgotten.
    pub(crate) fn position_at(&self, time: Instant) -> Option<u64> {
        let until = self.entries.partition_point(|entry| entry.at <= time);
        let is_known = until > 0 || self.forgotten.is_none_or(|at| at <= time);
        is_known.then(|| self.first() - 1 + until as u64)
    }

    /// Whether nothing behind this position is forgotten.
    pub(crate) fn covers(&self, position: u64) -> bool {
        position + 1 >= self.first()
    }

    /// What a socket would have been sent behind this position: a socket that is in these rooms now, and was in
    /// others before as the entries say. `None` when some of it is forgotten.
    pub(crate) fn missed(&self, position: u64, id: &SocketId, rooms: &[Room]) -> Option<Vec<Missed>> {
        let known = (position + 1).checked_sub(self.first())?;
        let mut member: HashSet<&str> = rooms.iter().map(Room::as_str).chain([id.as_str()]).collect();
        let mut missed = Vec::new();
        // Backwards, as it is the rooms in the end that are known.
        for (entry, position) in self.entries.range(known as usize..).rev().zip((0..=self.last).rev()) {
            match &entry.what {
                What::Joined(who, room) if who == id => {
                    member.remove(room.as_str());
                }
                What::Left(who, room) if who == id => {
                    member.insert(room.as_str());
                }
                What::Replayed(who, event) if who == id => missed.push(Missed::Replayed(event.clone(), position)),
                What::Joined(..) | What::Left(..) | What::Replayed(..) => {}
                What::Emitted { event, rooms, except } => {
                    let is_in = |rooms: &[Room]| rooms.iter().any(|room| member.contains(room.as_str()));
                    if (rooms.is_empty() || is_in(rooms)) && !is_in(except) {
                        missed.push(Missed::Sent(event.clone()));
                    }
                }
            }
        }
        missed.reverse();
        Some(missed)
    }

    /// The position of the first entry that is kept, or would be.
    fn first(&self) -> u64 {
        self.last + 1 - self.entries.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::Parser;

    const SECOND: Duration = Duration::from_secs(1);

    fn event(args: &str) -> Encoded {
        Parser::Default.event("/", "e", args, None).expect("an event")
    }

    /// The arguments of events, with their positions where they were replayed.
    fn args(events: &[Missed]) -> Vec<String> {
        let text = |event: &Encoded| String::from_utf8(event.first.websocket()[3..].into()).expect("text");
        let arg = |event: &Encoded| text(event).split('"').nth(3).expect("an argument").to_owned();
        let shown = |missed: &Missed| match missed {
            Missed::Sent(event) => arg(event),
            Missed::Replayed(event, position) => format!("{} at {position}", arg(event)),
        };
        events.iter().map(shown).collect()
    }

    /// A history of six events, a second apart, and a socket that was in room `a` until the third and then in `b`.
    fn history(max_bytes: usize) -> (History, SocketId, Instant) {
        let (mut history, id, start) = (History::new(max_bytes, 3 * SECOND), SocketId::draw(), Instant::now());
        for (at, (name, rooms)) in
            [("1", vec!["a"]), ("2", vec!["b"]), ("3", vec![]), ("4", vec!["a"]), ("5", vec!["b"]), ("6", vec!["b"])]
                .into_iter()
                .enumerate()
        {
            let now = start + SECOND * at as u32;
            let except = if name == "6" { vec![id.clone().into()] } else { Vec::new() };
            history.emit(event(name), rooms.into_iter().map(Room::from).collect(), except, now);
            if name == "3" {
                history.leave(id.clone(), "a".into(), now);
                history.leave(SocketId::draw(), "b".into(), now);
                history.join(id.clone(), "b".into(), now);
            }
        }
        (history, id, start)
    }

    #[test]
    fn what_was_for_a_socket_is_found_by_its_rooms_then() {
        let (history, id, _start) = history(usize::MAX);
        let missed = |position| history.missed(position, &id, &["b".into()]).as_deref().map(args);
        // Two seconds of six are forgotten, as three are kept.
        assert!(!history.covers(1) && history.covers(2));
        assert_eq!(missed(1), None);
        assert_eq!(missed(2), Some(vec!["3".into(), "5".into()]));
        assert_eq!(missed(3), Some(vec!["5".into()]));
        assert_eq!(missed(history.last()), Some(vec![]));
        assert_eq!(history.last(), 9, "events, joins and leaves");
    }

    #[test]
    fn too_many_bytes_are_forgotten() {
        let (mut history, id, start) = history(0);
        assert!(history.covers(9) && !history.covers(8));
        assert_eq!(history.missed(9, &id, &[]).map(|missed| missed.len()), Some(0));
        assert_eq!(history.bytes, 0);
        history.max_bytes = usize::MAX;
        history.emit(event("7"), vec![], vec![], start + 6 * SECOND);
        assert_eq!(history.missed(9, &id, &[]).as_deref().map(args), Some(vec!["7".into()]));
        history.replay(event("8"), SocketId::draw(), start + 6 * SECOND);
        history.replay(event("9"), id.clone(), start + 6 * SECOND);
        assert_eq!(history.missed(10, &id, &[]).as_deref().map(args), Some(vec!["9 at 12".into()]));
        history.clear();
        assert!((history.bytes, history.last()) == (0, 12) && history.covers(12) && !history.covers(11));
    }

    /// The room may be gone, and each of many was named by a client.
    #[test]
    fn names_of_rooms_count() {
        let mut history = History::new(5_000, SECOND);
        for _ in 0..10 {
            history.join(SocketId::draw(), "r".repeat(1000).into(), Instant::now());
        }
        assert!(history.entries.len() < 5, "{} entries", history.entries.len());
    }

    #[test]
    fn times_have_positions() {
        let (history, _id, start) = history(usize::MAX);
        for (seconds, position) in [(0, None), (1, Some(2)), (2, Some(6)), (3, Some(7)), (5, Some(9)), (9, Some(9))] {
            assert_eq!(history.position_at(start + seconds * SECOND), position, "{seconds} s");
        }
        assert_eq!(History::new(1, SECOND).position_at(start), Some(0));
    }

    #[test]
    fn offsets_are_read() {
        let (history, id, _start) = history(usize::MAX);
        let mut offset = history.offset(9);
        let rows = [
            (&*offset, Some(9)),
            ("elsewher.7", Some(0)),
            (id.as_str(), None),
            ("", None),
            ("elsewher.", None),
            ("elsewher.-1", None),
            ("elsewheé.1", None),
        ];
        for (offset, position) in rows {
            assert_eq!(history.position(offset), position, "{offset:?}");
        }
        offset.push('0');
        assert_eq!(history.position(&offset), None, "to come");
    }
}
