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
    /// In tenths of a microsecond, which is seven minutes at most, and half of what a `Duration` takes.
    latencies: Vec<u32>,
}

impl<'a> Measured<'a> {
    /// Begins now.
    pub(crate) fn begin(pid: &'a str) -> Result<Self, Failure> {
        let (server, own) = (process::cpu(pid)?, process::cpu(process::SELF)?);
        Ok(Self { pid, since: Instant::now(), server, own, latencies: Vec::new() })
    }

    /// Counts an operation that took so long.
    pub(crate) fn count(&mut self, latency: Duration) {
        self.latencies.push(u32::try_from(latency.as_nanos() / 100).unwrap_or(u32::MAX));
    }

    /// The server's processor time until now for each operation, in microseconds.
    pub(crate) fn server_each(&self) -> Result<f64, Failure> {
        let server = process::cpu(self.pid)? - self.server;
        if self.latencies.is_empty() {
            return Err("nothing was done".into());
        }
        Ok(microseconds(server) / self.latencies.len() as f64)
    }

    /// What so large a share of the operations took at most, in microseconds.
    pub(crate) fn percentile(&mut self, share: f64) -> f64 {
        let at = (share * self.latencies.len() as f64).ceil() as usize;
        f64::from(*self.latencies.select_nth_unstable(at.max(1) - 1).1) / 10.0
    }

    /// Ends now. Percentiles are of the operations that were done.
    pub(crate) fn report(mut self) -> Result<Report, Failure> {
        let server_each = self.server_each()?;
        let elapsed = self.since.elapsed();
        let (server, own) = (process::cpu(self.pid)? - self.server, process::cpu(process::SELF)? - self.own);
        Ok(vec![
            ("server_us", server_each),
            ("per_second", self.latencies.len() as f64 / elapsed.as_secs_f64()),
            ("p50_us", self.percentile(0.5)),
            ("p99_us", self.percentile(0.99)),
            ("p999_us", self.percentile(0.999)),
            ("server_cpu", server.as_secs_f64() / elapsed.as_secs_f64()),
            ("load_cpu", own.as_secs_f64() / elapsed.as_secs_f64()),
        ])
    }
}

pub(crate) fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
