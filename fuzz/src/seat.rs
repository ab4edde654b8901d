//! What it is: one client in one namespace, as the model has it: its stage, its rooms, and what it was asked.
//! What it is not: a client, whose connection may end with all its seats.
//! Who calls it: `members`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::member::Request;

/// How far a client has come.
#[derive(Debug, Default)]
pub(crate) enum Stage {
    /// It has never joined, or has left.
    #[default]
    Out,
    /// Its connect handler runs so long; its events wait.
    Connecting {
        until: u64,
        waiting: VecDeque<(Request, u64)>,
    },
    In,
    /// It was refused or made to leave: what it sends is ignored until it joins again.
    Gone,
}

/// A question of the server's that was not answered.
#[derive(Debug)]
struct Question {
    number: u64,
    due: u64,
}

/// One client in one namespace.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    pub(crate) stage: Stage,
    pub(crate) rooms: BTreeSet<&'static str>,
    /// Attachments of events by their numbers.
    pub(crate) uploads: BTreeMap<u64, Vec<String>>,
    /// Answers to nothing.
    pub(crate) unknown: u32,
    questions: Vec<Question>,
    /// Questions that were given up, whose answers may yet come.
    given_up: u32,
}

impl Seat {
    pub(crate) fn at(stage: Stage) -> Self {
        Self { stage, ..Self::default() }
    }

    /// The server asks, and waits so long.
    pub(crate) fn ask(&mut self, number: u64, due: u64) {
        self.questions.push(Question { number, due });
    }

    /// How many answers the client owes.
    pub(crate) fn pending(&self) -> usize {
        self.questions.len()
    }

    /// An answer came. Says whether somebody waits for it.
    pub(crate) fn answer(&mut self, number: u64) -> bool {
        let before = self.questions.len();
        self.questions.retain(|question| question.number != number);
        let is_expected = self.questions.len() < before;
        match self.given_up.checked_sub(1) {
            _ if is_expected => {}
            Some(given_up) => self.given_up = given_up,
            None => self.unknown += 1,
        }
        is_expected
    }

    /// The question whose time is over.
    pub(crate) fn give_up(&mut self, now: u64) -> Option<u64> {
        let at = self.questions.iter().position(|question| question.due == now)?;
        self.given_up += 1;
        Some(self.questions.remove(at).number)
    }

    /// When a wait ends next.
    pub(crate) fn next_end(&self) -> Option<u64> {
        let until = match self.stage {
            Stage::Connecting { until, .. } => Some(until),
            _ => None,
        };
        self.questions.iter().map(|question| question.due).chain(until).min()
    }
}
