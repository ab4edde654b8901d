//! What it is: how many sessions there are, counted from before one is opened to its end, and how many there may be.
//! What it is not: the table of sessions (`sessions`), nor a limit on how fast they come.
//! Who calls it: `engine` asks for each handshake. What it hands out counts until it is dropped: `Admitted` with
//! the session's entry in `sessions`, `Unused` by its `allowance`, once its client has made use of it or it has ended.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use dashmap::{DashMap, Entry};

use crate::config::Config;

/// Bits of an IPv6 address that one client is given: it has all the others to itself.
const IPV6_PREFIX: u32 = 64;

/// How many sessions there may be; as the options of the same names in [`Config`] say it at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// In all.
    pub max_sessions: Option<usize>,
    /// Of which the client has made no use.
    pub max_unused_sessions: Option<usize>,
    /// Of one address.
    pub max_sessions_per_ip: Option<usize>,
}

/// A bound that a handshake would have passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bound {
    /// [`max_sessions`](Config::max_sessions).
    Sessions,
    /// [`max_unused_sessions`](Config::max_unused_sessions).
    UnusedSessions,
    /// [`max_sessions_per_ip`](Config::max_sessions_per_ip).
    SessionsPerIp,
}

/// What one engine counts. Clones count the same.
#[derive(Debug, Clone)]
pub(crate) struct Admission(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    /// Taken for each handshake, and to change them.
    limits: RwLock<SessionLimits>,
    sessions: AtomicUsize,
    unused: AtomicUsize,
    /// By address, of sessions that were opened while there was a bound.
    by_ip: DashMap<IpAddr, usize>,
}

/// A session that may be opened, or is open: one of all, and one of its address.
#[derive(Debug)]
pub(crate) struct Admitted {
    counts: Arc<Counts>,
    /// Only where addresses are counted.
    ip: Option<Box<IpAddr>>,
}

/// A session of which the client has made no use.
#[derive(Debug)]
pub(crate) struct Unused(Arc<Counts>);

impl From<&Config> for SessionLimits {
    fn from(config: &Config) -> Self {
        let Config { max_sessions, max_unused_sessions, max_sessions_per_ip, .. } = *config;
        Self { max_sessions, max_unused_sessions, max_sessions_per_ip }
    }
}

impl Admission {
    pub(crate) fn new(limits: SessionLimits) -> Self {
        let (sessions, unused) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self(Arc::new(Counts { limits: RwLock::new(limits), sessions, unused, by_ip: DashMap::new() }))
    }

    /// From now on these hold. Nobody who is there has to go.
    pub(crate) fn limit(&self, limits: SessionLimits) {
        *self.0.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// Counts one more session of this address.
    ///
    /// # Errors
    /// [`Bound`], and nothing is counted.
    pub(crate) fn admit(&self, ip: Option<IpAddr>) -> Result<(Admitted, Unused), Bound> {
        let counts = &self.0;
        let limits = *counts.limits.read().unwrap_or_else(PoisonError::into_inner);
        if !count(&counts.sessions, limits.max_sessions) {
            return Err(Bound::Sessions);
        }
        // From here on a drop takes back what was counted.
        let mut admitted = Admitted { counts: counts.clone(), ip: None };
        if !count(&counts.unused, limits.max_unused_sessions) {
            return Err(Bound::UnusedSessions);
        }
        let unused = Unused(counts.clone());
        if let (Some(ip), Some(max)) = (ip, limits.max_sessions_per_ip) {
            let ip = network(ip);
            if !counts.count_ip(ip, max) {
                return Err(Bound::SessionsPerIp);
            }
            admitted.ip = Some(ip.into());
        }
        Ok((admitted, unused))
    }
}

impl Counts {
    fn count_ip(&self, ip: IpAddr, max: usize) -> bool {
        match self.by_ip.entry(ip) {
            Entry::Occupied(entry) if *entry.get() >= max => false,
            Entry::Vacant(_) if max == 0 => false,
            entry => {
                *entry.or_default() += 1;
                true
            }
        }
    }

    fn discount_ip(&self, ip: IpAddr) {
        if let Entry::Occupied(mut entry) = self.by_ip.entry(ip) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.counts.sessions.fetch_sub(1, Ordering::Relaxed);
        if let Some(ip) = &self.ip {
            self.counts.discount_ip(**ip);
        }
    }
}

impl Drop for Unused {
    fn drop(&mut self) {
        self.0.unused.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts one more unless that would be too many. Says whether it did.
fn count(counter: &AtomicUsize, max: Option<usize>) -> bool {
    let max = max.unwrap_or(usize::MAX);
    counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| (count < max).then_some(count + 1)).is_ok()
}

/// What one client has of addresses.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & u128::MAX << (128 - IPV6_PREFIX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(
        max_sessions: Option<usize>,
        max_unused_sessions: Option<usize>,
        max_sessions_per_ip: Option<usize>,
    ) -> Admission {
        Admission::new(SessionLimits { max_sessions, max_unused_sessions, max_sessions_per_ip })
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn l7_an_ipv6_client_is_a_network() {
        let rows = [
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", false),
            ("2001:db8:1:3::1", "2001:db8:1:2::", true),
            ("::ffff:192.0.2.1", "192.0.2.1", false),
            ("192.0.2.2", "192.0.2.1", true),
        ];
        for (second, first, admitted) in rows {
            let admission = limited(None, None, Some(1));
            let _first = admission.admit(ip(first)).expect("the first");
            assert_eq!(admission.admit(ip(second)).is_ok(), admitted, "{first}, then {second}");
        }
    }

    #[test]
    fn what_is_refused_is_not_counted_and_what_is_dropped_no_more() {
        let admission = limited(Some(3), Some(2), Some(1));
        let counted = || {
            let counts = &admission.0;
            (counts.sessions.load(Ordering::Relaxed), counts.unused.load(Ordering::Relaxed), counts.by_ip.len())
        };
        let admit = |text| admission.admit(ip(text));
        let (first, first_unused) = admit("192.0.2.1").expect("the first");
        assert_eq!(admit("192.0.2.1").err(), Some(Bound::SessionsPerIp));
        let (second, second_unused) = admit("192.0.2.2").expect("the second");
        assert_eq!(admit("192.0.2.3").err(), Some(Bound::UnusedSessions));
        drop(first_unused);
        let third = admission.admit(None).expect("of no address");
        drop(second_unused);
        assert_eq!(admit("192.0.2.3").err(), Some(Bound::Sessions));
        assert_eq!(counted(), (3, 1, 2));
        // Other limits hold at once, and nobody has to go.
        admission.limit(SessionLimits { max_sessions: Some(4), max_unused_sessions: None, max_sessions_per_ip: None });
        let fourth = admit("192.0.2.1").expect("of its address as many as it likes");
        assert_eq!(admit("192.0.2.3").err(), Some(Bound::Sessions));
        admission.limit(SessionLimits { max_sessions: None, max_unused_sessions: None, max_sessions_per_ip: Some(1) });
        assert_eq!(admit("192.0.2.1").err(), Some(Bound::SessionsPerIp));
        assert_eq!(counted(), (4, 2, 2), "one was not counted by its address");
        drop((first, second, third, fourth));
        assert_eq!(counted(), (0, 0, 0));
    }

    #[test]
    fn counts_are_exact_between_threads() {
        const MAX: usize = 5;
        let (admission, most) = (limited(Some(MAX), None, Some(MAX - 1)), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (admission, most) = (&admission, &most);
                scope.spawn(move || {
                    for round in 0..5_000 {
                        let address = ip(if (thread + round) % 2 == 0 { "192.0.2.1" } else { "192.0.2.2" });
                        let held: Vec<_> = (0..3).map_while(|_| admission.admit(address).ok()).collect();
                        most.fetch_max(admission.0.sessions.load(Ordering::Relaxed), Ordering::Relaxed);
                        drop(held);
                    }
                });
            }
        });
        assert!((1..=MAX).contains(&most.into_inner()));
        let counts = &admission.0;
        assert_eq!((counts.sessions.load(Ordering::Relaxed), counts.unused.load(Ordering::Relaxed)), (0, 0));
        assert!(counts.by_ip.is_empty());
    }
}
