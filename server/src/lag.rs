//! What it is: how late the event loop wakes who asked for it: what clients feel when something holds it up.
//! What it is not: a profiler; it does not say what held it up.
//! Who calls it: `serve` starts it; figures and the admin page show it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use prometheus::Gauge;

/// Time from one look to the next.
const INTERVAL: Duration = Duration::from_millis(100);

/// How many looks count: those of the last ten seconds.
const KEPT: usize = 100;

/// The last looks, each with how late it was.
#[derive(Debug, Default)]
struct Lateness(VecDeque<Duration>);

impl Lateness {
    fn note(&mut self, late: Duration) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(late);
    }

    /// What 99 of 100 do not exceed.
    fn p99(&self) -> Duration {
        let mut sorted: Vec<_> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        let at = (sorted.len() * 99).div_ceil(100).saturating_sub(1);
        sorted.get(at).copied().unwrap_or_default()
    }
}

/// Looks again and again, and shows the 99th percentile.
pub(crate) async fn watch(shown: Gauge) {
    let mut lateness = Lateness::default();
    loop {
        let due = Instant::now() + INTERVAL;
        tokio::time::sleep_until(due.into()).await;
        lateness.note(due.elapsed());
        shown.set(lateness.p99().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_late_look_of_a_hundred_does_not_count_and_two_do() {
        let mut lateness = Lateness::default();
        assert_eq!(lateness.p99(), Duration::ZERO);
        (0..KEPT).for_each(|_| lateness.note(Duration::from_millis(1)));
        lateness.note(Duration::from_secs(1));
        assert_eq!(lateness.p99(), Duration::from_millis(1));
        lateness.note(Duration::from_secs(2));
        assert_eq!(lateness.p99(), Duration::from_secs(1));
        (0..KEPT).for_each(|_| lateness.note(Duration::from_millis(3)));
        assert_eq!(lateness.p99(), Duration::from_millis(3), "what was long ago is forgotten");
    }
}
