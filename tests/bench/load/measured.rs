//! What it is: what happened between two moments: processor time of both sides, operations, latencies.
//! What it is not: a judge; rounds and ratios are `tests/bench/run`'s.
//! Who calls it: the scenarios.

use std::time::{Duration, Instant};

use crate::{Failure, process};

/// The names and values of what a scenario found, in order.
pub(crate) type Report = Vec<(&'static str, f64)>;

/// A span of time that is measured.
pub(crate) struct Measured<'a> {
    pid: &'a str,
    since: Instant,
    server: Duration,
    own: Duration,
    latencies: Vec<Duration>,
}

impl<'a> Measured<'a> {
    /// Begins now.
    pub(crate) fn begin(pid: &'a str) -> Result<Self, Failure> {
        let (server, own) = (process::cpu(pid)?, process::cpu(process::SELF)?);
        Ok(Self { pid, since: Instant::now(), server, own, latencies: Vec::new() })
    }

    /// Counts an operation that took so long.
    pub(crate) fn count(&mut self, latency: Duration) {
        self.latencies.push(latency);
    }

    /// Ends now. Percentiles are of the operations that were done.
    pub(crate) fn report(mut self) -> Result<Report, Failure> {
        let elapsed = self.since.elapsed();
        let (server, own) = (process::cpu(self.pid)? - self.server, process::cpu(process::SELF)? - self.own);
        if self.latencies.is_empty() {
            return Err("nothing was done".into());
        }
        self.latencies.sort_unstable();
        let operations = self.latencies.len() as f64;
        let percentile = |share: f64| {
            let at = (share * operations).ceil() as usize;
            microseconds(self.latencies[at.max(1) - 1])
        };
        Ok(vec![
            ("server_us", microseconds(server) / operations),
            ("per_second", operations / elapsed.as_secs_f64()),
            ("p50_us", percentile(0.5)),
            ("p99_us", percentile(0.99)),
            ("p999_us", percentile(0.999)),
            ("server_cpu", server.as_secs_f64() / elapsed.as_secs_f64()),
            ("load_cpu", own.as_secs_f64() / elapsed.as_secs_f64()),
        ])
    }
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
