//! What it is: when somebody comes to look for what is due: in time for each, and no more often than that takes.
//! What it is not: a timer; whoever is told a time has to come then.
//! Who calls it: `throttle` and `presence`.

use std::{collections::BTreeSet, time::Instant};

/// The times at which somebody will come, each earlier than those that were asked for before it.
#[derive(Debug, Default)]
pub(crate) struct Watch(BTreeSet<Instant>);

impl Watch {
    /// Something is due at this time. Gives it back if somebody has to come then, as nobody does before.
    pub(crate) fn at(&mut self, due: Instant) -> Option<Instant> {
        let is_watched = self.0.first().is_some_and(|first| *first <= due);
        (!is_watched && self.0.insert(due)).then_some(due)
    }

    /// Somebody has come.
    pub(crate) fn pass(&mut self, now: Instant) {
        self.0.retain(|at| *at > now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn somebody_comes_in_time_for_each_and_for_none_twice() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(watch.at(at(10)), Some(at(10)));
        assert_eq!(watch.at(at(12)), None, "who comes at 10 is told of 12");
        assert_eq!(watch.at(at(10)), None);
        assert_eq!(watch.at(at(2)), Some(at(2)), "nobody comes before 10");
        assert_eq!(watch.at(at(3)), None);
        watch.pass(at(2));
        assert_eq!(watch.at(at(3)), Some(at(3)));
        watch.pass(at(3));
        assert_eq!(watch.at(at(10)), None, "that one is still on its way");
        watch.pass(at(11));
        assert_eq!(watch.at(at(12)), Some(at(12)));
    }
}
