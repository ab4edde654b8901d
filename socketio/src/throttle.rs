//! What it is: `Throttle`, how often events of one name are sent to one room, and what of them waits.
//! What it is not: a timer; the time is an argument, and a namespace's `emission` has a task while something waits.
//! Who calls it: `namespace` takes the rules from the application; `emission` asks about each broadcast.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    glob::Globs,
    room_rules::RoomRules,
    rooms::Room,
    target::{Event, Target},
    watch::Watch,
};

/// Most rooms and names of one namespace whose interval lasts; more events are sent as they are emitted, so that names
/// of rooms that clients choose cost no more.
const MAX_SLOTS: usize = 10_000;

/// How often events of one name are sent to one room: see
/// [`Namespace::room_throttle`](crate::Namespace::room_throttle).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttle {
    /// Least time from one event to the next one of its name, unless it goes ahead of an event of another name. Default
    /// 100 ms.
    pub interval: Duration,
    /// Which events wait: names, or globs in which `*` stands for any characters. Default `["*"]`: all.
    pub events: Vec<String>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { interval: Duration::from_millis(100), events: vec!["*".into()] }
    }
}

/// A throttle as it is asked for.
#[derive(Debug)]
pub(crate) struct ThrottleRule {
    interval: Duration,
    events: Globs,
}

/// Which rooms of a namespace are throttled.
pub(crate) type ThrottleRules = RoomRules<ThrottleRule>;

impl From<Throttle> for ThrottleRule {
    fn from(Throttle { interval, events }: Throttle) -> Self {
        Self { interval, events: Globs::new(&events) }
    }
}

/// An event that waits, and how it is to be sent.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) target: Target,
    pub(crate) event: Event,
    pub(crate) volatile: bool,
}

/// What is to be done with an event.
#[derive(Debug)]
pub(crate) enum Offered {
    /// It is to be sent now, behind these, which waited.
    Send(Vec<Waiting>),
    /// It waits. `poll` is to be called at this time, unless somebody does before.
    Waits(Option<Instant>),
}

/// What waits in one namespace.
///
/// ```text
/// no slot -- an event is sent --> an interval lasts -- its end ----------------------------------> no slot
///                                   |  ^  of its name another event: waits, in place of the one before
///                                   |  +-- its end, or another event is sent to the same rooms: --+
///                                   |      what waits there is sent, in its order, and intervals  |
///                                   |      begin anew                                             |
///                                   +-------------------------------------------------------------+
/// ```
#[derive(Debug)]
pub(crate) struct Throttled {
    rules: Arc<ThrottleRules>,
    slots: BTreeMap<Key, Slot>,
    /// When each interval ends.
    ends: BTreeSet<(Instant, Key)>,
    /// When `poll` is called.
    watch: Watch,
    /// How many events wait.
    waiting: usize,
    /// The number of the next event that waits.
    next: u64,
}

/// To which rooms, and the name.
type Key = (Vec<Room>, Arc<str>);

/// An interval that lasts.
#[derive(Debug)]
struct Slot {
    interval: Duration,
    end: Instant,
    /// The latest event since it began, and its number.
    waiting: Option<(u64, Waiting)>,
}

impl Throttled {
    /// `None` when nothing has to wait.
    pub(crate) fn new(rules: Arc<ThrottleRules>) -> Option<Self> {
        let (slots, ends, watch) = (BTreeMap::new(), BTreeSet::new(), Watch::default());
        (!rules.is_empty()).then(|| Self { rules, slots, ends, watch, waiting: 0, next: 0 })
    }

    /// An event is emitted.
    pub(crate) fn offer(&mut self, target: &Target, event: &Event, volatile: bool, now: Instant) -> Offered {
        let Some(name) = &event.name else { return Offered::Send(Vec::new()) };
        let interval = self.interval(target, name);
        if interval.is_none() && self.waiting == 0 {
            return Offered::Send(Vec::new());
        }
        let mut key = (target.rooms.clone(), name.clone());
        key.0.sort();
        self.free(now);
        if let Some(slot) = self.slots.get_mut(&key).filter(|_| interval.is_some()) {
            let waiting = Waiting { target: target.clone(), event: event.clone(), volatile };
            self.waiting += usize::from(slot.waiting.replace((self.next, waiting)).is_none());
            self.next += 1;
            return Offered::Waits(self.watch());
        }
        let ahead = self.take(&key.0, now);
        if let Some(interval) = interval.filter(|_| self.slots.len() < MAX_SLOTS) {
            self.begin(key, interval, now);
        }
        Offered::Send(ahead)
    }

    /// What is to be sent now, and when to come again, if an interval lasts for which nobody comes.
    pub(crate) fn poll(&mut self, now: Instant) -> (Vec<Waiting>, Option<Instant>) {
        let mut due = Vec::new();
        while let Some((at, key)) = self.ends.first()
            && *at <= now
        {
            let rooms = key.0.clone();
            if self.slots.get(key).is_some_and(|slot| slot.waiting.is_some()) {
                due.extend(self.take(&rooms, now));
            } else if let Some((_, key)) = self.ends.pop_first() {
                self.slots.remove(&key);
            }
        }
        self.watch.pass(now);
        (due, self.watch())
    }

    /// When `poll` is to be called for the interval that ends first.
    fn watch(&mut self) -> Option<Instant> {
        let (at, _) = self.ends.first()?;
        self.watch.at(*at)
    }

    /// All that waits, to be sent now.
    pub(crate) fn flush(&mut self) -> Vec<Waiting> {
        self.waiting = 0;
        in_order(self.slots.values_mut().filter_map(|slot| slot.waiting.take()).collect())
    }

    /// All that waits for these rooms, to be sent now.
    fn take(&mut self, rooms: &Vec<Room>, now: Instant) -> Vec<Waiting> {
        if self.waiting == 0 {
            return Vec::new();
        }
        let of_these = self.slots.range((rooms.clone(), "".into())..).take_while(|((found, _), _)| found == rooms);
        let waiting = of_these.filter(|(_, slot)| slot.waiting.is_some());
        let keys: Vec<Key> = waiting.map(|(key, _)| key.clone()).collect();
        let mut taken = Vec::new();
        for key in keys {
            let Some(Slot { interval, end, waiting }) = self.slots.remove(&key) else { continue };
            taken.extend(waiting);
            let ended = (end, key);
            self.ends.remove(&ended);
            self.begin(ended.1, interval, now);
        }
        self.waiting -= taken.len();
        in_order(taken)
    }

    /// How long such an event holds back others.
    fn interval(&self, target: &Target, name: &str) -> Option<Duration> {
        let holds = |room: Option<&Room>| {
            let rule = self.rules.of(room.map(Room::as_str))?;
            rule.events.match_any(name).then_some(rule.interval)
        };
        match target.rooms.as_slice() {
            [] => holds(None),
            rooms => rooms.iter().find_map(|room| holds(Some(room))),
        }
    }

    /// An event is sent: an interval begins.
    fn begin(&mut self, key: Key, interval: Duration, now: Instant) {
        // One that does not end in the time that there is holds nothing back, nor does one of no time.
        let Some(end) = now.checked_add(interval).filter(|end| *end > now) else { return };
        self.ends.insert((end, key.clone()));
        self.slots.insert(key, Slot { interval, end, waiting: None });
    }

    /// Forgets intervals that have ended, and in which nothing came.
    fn free(&mut self, now: Instant) {
        while let Some((at, key)) = self.ends.first()
            && *at <= now
            && self.slots.get(key).is_some_and(|slot| slot.waiting.is_none())
        {
            let (_, key) = self.ends.pop_first().expect("there is a first");
            self.slots.remove(&key);
        }
    }
}

/// What waited, in the order in which it was emitted.
fn in_order(mut waiting: Vec<(u64, Waiting)>) -> Vec<Waiting> {
    waiting.sort_unstable_by_key(|(number, _)| *number);
    waiting.into_iter().map(|(_, waiting)| waiting).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::Parser;

    fn throttled() -> Throttled {
        let mut rules = ThrottleRules::default();
        let every = |milliseconds, event: &str| Throttle {
            interval: Duration::from_millis(milliseconds),
            events: vec![event.into()],
        };
        rules.add_room("r*", every(100, "e*").into());
        rules.add_room("s", every(1000, "*").into());
        rules.set_namespace(every(0, "*").into());
        Throttled::new(Arc::new(rules)).expect("there are rules")
    }

    #[derive(Debug, PartialEq)]
    enum Shown {
        Send,
        Behind(String),
        Waits(Option<Instant>),
    }

    /// Offers an event with an argument, by which it is told from others.
    fn offer(throttled: &mut Throttled, rooms: &[&str], name: &str, arg: &str, now: Instant) -> Shown {
        let target = Target { rooms: rooms.iter().map(|room| Room::from(*room)).collect(), except: Vec::new() };
        let encoded = Parser::Default.event("/", name, arg, None).expect("an event");
        let event = Event { name: Some(name.into()), unkept: false, encoded, received: None };
        match throttled.offer(&target, &event, false, now) {
            Offered::Send(ahead) if ahead.is_empty() => Shown::Send,
            Offered::Send(ahead) => Shown::Behind(args(&ahead).join(" ")),
            Offered::Waits(at) => Shown::Waits(at),
        }
    }

    fn args(due: &[Waiting]) -> Vec<String> {
        due.iter().map(|waiting| waiting.event.encoded.args().read().expect("a string")).collect()
    }

    #[test]
    fn the_latest_is_sent_when_the_interval_ends() {
        use Shown::{Behind, Send, Waits};
        let (mut throttled, start) = (throttled(), Instant::now());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let rows: [(u64, &[&str], &str, Shown); 13] = [
            (0, &["r"], "e", Send),
            (10, &["r"], "e", Waits(Some(at(100)))),
            (20, &["r"], "e", Waits(None)),
            (20, &["r2"], "e", Send),
            (20, &["r"], "other", Behind("2".into())),
            (20, &["r"], "other", Send),
            (20, &["r", "s"], "e", Send),
            (25, &["r"], "e", Waits(None)),
            (30, &["s", "r"], "e", Waits(None)),
            (30, &["r"], "e2", Behind("7".into())),
            (30, &["s"], "e", Send),
            (30, &[], "e", Send),
            (30, &[], "e", Send),
        ];
        for (number, (milliseconds, rooms, name, expected)) in rows.into_iter().enumerate() {
            let offered = offer(&mut throttled, rooms, name, &number.to_string(), at(milliseconds));
            assert_eq!(offered, expected, "row {number}");
        }
        let mut polled = |milliseconds| {
            let (due, next) = throttled.poll(at(milliseconds));
            (args(&due).join(" "), next)
        };
        assert_eq!(polled(99), (String::new(), None), "somebody comes at 100");
        assert_eq!(polled(100), (String::new(), Some(at(120))), "what waited was sent ahead of others");
        assert_eq!(polled(120), ("8".into(), Some(at(130))), "the interval of both rooms ends by its first rule");
        assert_eq!(polled(250), (String::new(), Some(at(1030))));
        assert_eq!(polled(1030), (String::new(), None));
        assert!(throttled.slots.is_empty());
        assert_eq!(offer(&mut throttled, &["r"], "e", "", at(2000)), Send);
        assert_eq!(offer(&mut throttled, &["r"], "e", "", at(2100)), Send, "nobody polled");
        assert_eq!(offer(&mut throttled, &["r"], "e", "last", at(2150)), Waits(Some(at(2200))));
        assert_eq!(args(&throttled.flush()), ["last"]);
        assert_eq!(offer(&mut throttled, &["r"], "e", "", at(2160)), Waits(None));
    }

    #[test]
    fn what_waits_for_the_same_rooms_keeps_its_order() {
        use Shown::{Behind, Send, Waits};
        let (mut throttled, start) = (throttled(), Instant::now());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        for (milliseconds, name, arg, expected) in [
            (0, "e1", "", Send),
            (10, "e2", "", Send),
            (20, "e2", "first", Waits(Some(at(100)))),
            (30, "e1", "second", Waits(None)),
        ] {
            assert_eq!(offer(&mut throttled, &["r"], name, arg, at(milliseconds)), expected);
        }
        assert_eq!(args(&throttled.poll(at(100)).0), ["first", "second"], "with the one whose interval has ended");
        assert_eq!(offer(&mut throttled, &["r"], "e1", "third", at(110)), Waits(None));
        assert_eq!(offer(&mut throttled, &["r"], "e2", "fourth", at(120)), Waits(None));
        assert_eq!(offer(&mut throttled, &["r"], "other", "", at(130)), Behind("third fourth".into()));
        assert_eq!(offer(&mut throttled, &["r"], "e1", "fifth", at(220)), Waits(None), "its interval began anew");
        assert!(throttled.poll(at(200)).0.is_empty());
        assert_eq!((args(&throttled.poll(at(230)).0), throttled.waiting), (vec!["fifth".into()], 0));
    }

    #[test]
    fn a_short_interval_does_not_wait_for_a_longer_one() {
        use Shown::{Send, Waits};
        let (mut throttled, start) = (throttled(), Instant::now());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!(offer(&mut throttled, &["s"], "e", "", at(0)), Send);
        assert_eq!(offer(&mut throttled, &["s"], "e", "long", at(1)), Waits(Some(at(1000))));
        assert_eq!(offer(&mut throttled, &["r"], "e", "", at(2)), Send);
        assert_eq!(offer(&mut throttled, &["r"], "e", "short", at(3)), Waits(Some(at(102))));
        let mut polled = |milliseconds| {
            let (due, next) = throttled.poll(at(milliseconds));
            (args(&due).join(" "), next)
        };
        assert_eq!(polled(102), ("short".into(), Some(at(202))));
        assert_eq!(polled(202), (String::new(), None), "somebody comes at 1000");
        assert_eq!(polled(1000), ("long".into(), Some(at(2000))));
    }

    #[test]
    fn intervals_that_last_are_bounded() {
        let (mut throttled, now) = (throttled(), Instant::now());
        for number in 0..MAX_SLOTS + 10 {
            assert_eq!(offer(&mut throttled, &[&format!("r{number}")], "e", "", now), Shown::Send);
        }
        assert_eq!(throttled.slots.len(), MAX_SLOTS);
        let last = format!("r{}", MAX_SLOTS + 5);
        assert_eq!(offer(&mut throttled, &[&last], "e", "", now), Shown::Send, "it was too many");
        assert_eq!(offer(&mut throttled, &["r"], "e", "", now + Duration::from_secs(1)), Shown::Send);
        assert_eq!(throttled.slots.len(), 1);
    }
}
