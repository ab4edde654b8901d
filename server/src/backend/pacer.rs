//! What it is: how many may go in a second: a machine without a clock.
//! What it is not: a queue; who may not go yet waits elsewhere.
//! Who calls it: `schedule`, for disconnect hooks.

use std::time::{Duration, Instant};

/// How many may go at once after a pause.
const BURST: u32 = 10;

/// Lets so many go in a second.
#[derive(Debug)]
pub(crate) struct Pacer {
    /// From one to the next; zero is no bound.
    interval: Duration,
    /// When the next one would go, if all went evenly.
    next: Option<Instant>,
}

impl Pacer {
    /// 0 is no bound.
    pub(crate) fn new(per_second: usize) -> Self {
        let interval = if per_second > 0 { Duration::from_secs(1).div_f64(per_second as f64) } else { Duration::ZERO };
        Self { interval, next: None }
    }

    /// When one may go, if not now.
    pub(crate) fn wait(&self, now: Instant) -> Option<Instant> {
        // Some go earlier, so that nobody has to look at the clock for each.
        let due = self.next?.checked_sub(self.interval * (BURST - 1)).filter(|due| *due > now);
        due.filter(|_| !self.interval.is_zero())
    }

    /// One goes.
    pub(crate) fn take(&mut self, now: Instant) {
        self.next = Some(self.next.map_or(now, |next| next.max(now)) + self.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many go at once.
    fn burst(pacer: &mut Pacer, now: Instant) -> usize {
        (0..1000)
            .take_while(|_| {
                let may_go = pacer.wait(now).is_none();
                if may_go {
                    pacer.take(now);
                }
                may_go
            })
            .count()
    }

    #[test]
    fn so_many_go_in_a_second() {
        let start = Instant::now();
        let mut pacer = Pacer::new(100);
        assert_eq!(burst(&mut pacer, start), 10);
        let due = pacer.wait(start).expect("bounded");
        assert_eq!(due - start, Duration::from_millis(10));
        assert_eq!(burst(&mut pacer, due), 1);
        let gone: usize = (1..=1000).map(|ms| burst(&mut pacer, due + Duration::from_millis(ms))).sum();
        assert_eq!(gone, 100);
        assert_eq!(burst(&mut pacer, due + Duration::from_secs(60)), 10, "a pause is not saved up");
    }

    #[test]
    fn there_may_be_no_bound() {
        assert_eq!(burst(&mut Pacer::new(0), Instant::now()), 1000);
    }
}
