//! What it is: what rooms keep of their events, in all namespaces of a server, within one bound.
//! What it is not: what clients that come back have missed; that is a namespace's `history`.
//! Who calls it: a namespace's `hub`, by the `Keeper` that it has if the application wants this.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    args::Args,
    parser::Encoded,
    room_history::{HistoryMode, HistoryRule, HistoryRules, RoomHistory},
    rooms::Room,
    target::{Event, Target},
};

/// An event that a room keeps, see [`Broadcast::history`](crate::Broadcast::history).
#[derive(Debug, Clone)]
pub struct HistoryEntry {
    /// Its name.
    pub event: Arc<str>,
    /// Its arguments.
    pub args: Args,
    /// When it was emitted.
    pub at: Instant,
}

/// What one namespace does with what is kept.
#[derive(Debug)]
pub(crate) struct Keeper {
    rules: Arc<HistoryRules>,
    histories: Arc<Histories>,
    /// Which of the server's namespaces this is.
    namespace: u64,
    /// Held while an event is kept and sent, and while a socket is sent what is kept and enters the room: so it gets
    /// each event once, and in order. Taken behind the recovery's lock and before a peer's.
    turn: Mutex<()>,
}

/// While it is there, nothing is kept and nobody joins.
pub(crate) type Turn<'a> = MutexGuard<'a, ()>;

impl Keeper {
    /// `None` when nothing is to be kept.
    pub(crate) fn new(rules: Arc<HistoryRules>, histories: Arc<Histories>) -> Option<Self> {
        let namespace = histories.namespaces.fetch_add(1, Ordering::Relaxed);
        (!rules.is_empty()).then(|| Self { rules, histories, namespace, turn: Mutex::default() })
    }

    pub(crate) fn turn(&self) -> Turn<'_> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn, if somebody who joins these rooms may be sent something.
    pub(crate) fn turn_for(&self, rooms: &[Room]) -> Option<Turn<'_>> {
        rooms.iter().any(|room| self.rules.of(Some(room.as_str())).is_some()).then(|| self.turn())
    }

    /// Keeps an event that is about to be sent, under the turn that is returned; `None` when it is not one to be kept.
    pub(crate) fn keep(&self, target: &Target, event: &Event, now: Instant) -> Option<Turn<'_>> {
        let name = event.name.as_ref().filter(|_| event.encoded.is_recoverable() && !event.unkept)?;
        let places =
            self.places(meant(&target.rooms)).filter(|(rule, _)| rule.events.match_any(name)).collect::<Vec<_>>();
        if places.is_empty() {
            return None;
        }
        let turn = self.turn();
        let mut store = self.histories.store();
        store.next += 1;
        let number = store.next;
        for (rule, place) in places {
            let entry = Entry {
                number,
                at: now,
                name: name.clone(),
                event: event.encoded.clone(),
                except: target.except.clone(),
            };
            store.push(place, entry, &rule.options, self.histories.max_bytes);
        }
        Some(turn)
    }

    /// What somebody is sent who joins these rooms, `None` for the namespace: oldest first, each once, without what was
    /// not for a member of the rooms that `is_in` says. The turn is held meanwhile, and until it has joined.
    pub(crate) fn replay<'a>(
        &self,
        joined: impl Iterator<Item = Option<&'a Room>>,
        is_in: impl Fn(&Room) -> bool,
        now: Instant,
    ) -> Vec<Encoded> {
        let mut store = self.histories.store();
        let mut found = BTreeMap::new();
        for (rule, place) in self.places(joined) {
            let Some(kept) = store.at(&place, now, &rule.options) else { continue };
            let few = kept.events.len() - rule.options.replay.unwrap_or(usize::MAX).min(kept.events.len());
            let events = kept.events.range(few..).filter(|entry| !entry.except.iter().any(&is_in));
            found.extend(events.map(|entry| (entry.number, entry.event.clone())));
            store.touch(&place);
        }
        found.into_values().collect()
    }

    /// All that these rooms keep, or the namespace if there are none: oldest first, each once.
    pub(crate) fn entries(&self, rooms: &[Room], now: Instant) -> Vec<HistoryEntry> {
        let mut store = self.histories.store();
        let mut found = BTreeMap::new();
        for (rule, place) in self.places(meant(rooms)) {
            let entries = store.at(&place, now, &rule.options).into_iter().flat_map(|kept| &kept.events);
            found.extend(entries.map(|entry| (entry.number, entry.clone())));
        }
        drop(store);
        let read = |Entry { name, event, at, .. }: Entry| HistoryEntry { event: name, args: event.args(), at };
        found.into_values().map(read).collect()
    }

    /// Forgets all of it.
    pub(crate) fn clear(&self, rooms: &[Room]) {
        let _turn = self.turn();
        let mut store = self.histories.store();
        for (_, place) in self.places(meant(rooms)) {
            store.remove(&place);
        }
    }

    /// The places of these rooms that have a rule.
    fn places<'a, 'r>(
        &'a self,
        rooms: impl Iterator<Item = Option<&'r Room>>,
    ) -> impl Iterator<Item = (&'a HistoryRule, Place)> {
        rooms.filter_map(|room| {
            let rule = self.rules.of(room.map(Room::as_str))?;
            Some((rule, Place { namespace: self.namespace, room: room.cloned() }))
        })
    }
}

/// These rooms; the namespace if there are none.
fn meant(rooms: &[Room]) -> impl Iterator<Item = Option<&Room>> {
    rooms.is_empty().then_some(None).into_iter().chain(rooms.iter().map(Some))
}

/// With its namespace goes what that keeps.
impl Drop for Keeper {
    fn drop(&mut self) {
        let mut store = self.histories.store();
        let first = Place { namespace: self.namespace, room: None };
        let of_it = store.kept.range(first..).take_while(|(place, _)| place.namespace == self.namespace);
        let places: Vec<Place> = of_it.map(|(place, _)| place.clone()).collect();
        places.iter().for_each(|place| store.remove(place));
    }
}

/// What is kept in all namespaces of a server.
#[derive(Debug)]
pub(crate) struct Histories {
    max_bytes: usize,
    /// How many namespaces there have been.
    namespaces: AtomicU64,
    /// Taken for a few steps, behind all other locks.
    store: Mutex<Store>,
}

impl Histories {
    /// Of more bytes than these, those rooms forget that were not emitted to, or joined, for longest.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, namespaces: AtomicU64::new(0), store: Mutex::default() }
    }

    /// What is kept takes so many.
    pub(crate) fn bytes(&self) -> usize {
        self.store().bytes
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A room of a namespace; without a room, all of that namespace. Those of one namespace come one behind the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    namespace: u64,
    room: Option<Room>,
}

#[derive(Debug, Default)]
struct Store {
    kept: BTreeMap<Place, Kept>,
    /// All places by when they were used last, in the order of that.
    used: BTreeMap<u64, Place>,
    /// The number of the last event or use.
    next: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    /// Oldest first.
    events: VecDeque<Entry>,
    bytes: usize,
    used: u64,
    ttl: Duration,
}

#[derive(Debug, Clone)]
struct Entry {
    /// The same in all rooms that it was emitted to.
    number: u64,
    at: Instant,
    name: Arc<str>,
    event: Encoded,
    except: Vec<Room>,
}

impl Entry {
    /// About what it takes, in bytes.
    fn size(&self) -> usize {
        let except = self.except.iter().map(|room| size_of::<Room>() + room.as_str().len());
        size_of::<Self>() + self.name.len() + self.event.size() + except.sum::<usize>()
    }
}

impl Place {
    /// About what it takes that a place keeps anything, in bytes: its name is in two tables.
    fn size(&self) -> usize {
        2 * size_of::<Self>() + size_of::<Kept>() + self.room.as_ref().map_or(0, |room| room.as_str().len())
    }
}

impl Store {
    fn push(&mut self, place: Place, entry: Entry, options: &RoomHistory, max_bytes: usize) {
        let now = entry.at;
        if !self.kept.contains_key(&place) {
            self.bytes += place.size();
            let kept = Kept { events: VecDeque::new(), bytes: 0, used: 0, ttl: options.ttl };
            self.kept.insert(place.clone(), kept);
        }
        self.touch(&place);
        let kept = self.kept.get_mut(&place).expect("it was inserted");
        self.bytes -= kept.bytes;
        if options.mode == HistoryMode::Last
            && let Some(before) = kept.events.iter().position(|before| before.name == entry.name)
            && let Some(before) = kept.events.remove(before)
        {
            kept.bytes -= before.size();
        }
        kept.bytes += entry.size();
        kept.events.push_back(entry);
        kept.forget(now, options);
        self.bytes += kept.bytes;
        if kept.events.is_empty() {
            self.remove(&place);
        }
        self.make_room(max_bytes, now);
    }

    /// Frees what is too much, and what nobody used since it became too old.
    fn make_room(&mut self, max_bytes: usize, now: Instant) {
        while let Some((_, place)) = self.used.first_key_value() {
            let is_over = self.kept[place].events.back().is_none_or(|entry| entry.is_older(self.kept[place].ttl, now));
            if self.bytes <= max_bytes && !is_over {
                return;
            }
            let place = place.clone();
            self.remove(&place);
        }
    }

    /// What a place keeps that is not too old.
    fn at(&mut self, place: &Place, now: Instant, options: &RoomHistory) -> Option<&Kept> {
        let kept = self.kept.get_mut(place)?;
        let bytes = kept.bytes;
        kept.forget(now, options);
        self.bytes -= bytes - kept.bytes;
        if kept.events.is_empty() {
            self.remove(place);
        }
        self.kept.get(place)
    }

    /// It is used now.
    fn touch(&mut self, place: &Place) {
        let Some(kept) = self.kept.get_mut(place) else { return };
        self.next += 1;
        self.used.remove(&kept.used);
        kept.used = self.next;
        self.used.insert(self.next, place.clone());
    }

    fn remove(&mut self, place: &Place) {
        let Some(kept) = self.kept.remove(place) else { return };
        self.bytes -= kept.bytes + place.size();
        self.used.remove(&kept.used);
    }
}

impl Kept {
    /// Forgets what is too old, or too much.
    fn forget(&mut self, now: Instant, options: &RoomHistory) {
        while let Some(entry) = self.events.front() {
            let is_too_much = self.events.len() > options.max_events || self.bytes > options.max_bytes;
            if !is_too_much && !entry.is_older(self.ttl, now) {
                break;
            }
            self.bytes -= entry.size();
            self.events.pop_front();
        }
    }
}

impl Entry {
    fn is_older(&self, ttl: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.at) > ttl
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::Parser;

    const SECOND: Duration = Duration::from_secs(1);

    fn keeper(options: RoomHistory, histories: &Arc<Histories>) -> Keeper {
        let mut rules = HistoryRules::default();
        rules.add_room("*", options.into());
        Keeper::new(Arc::new(rules), histories.clone()).expect("there is a rule")
    }

    fn keep(keeper: &Keeper, rooms: &[&str], name: &str, args: &str, now: Instant) {
        let rooms = rooms.iter().map(|room| Room::from(*room)).collect();
        let encoded = Parser::Default.event("/", name, args, None).expect("an event");
        let event = Event { name: Some(name.into()), unkept: false, encoded, received: None };
        keeper.keep(&Target { rooms, except: Vec::new() }, &event, now);
    }

    /// The arguments of what is kept.
    fn kept(keeper: &Keeper, rooms: &[&str], now: Instant) -> String {
        let rooms: Vec<Room> = rooms.iter().map(|room| Room::from(*room)).collect();
        let entries = keeper.entries(&rooms, now);
        entries.iter().map(|entry| entry.args.read::<String>().expect("a string")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn too_many_too_old_and_too_large_ones_go() {
        let start = Instant::now();
        let histories = Arc::new(Histories::new(usize::MAX));
        let rows = [
            (RoomHistory { max_events: 2, ..RoomHistory::default() }, "2 3"),
            (RoomHistory { ttl: 2 * SECOND, ..RoomHistory::default() }, "2 3"),
            (RoomHistory { max_bytes: 0, ..RoomHistory::default() }, ""),
            (RoomHistory { mode: HistoryMode::Last, ..RoomHistory::default() }, "2 3"),
            (RoomHistory { events: vec!["e".into()], ..RoomHistory::default() }, "1 3"),
        ];
        for (options, expected) in rows {
            let keeper = keeper(options.clone(), &histories);
            for (at, name) in ["e", "f", "e"].into_iter().enumerate() {
                keep(&keeper, &["r"], name, &(at + 1).to_string(), start + at as u32 * SECOND);
            }
            assert_eq!(kept(&keeper, &["r"], start + 3 * SECOND), expected, "{options:?}");
            assert_eq!(kept(&keeper, &["r"], start + 1000 * SECOND), "");
        }
        let store = histories.store();
        assert_eq!((store.bytes, store.kept.len(), store.used.len()), (0, 0, 0), "keepers take theirs along");
    }

    #[test]
    fn rooms_that_are_not_used_make_room_for_others() {
        let (start, long) = (Instant::now(), "x".repeat(100));
        let histories = Arc::new(Histories::new(1500));
        let (one, other) = (keeper(RoomHistory::default(), &histories), keeper(RoomHistory::default(), &histories));
        keep(&one, &["a"], "e", &long, start);
        keep(&one, &["b"], "e", &long, start);
        assert_eq!(one.replay([Some(&"a".into())].into_iter(), |_| false, start).len(), 1, "it is used");
        keep(&other, &["a"], "e", &long.repeat(5), start);
        assert_eq!((kept(&one, &["a"], start), kept(&one, &["b"], start)), (long, String::new()));
        keep(&other, &["a"], "e", &"x".repeat(5000), start);
        assert_eq!(histories.store().bytes, 0, "what is too large by itself is not kept either");
        keep(&one, &["old"], "e", "1", start);
        keep(&one, &["new"], "e", "2", start + 1000 * SECOND);
        assert_eq!(histories.store().kept.len(), 1, "what is too old goes with the next event");
        one.clear(&["new".into()]);
        assert_eq!(histories.store().bytes, 0);
    }

    #[test]
    fn an_event_for_several_rooms_comes_once() {
        let (start, histories) = (Instant::now(), Arc::new(Histories::new(usize::MAX)));
        let keeper = keeper(RoomHistory { replay: Some(2), ..RoomHistory::default() }, &histories);
        keep(&keeper, &["a"], "e", "1", start);
        keep(&keeper, &["a", "b", "a"], "e", "2", start);
        keep(&keeper, &["b"], "e", "3", start);
        keep(&keeper, &["a"], "e", "4", start);
        assert_eq!(kept(&keeper, &["a", "b"], start), "1 2 3 4");
        let replay = |rooms: &[Room]| keeper.replay(rooms.iter().map(Some), |_| false, start).len();
        assert_eq!((replay(&["a".into()]), replay(&["b".into(), "a".into()])), (2, 3));
    }
}
