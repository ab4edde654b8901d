//! What it is: whether a backend that has failed again and again is asked: a machine without a clock.
//! What it is not: the judge of what a failure is; `outcome` is.
//! Who calls it: `schedule`, before each hook and behind it.

use std::time::{Duration, Instant};

/// A circuit breaker.
///
/// ```text
/// Closed -- so many failures in a row --> Open -- its time is over --> one hook as a probe: Probing
///    ^                                     ^                                       |
///    |                                     +--------------- it fails --------------+
///    +------------------------------- any hook succeeds --------------------------+
/// ```
#[derive(Debug)]
pub(crate) struct Breaker {
    /// Failures in a row that open it; 0 is never.
    max_failures: usize,
    /// How long it stays open.
    pause: Duration,
    state: State,
}

#[derive(Debug)]
enum State {
    /// So many have failed since the last one that did not.
    Closed(usize),
    Open(Instant),
    Probing,
}

/// Whether hooks may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    All,
    /// One, which the breaker is to be told of.
    One,
    /// None until then; or until the probe has come to something.
    None(Option<Instant>),
}

/// What a hook has shown of its backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It works, whatever it has answered.
    Alive,
    /// It cannot be reached, or does not answer in time.
    Dead,
    /// Nothing: it was not asked.
    None,
}

/// What the breaker has become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Opened,
    Closed,
}

impl Breaker {
    pub(crate) fn new(max_failures: usize, pause: Duration) -> Self {
        Self { max_failures, pause, state: State::Closed(0) }
    }

    /// Whether the backend has failed too often, and not shown yet that it works again.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed(_))
    }

    pub(crate) fn access(&self, now: Instant) -> Access {
        match self.state {
            State::Closed(_) => Access::All,
            State::Open(until) if now < until => Access::None(Some(until)),
            State::Open(_) => Access::One,
            State::Probing => Access::None(None),
        }
    }

    /// A hook goes as a probe.
    pub(crate) fn probe(&mut self) {
        self.state = State::Probing;
    }

    /// A probe may go at once.
    pub(crate) fn hurry(&mut self, now: Instant) {
        if let State::Open(until) = &mut self.state {
            *until = now.min(*until);
        }
    }

    /// A hook has ended.
    pub(crate) fn note(&mut self, sign: Sign, now: Instant) -> Option<Change> {
        match (sign, &mut self.state) {
            (Sign::Alive, State::Closed(failures)) => *failures = 0,
            (Sign::Alive, State::Open(_) | State::Probing) => {
                self.state = State::Closed(0);
                return Some(Change::Closed);
            }
            (Sign::Dead, State::Closed(failures)) => {
                *failures += 1;
                if *failures == self.max_failures {
                    self.state = State::Open(now + self.pause);
                    return Some(Change::Opened);
                }
            }
            (Sign::Dead, State::Probing) => self.state = State::Open(now + self.pause),
            // Another one may go as a probe.
            (Sign::None, State::Probing) => self.state = State::Open(now),
            // It was on its way before.
            (Sign::Dead | Sign::None, State::Open(_)) | (Sign::None, State::Closed(_)) => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_opens_behind_failures_in_a_row_and_closes_behind_a_probe() {
        use Sign::{Alive, Dead};
        let start = Instant::now();
        let at = |seconds| start + SECOND * seconds;
        let mut breaker = Breaker::new(3, SECOND * 5);
        for (second, sign, change, access) in [
            (0, Dead, None, Access::All),
            (0, Dead, None, Access::All),
            (0, Alive, None, Access::All),
            (1, Dead, None, Access::All),
            (1, Dead, None, Access::All),
            (1, Dead, Some(Change::Opened), Access::None(Some(at(6)))),
            (2, Dead, None, Access::None(Some(at(6)))),
            (2, Sign::None, None, Access::None(Some(at(6)))),
            (6, Sign::None, None, Access::One),
        ] {
            assert_eq!(breaker.note(sign, at(second)), change, "{second} {sign:?}");
            assert_eq!(breaker.access(at(second)), access, "{second} {sign:?}");
        }
        for (second, sign, change, access) in [
            (7, Sign::None, None, Access::One),
            (7, Dead, None, Access::None(Some(at(12)))),
            (12, Alive, Some(Change::Closed), Access::All),
        ] {
            breaker.probe();
            assert_eq!(breaker.access(at(second)), Access::None(None));
            assert_eq!(breaker.note(sign, at(second)), change, "{second} {sign:?}");
            assert_eq!(breaker.access(at(second)), access, "{second} {sign:?}");
        }
    }

    #[test]
    fn what_was_on_its_way_before_may_close_it() {
        let now = Instant::now();
        let mut breaker = Breaker::new(1, SECOND);
        assert_eq!(breaker.note(Sign::Dead, now), Some(Change::Opened));
        assert_eq!(breaker.note(Sign::Alive, now), Some(Change::Closed));
        assert_eq!(breaker.access(now), Access::All);
    }

    #[test]
    fn without_a_number_it_never_opens() {
        let now = Instant::now();
        let mut breaker = Breaker::new(0, SECOND);
        for _ in 0..1000 {
            assert_eq!(breaker.note(Sign::Dead, now), None);
        }
        assert_eq!(breaker.access(now), Access::All);
    }
}
