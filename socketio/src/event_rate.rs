//! What it is: `EventRate`, how many events a client may send in a time, and the bucket of tokens that counts them.
//! What it is not: a clock; the time is an argument.
//! Who calls it: `limits` has the option; a connection's `client` has a bucket if it is set.

use std::time::{Duration, Instant};

/// How many events a client may send: a bucket of `burst` tokens, into which `per_second` come each second. An event
/// takes one, and is one too many if there is none: see [`Limits::event_rate`](crate::Limits::event_rate).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRate {
    /// Events in a second, in the long run; 0 counts as 1. Default 100.
    pub per_second: u32,
    /// Events at once after a pause; 0 counts as 1. Default 200.
    pub burst: u32,
    /// What becomes of an event that is one too many. Default [`OnExcess::Drop`].
    pub on_excess: OnExcess,
}

/// What becomes of an event that is one too many. In either case
/// [`Hooks::on_failure`](crate::Hooks::on_failure) is told of it; so is its client, if that wants an answer and
/// [`error_acks`](crate::Config::error_acks) is on: `Too many events`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnExcess {
    /// It is not handled.
    #[default]
    Drop,
    /// It is not handled, and the connection is closed.
    Close,
}

impl Default for EventRate {
    fn default() -> Self {
        Self { per_second: 100, burst: 200, on_excess: OnExcess::default() }
    }
}

/// The tokens of one client, or of whatever else an application wants to bound so. A new one is full.
#[derive(Debug, Default)]
pub struct Bucket {
    /// When it will be full again, if it ever was not; it is full from then on.
    full_at: Option<Instant>,
}

impl Bucket {
    /// Takes a token, if there is one.
    pub fn take(&mut self, rate: &EventRate, now: Instant) -> bool {
        let token = Duration::from_secs(1) / rate.per_second.max(1);
        let missing = self.full_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now)) + token;
        let is_there = missing <= token * rate.burst.max(1);
        if is_there {
            self.full_at = Some(now + missing);
        }
        is_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At these milliseconds so many tokens are asked for, and so many are there.
    type Script = &'static [(u64, u32, u32)];

    #[test]
    fn tokens_come_with_time_up_to_the_burst() {
        let start = Instant::now();
        let rate = |per_second, burst| EventRate { per_second, burst, ..EventRate::default() };
        let rows: [(EventRate, Script); 5] = [
            (rate(10, 3), &[(0, 4, 3), (99, 1, 0), (100, 2, 1), (350, 3, 2), (400, 1, 1), (10_000, 5, 3)]),
            (rate(10, 1), &[(0, 2, 1), (50, 1, 0), (100, 2, 1)]),
            (rate(0, 0), &[(0, 2, 1), (999, 1, 0), (1000, 2, 1)]),
            (rate(3, 3), &[(0, 3, 3), (1000, 4, 3)]),
            (rate(u32::MAX, u32::MAX), &[(0, 1000, 1000)]),
        ];
        for (rate, script) in rows {
            let mut bucket = Bucket::default();
            for (milliseconds, asked, expected) in script {
                let now = start + Duration::from_millis(*milliseconds);
                let taken = (0..*asked).filter(|_| bucket.take(&rate, now)).count();
                assert_eq!(taken, *expected as usize, "{rate:?} at {milliseconds}");
            }
        }
    }
}
