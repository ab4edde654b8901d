//! What it is: what the kernel says of a process: processor time and memory.
//! What it is not: a profiler.
//! Who calls it: `measured`, and the scenarios of clients that do nothing.

use std::{fs, time::Duration};

use crate::Failure;

/// This process.
pub(crate) const SELF: &str = "self";

/// Processor time of all threads a process has and had, in hundredths of a second.
#[derive(Clone, Copy)]
pub(crate) struct Cpu {
    /// Of its own code.
    user: Duration,
    /// Of the kernel, for it.
    pub(crate) system: Duration,
}

impl Cpu {
    pub(crate) fn of(pid: &str) -> Result<Self, Failure> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name, the second field, may have anything in it but ends with the last parenthesis.
        let (_, fields) = stat.rsplit_once(") ").ok_or("the kernel says it otherwise")?;
        let mut fields = fields.split(' ').skip(11);
        let mut next = || -> Result<Duration, Failure> {
            let hundredths: u64 = fields.next().ok_or("the kernel says it otherwise")?.parse()?;
            Ok(Duration::from_millis(10 * hundredths))
        };
        Ok(Self { user: next()?, system: next()? })
    }

    /// What came to it since then.
    pub(crate) fn since(self, before: Self) -> Self {
        Self { user: self.user - before.user, system: self.system - before.system }
    }

    /// All of it.
    pub(crate) fn total(self) -> Duration {
        self.user + self.system
    }
}

/// How many files and connections a process has open.
pub(crate) fn descriptors(pid: &str) -> Result<usize, Failure> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// Resident memory, in bytes.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) struct Memory {
    /// All of it.
    pub(crate) rss: f64,
    /// The process's share, where pages are shared with others.
    pub(crate) pss: f64,
}

impl Memory {
    pub(crate) fn of(pid: &str) -> Result<Self, Failure> {
        Ok(Self { rss: bytes(pid, "status", "VmRSS:")?, pss: bytes(pid, "smaps_rollup", "Pss:")? })
    }

    /// What a process has once that does not change any more, or after five seconds, which the caller lets pass.
    pub(crate) fn settled(pid: &str, mut pass: impl FnMut(Duration) -> Result<(), Failure>) -> Result<Self, Failure> {
        let mut before = Self::default();
        for _ in 0..10 {
            pass(Duration::from_millis(500))?;
            let now = Self::of(pid)?;
            if now == before {
                break;
            }
            before = now;
        }
        Ok(before)
    }

    /// How much it grew since then, for each of so many clients.
    pub(crate) fn each(self, since: Self, clients: usize) -> Self {
        let clients = clients as f64;
        Self { rss: (self.rss - since.rss) / clients, pss: (self.pss - since.pss) / clients }
    }
}

/// A line such as `VmRSS:   1234 kB`.
fn bytes(pid: &str, file: &str, name: &str) -> Result<f64, Failure> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("the kernel says it otherwise")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0)
}
