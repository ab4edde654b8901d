//! What it is: how long a hook that came to nothing waits before it goes again.
//! What it is not: a timer.
//! Who calls it: `backend`, between attempts.

use std::time::Duration;

/// The first wait of a connect or an event.
const FIRST: Duration = Duration::from_millis(250);

/// Their longest one.
const LONGEST: Duration = Duration::from_secs(5);

/// The waits of a disconnect; behind the last one it is given up.
pub(crate) const OF_DISCONNECTS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
];

/// The wait behind this attempt, of which the first is 0. `random` is of all bytes: those who failed together do not
/// come again together.
pub(crate) fn wait(attempt: u32, random: u8) -> Duration {
    let longest = FIRST.saturating_mul(1 << attempt.min(16)).min(LONGEST);
    longest.mul_f64(0.5 + f64::from(random) / 510.0)
}

/// A random byte.
pub(crate) fn random() -> u8 {
    let mut byte = [0];
    // Without randomness everybody waits for the same time, which is no harm.
    let _same = getrandom::fill(&mut byte);
    byte[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_longest_one_and_differ_by_half() {
        for (attempt, least, most) in [(0, 125, 250), (1, 250, 500), (3, 1000, 2000), (5, 2500, 5000), (99, 2500, 5000)]
        {
            let millis = |random| wait(attempt, random).as_millis();
            assert_eq!((millis(0), millis(255)), (least, most), "{attempt}");
        }
    }
}
