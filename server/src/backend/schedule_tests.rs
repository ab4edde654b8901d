//! Scripts over virtual time: what comes, and what goes when.

use std::time::Duration;

use super::{super::queue::Bounds, *};
use Kind::{Connect, Disconnect, Event};

const BOUNDS: Bounds = Bounds { hooks: 100, per_line: 100, bytes: 1000, is_ordered: true };

/// A schedule and its time, in milliseconds.
struct Script {
    schedule: Schedule<&'static str, &'static str>,
    start: Instant,
    ms: u64,
}

impl Script {
    /// So many at a time; a breaker that opens behind two failures for one second.
    fn new(max_in_flight: usize, disconnects_per_second: usize) -> Self {
        let (breaker, pacer) = (Breaker::new(2, Duration::from_secs(1)), Pacer::new(disconnects_per_second));
        let schedule = Schedule::new(Terms { bounds: BOUNDS, breaker, pacer, max_in_flight });
        Self { schedule, start: Instant::now(), ms: 0 }
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.ms)
    }

    fn push(&mut self, kind: Kind, jobs: &[&'static str]) {
        for job in jobs {
            // Lines are named by the first letter.
            self.schedule.push(&&job[..1], Item { kind, bytes: 1, job: *job }).expect("room");
        }
    }

    /// What goes and what fails now, as `+job` and `-job`, and when something is to be done next, in milliseconds.
    fn next(&mut self) -> (String, Option<u64>) {
        let mut done = Vec::new();
        loop {
            match self.schedule.next(self.now()) {
                Next::Go(_, job) => done.push(format!("+{job}")),
                Next::Fail(job) => done.push(format!("-{job}")),
                Next::At(at) => return (done.join(" "), Some((at - self.start).as_millis() as u64)),
                Next::Nothing => return (done.join(" "), None),
            }
        }
    }

    fn end(&mut self, lines: &[&'static str], sign: Sign) -> Option<Change> {
        let mut change = None;
        for line in lines {
            change = self.schedule.land(sign, self.now());
            self.schedule.close(line);
        }
        change
    }
}

#[test]
fn what_is_changed_holds_for_those_who_wait() {
    let mut script = Script::new(2, 1);
    script.push(Event, &["a1", "a2", "b", "c", "d"]);
    assert_eq!(script.next().0, "+a1 +b");
    let terms = |max_in_flight, is_ordered| Terms {
        bounds: Bounds { is_ordered, ..BOUNDS },
        breaker: Breaker::new(1, Duration::from_secs(1)),
        pacer: Pacer::new(0),
        max_in_flight,
    };
    script.schedule.adjust(terms(3, true));
    assert_eq!(script.next().0, "+c");
    assert_eq!(script.end(&["b"], Sign::Dead), Some(Change::Opened));
    script.push(Disconnect, &["e"]);
    assert_eq!(script.next(), ("-d".into(), Some(1000)));
    // Another application, perhaps, which has failed at nothing.
    script.schedule.adjust(terms(4, true));
    assert_eq!(script.next(), ("+e".into(), None));
    script.end(&["a"], Sign::Alive);
    assert_eq!(script.next().0, "+a2");
}

#[test]
fn in_a_hurry_disconnects_wait_for_a_probe_and_not_for_a_pause() {
    let mut script = Script::new(8, 1);
    script.push(Event, &["a", "b"]);
    assert_eq!(script.next().0, "+a +b");
    assert_eq!(script.end(&["a", "b"], Sign::Dead), Some(Change::Opened));
    script.push(Disconnect, &["c", "d", "e"]);
    assert_eq!(script.next(), (String::new(), Some(1000)));
    script.schedule.hurry(script.now());
    assert_eq!(script.next(), ("+c".into(), None));
    script.end(&["c"], Sign::Dead);
    assert_eq!(script.next(), ("-d -e".into(), None));
    // Who comes later fails at once, too, until the time of the next probe.
    script.push(Disconnect, &["f"]);
    assert_eq!(script.next(), ("-f".into(), None));
    script.ms = 1000;
    script.push(Disconnect, &["g", "h"]);
    assert_eq!(script.next(), ("+g".into(), None));
    script.end(&["g"], Sign::Alive);
    assert_eq!(script.next(), ("+h".into(), None));
}

#[test]
fn so_many_are_in_flight_and_kinds_take_turns() {
    let mut script = Script::new(3, 0);
    script.push(Connect, &["a", "b", "c"]);
    script.push(Event, &["d1", "d2", "e1"]);
    script.push(Disconnect, &["f", "g"]);
    assert_eq!(script.next(), ("+d1 +f +a".into(), None));
    assert_eq!(script.schedule.counts(), (5, 3));
    script.end(&["f", "a"], Sign::Alive);
    assert_eq!(script.next(), ("+e1 +g".into(), None));
    script.end(&["d", "e", "g"], Sign::Alive);
    assert_eq!(script.next(), ("+b +d2 +c".into(), None));
    script.end(&["b", "d", "c"], Sign::Alive);
    assert_eq!((script.next(), script.schedule.counts()), ((String::new(), None), (0, 0)));
}

#[test]
fn while_the_breaker_is_open_events_fail_and_others_wait_for_a_probe() {
    let mut script = Script::new(8, 0);
    script.push(Event, &["a1", "b1", "a2"]);
    script.push(Connect, &["c"]);
    assert_eq!(script.next().0, "+a1 +c +b1");
    assert_eq!(script.end(&["a"], Sign::Dead), None);
    assert_eq!(script.end(&["b"], Sign::Dead), Some(Change::Opened));
    assert_eq!(script.next(), ("-a2".into(), None));
    script.push(Disconnect, &["b"]);
    script.push(Event, &["a3", "d1"]);
    assert_eq!(script.next(), ("-a3 -d1".into(), Some(1000)));

    // One goes as a probe, and no event is lost by it.
    script.ms = 1000;
    script.push(Event, &["a4"]);
    script.push(Connect, &["e"]);
    assert_eq!(script.next(), ("+e -a4".into(), None));
    script.end(&["e"], Sign::Dead);
    script.push(Event, &["a5"]);
    assert_eq!(script.next(), ("-a5".into(), Some(2000)));

    // A probe that says nothing makes way for another one.
    script.ms = 2000;
    assert_eq!(script.next(), ("+b".into(), None));
    script.end(&["b"], Sign::None);
    script.push(Event, &["a6", "d2"]);
    assert_eq!(script.next(), ("+a6 -d2".into(), None));
    script.push(Connect, &["f", "g"]);
    assert_eq!(script.end(&["a"], Sign::Alive), Some(Change::Closed));
    script.push(Event, &["a7"]);
    assert_eq!(script.next(), ("+f +a7 +g".into(), None));
}

#[test]
fn who_goes_again_is_before_others_of_its_line_and_not_in_flight_until_then() {
    let mut script = Script::new(1, 0);
    script.push(Event, &["a1", "a2", "b1"]);
    assert_eq!(script.next().0, "+a1");
    assert_eq!(script.schedule.land(Sign::Alive, script.now()), None);
    assert_eq!(script.next().0, "+b1");
    script.schedule.again(&"a", Item { kind: Event, bytes: 1, job: "a1" });
    assert_eq!(script.next().0, "");
    script.end(&["b"], Sign::Alive);
    assert_eq!(script.next().0, "+a1");
    script.end(&["a"], Sign::Alive);
    assert_eq!(script.next().0, "+a2");
}

#[test]
fn disconnects_have_their_pace_until_it_is_to_be_over() {
    let mut script = Script::new(100, 100);
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"];
    script.push(Disconnect, &names);
    assert_eq!(script.next(), ("+a +b +c +d +e +f +g +h +i +j".into(), Some(10)));
    script.push(Event, &["x"]);
    script.ms = 5;
    assert_eq!(script.next(), ("+x".into(), Some(10)));
    script.ms = 10;
    assert_eq!(script.next(), ("+k".into(), Some(20)));
    script.schedule.hurry(script.now());
    assert_eq!(script.next(), ("+l +m +n".into(), None));
}

#[test]
fn disconnects_of_those_who_are_back_have_no_pace() {
    let mut script = Script::new(100, 100);
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l1", "m1"];
    script.push(Disconnect, &names);
    assert_eq!(script.next().1, Some(10));
    // Also while their own lines are not open yet.
    script.push(Connect, &["m2", "j2"]);
    script.push(Event, &["l2"]);
    assert_eq!(script.next(), ("+m1 +l1".into(), Some(10)));
    script.end(&["m", "l", "j"], Sign::Alive);
    assert_eq!(script.next(), ("+m2 +l2 +j2".into(), Some(10)));
    script.end(&["l", "m", "j"], Sign::Alive);
    // They are not counted either; nor do they have another turn where they stood.
    script.ms = 10;
    script.push(Disconnect, &["l3"]);
    assert_eq!(script.next(), ("+k".into(), Some(20)));
    script.ms = 20;
    assert_eq!(script.next().0, "+l3");
    // In a pause, and at the end, they are as others.
    script.end(&["k", "l"], Sign::Dead);
    script.push(Disconnect, &["n1", "o"]);
    script.push(Connect, &["n2"]);
    assert_eq!(script.next(), (String::new(), Some(1020)));
    script.schedule.hurry(script.now());
    assert_eq!(script.next(), ("+n1".into(), None));
    script.end(&["n"], Sign::Dead);
    script.push(Disconnect, &["p1"]);
    script.push(Connect, &["p2"]);
    let (failed, _) = script.next();
    assert!(["-o", "-p1"].iter().all(|job| failed.contains(job)), "{failed}");
}
