//! What it is: what happened between two moments: processor time of both sides, operations, latencies.
//! What it is not: a judge; rounds and ratios are `tests/bench/run`'s.
//! Who calls it: the scenarios.

use std::time::{Duration, Instant};

use crate::{
    Failure,
    process::{Cpu, SELF},
};

/// The names and values of what a scenario found, in order.
pub(crate) type Report = Vec<(&'static str, f64)>;

/// A span of time that is measured.
pub(crate) struct Measured<'a> {
    pid: &'a str,
    since: Instant,
    server: Cpu,
    own: Cpu,
    /// In tenths of a microsecond, which is seven minutes at most, and half of what a `Duration` takes.
    latencies: Vec<u32>,
}

impl<'a> Measured<'a> {
    /// Begins now.
    pub(crate) fn begin(pid: &'a str) -> Result<Self, Failure> {
        let (server, own) = (Cpu::of(pid)?, Cpu::of(SELF)?);
        Ok(Self { pid, since: Instant::now(), server, own, latencies: Vec::new() })
    }

    /// Counts an operation that took so long.
    pub(crate) fn count(&mut self, latency: Duration) {
        self.latencies.push(u32::try_from(latency.as_nanos() / 100).unwrap_or(u32::MAX));
    }

    /// The server's processor time until now for each operation, in microseconds.
    pub(crate) fn server_each(&self) -> Result<f64, Failure> {
        self.each(Cpu::of(self.pid)?.since(self.server).total())
    }

    fn each(&self, time: Duration) -> Result<f64, Failure> {
        if self.latencies.is_empty() {
            return Err("nothing was done".into());
        }
        Ok(microseconds(time) / self.latencies.len() as f64)
    }

    /// What so large a share of the operations took at most, in microseconds.
    pub(crate) fn percentile(&mut self, share: f64) -> f64 {
        let at = (share * self.latencies.len() as f64).ceil() as usize;
        f64::from(*self.latencies.select_nth_unstable(at.max(1) - 1).1) / 10.0
    }

    /// Ends now. Percentiles are of the operations that were done.
    pub(crate) fn report(mut self) -> Result<Report, Failure> {
        let elapsed = self.since.elapsed();
        let (server, own) = (Cpu::of(self.pid)?.since(self.server), Cpu::of(SELF)?.since(self.own));
        Ok(vec![
            ("server_us", self.each(server.total())?),
            ("server_kernel_us", self.each(server.system)?),
            ("per_second", self.latencies.len() as f64 / elapsed.as_secs_f64()),
            ("p50_us", self.percentile(0.5)),
            ("p99_us", self.percentile(0.99)),
            ("p999_us", self.percentile(0.999)),
            ("server_cpu", server.total().as_secs_f64() / elapsed.as_secs_f64()),
            ("load_cpu", own.total().as_secs_f64() / elapsed.as_secs_f64()),
        ])
    }
}

pub(crate) fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
