//! What it is: `Throttle`, how often events of one name are sent to one room, and what of them waits.
//! What it is not: a timer; the time is an argument, and a namespace's `emission` has a task while something waits.
//! Who calls it: `namespace` takes the rules from the application; `emission` asks about each broadcast.

use std::{
    collections::{BTreeSet, HashMap},
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
    /// Least time from one event to the next one of its name. Default 100 ms.
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
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    /// It is to be sent now.
    Send,
    /// It waits. `poll` is to be called at this time, unless somebody does before.
    Waits(Option<Instant>),
}

/// What waits in one namespace.
#[derive(Debug)]
pub(crate) struct Throttled {
    rules: Arc<ThrottleRules>,
    slots: HashMap<Key, Slot>,
    /// When each interval ends.
    ends: BTreeSet<(Instant, Key)>,
    /// When `poll` is called.
    watch: Watch,
}

/// To which rooms, and the name.
type Key = (Vec<Room>, Arc<str>);

/// An interval that lasts.
#[derive(Debug)]
struct Slot {
    interval: Duration,
    /// The latest event since it began.
    waiting: Option<Waiting>,
}

impl Throttled {
    /// `None` when nothing has to wait.
    pub(crate) fn new(rules: Arc<ThrottleRules>) -> Option<Self> {
        let (slots, ends, watch) = (HashMap::new(), BTreeSet::new(), Watch::default());
        (!rules.is_empty()).then(|| Self { rules, slots, ends, watch })
    }

    /// An event is emitted.
    pub(crate) fn offer(&mut self, target: &Target, event: &Event, volatile: bool, now: Instant) -> Offered {
        let Some((key, interval)) = self.key(target, event) else { return Offered::Send };
        self.free(now);
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.waiting = Some(Waiting { target: target.clone(), event: event.clone(), volatile });
            return Offered::Waits(self.watch());
        }
        if self.slots.len() < MAX_SLOTS {
            self.begin(key, interval, now);
        }
        Offered::Send
    }

    /// What is to be sent now, and when to come again, if an interval lasts for which nobody comes.
    pub(crate) fn poll(&mut self, now: Instant) -> (Vec<Waiting>, Option<Instant>) {
        let mut due = Vec::new();
        while let Some((at, _)) = self.ends.first()
            && *at <= now
        {
            let (_, key) = self.ends.pop_first().expect("there is a first");
            let Slot { interval, waiting } = self.slots.remove(&key).expect("what ends is there");
            if let Some(waiting) = waiting {
                due.push(waiting);
                self.begin(key, interval, now);
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
        self.slots.values_mut().filter_map(|slot| slot.waiting.take()).collect()
    }

    /// What it counts with, and how long it holds back others.
    fn key(&self, target: &Target, event: &Event) -> Option<(Key, Duration)> {
        let name = event.name.as_ref()?;
        let holds = |room: Option<&Room>| {
            let rule = self.rules.of(room.map(Room::as_str))?;
            rule.events.match_any(name).then_some(rule.interval)
        };
        let interval = match target.rooms.as_slice() {
            [] => holds(None),
            rooms => rooms.iter().find_map(|room| holds(Some(room))),
        }?;
        let mut rooms = target.rooms.clone();
        rooms.sort();
        Some(((rooms, name.clone()), interval))
    }

    /// An event is sent: an interval begins.
    fn begin(&mut self, key: Key, interval: Duration, now: Instant) {
        // One that does not end in the time that there is holds nothing back.
        let Some(end) = now.checked_add(interval) else { return };
        self.ends.insert((end, key.clone()));
        self.slots.insert(key, Slot { interval, waiting: None });
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

    /// Offers an event with an argument, by which it is told from others.
    fn offer(throttled: &mut Throttled, rooms: &[&str], name: &str, arg: &str, now: Instant) -> Offered {
        let target = Target { rooms: rooms.iter().map(|room| Room::from(*room)).collect(), except: Vec::new() };
        let encoded = Parser::Default.event("/", name, arg, None).expect("an event");
        throttled.offer(&target, &Event { name: Some(name.into()), unkept: false, encoded, received: None }, false, now)
    }

    fn args(due: &[Waiting]) -> Vec<String> {
        due.iter().map(|waiting| waiting.event.encoded.args().read().expect("a string")).collect()
    }

    #[test]
    fn the_latest_is_sent_when_the_interval_ends() {
        use Offered::{Send, Waits};
        let (mut throttled, start) = (throttled(), Instant::now());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let rows: [(u64, &[&str], &str, Offered); 12] = [
            (0, &["r"], "e", Send),
            (10, &["r"], "e", Waits(Some(at(100)))),
            (20, &["r"], "e", Waits(None)),
            (20, &["r"], "e2", Send),
            (20, &["r2"], "e", Send),
            (20, &["r"], "other", Send),
            (20, &["r"], "other", Send),
            (20, &["r", "s"], "e", Send),
            (30, &["s", "r"], "e", Waits(None)),
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
        assert_eq!(polled(100), ("2".into(), Some(at(120))), "the latest one, and no other");
        assert_eq!(polled(120), ("8".into(), Some(at(200))), "the interval of both rooms ends by its first rule");
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
    fn a_short_interval_does_not_wait_for_a_longer_one() {
        use Offered::{Send, Waits};
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
            assert_eq!(offer(&mut throttled, &[&format!("r{number}")], "e", "", now), Offered::Send);
        }
        assert_eq!(throttled.slots.len(), MAX_SLOTS);
        let last = format!("r{}", MAX_SLOTS + 5);
        assert_eq!(offer(&mut throttled, &[&last], "e", "", now), Offered::Send, "it was too many");
        assert_eq!(offer(&mut throttled, &["r"], "e", "", now + Duration::from_secs(1)), Offered::Send);
        assert_eq!(throttled.slots.len(), 1);
    }
}
