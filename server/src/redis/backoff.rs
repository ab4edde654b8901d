//! What it is: how long to wait before Redis is tried again.
//! What it is not: the waiting.
//! Who calls it: `listener` and `publisher`.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

const FIRST: Duration = Duration::from_millis(50);

/// Short enough that whoever waits is there within two seconds after Redis, however long that was away.
const MAX: Duration = Duration::from_millis(1500);

/// Twice as long each time, and never the same for all servers.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// It was there: the next time it is tried soon.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    pub(crate) fn next(&mut self) -> Duration {
        let delay = FIRST.saturating_mul(1 << self.failures.min(10)).min(MAX);
        self.failures += 1;
        // A new hasher is a random number.
        let random = RandomState::new().hash_one(self.failures);
        delay.mul_f64(0.75 + (random % 256) as f64 / 1024.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_its_bound_and_begins_anew() {
        let mut backoff = Backoff::default();
        for doubled in [50, 100, 200, 400, 800, 1500, 1500] {
            let (delay, most) = (backoff.next(), Duration::from_millis(doubled));
            assert!(delay <= most && delay >= most.mul_f64(0.75), "{delay:?} of {most:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
