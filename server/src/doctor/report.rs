//! What it is: the findings, a line each, as they are made.
//! What it is not: what is to be done about them (`advice`).
//! Who calls it: everything in `doctor`.

use std::fmt::Display;

/// How many of each kind there have been.
#[derive(Debug, Default)]
pub(super) struct Report {
    fine: usize,
    doubtful: usize,
    failed: usize,
}

impl Report {
    /// It is as it should be.
    pub(super) fn ok(&mut self, what: impl Display) {
        self.fine += 1;
        println!("ok    {what}");
    }

    /// It works, but not for everybody or not always.
    pub(super) fn warn(&mut self, what: impl Display, change: &str) {
        self.doubtful += 1;
        println!("warn  {what}; change: {change}");
    }

    /// It does not work.
    pub(super) fn fail(&mut self, what: impl Display, change: &str) {
        self.failed += 1;
        println!("FAIL  {what}; change: {change}");
    }

    /// What is done next, and takes its time.
    pub(super) fn waiting(&self, what: impl Display) {
        println!("      {what}");
    }

    pub(super) fn close(&self) {
        println!("{} ok, {} warn, {} FAIL", self.fine, self.doubtful, self.failed);
    }

    pub(super) fn failed(&self) -> usize {
        self.failed
    }
}

/// What a server said, on one line and short.
pub(super) fn short(text: &str) -> String {
    let line: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match line.char_indices().nth(120) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}
