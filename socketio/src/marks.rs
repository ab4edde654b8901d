//! What it is: how far a client surely is in its namespace's history, by what its connection has shown.
//! What it is not: a word of the client's own, as an offset is; nor a queue, as two marks are enough.
//! Who calls it: `peer`, whenever something was sent to it and when its client comes back.

use engineio::Progress;

/// Places where the history and what a connection was sent are known to be at the same point.
///
/// A connection asks for one confirmation at a time, and what is confirmed is what was sent before it asked. So the
/// last mark is kept before it asks, and is the one that counts once that is answered.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// The position in the history up to which the client has everything.
    confirmed: u64,
    /// What it has when it confirms what it is asked now.
    asked: Option<Mark>,
    /// What it was sent last.
    last: Option<Mark>,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    /// In what the connection was sent.
    sent: u64,
    /// In the history.
    position: u64,
}

impl Marks {
    /// The connection took everything that is for the client up to this position, and is there now.
    pub(crate) fn note(&mut self, position: u64, progress: Progress) {
        self.confirm(progress);
        self.last = Some(Mark { sent: progress.queued, position });
    }

    /// The position up to which the client has everything, if its connection is there now.
    pub(crate) fn confirm(&mut self, progress: Progress) -> u64 {
        for mark in [&mut self.asked, &mut self.last] {
            if let Some(mark) = mark.take_if(|mark| mark.sent <= progress.confirmed) {
                self.confirmed = mark.position;
            }
        }
        if self.asked.is_none() {
            self.asked = self.last.take_if(|mark| mark.sent <= progress.asked);
        }
        self.confirmed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of what is sent or asked, as `position queued asked confirmed`, a dash for no event, and what the client
    /// surely has then.
    fn check(rows: &[(&str, u64)]) {
        let mut marks = Marks::default();
        for (row, expected) in rows {
            let numbers: Vec<Option<u64>> = row.split(' ').map(|number| number.parse().ok()).collect();
            let [position, Some(queued), Some(asked), Some(confirmed)] = numbers[..] else { panic!("four: {row}") };
            let progress = Progress { queued, asked, confirmed };
            if let Some(position) = position {
                marks.note(position, progress);
            }
            assert_eq!(marks.confirm(progress), *expected, "{row} of {rows:?}");
        }
    }

    #[test]
    fn what_was_sent_before_an_answered_question_is_confirmed() {
        // Events 5 and 6, a ping, event 7, its answer, a ping, the end.
        check(&[("5 1 0 0", 0), ("6 2 0 0", 0), ("7 4 3 0", 0), ("- 4 3 3", 6), ("- 5 5 3", 6), ("- 5 5 5", 7)]);
        // What comes while a question is open does not put off what it is about.
        check(&[("1 1 0 0", 0), ("2 3 2 0", 0), ("3 4 2 0", 0), ("4 5 2 2", 1), ("5 7 6 2", 1), ("6 8 6 6", 4)]);
        // An answer and the next question between two events.
        check(&[("1 1 0 0", 0), ("2 3 2 0", 0), ("3 5 4 2", 1), ("- 5 4 4", 2)]);
        // A question that comes before another is answered waits for the next.
        check(&[("1 1 1 0", 0), ("2 2 2 0", 0), ("3 3 2 1", 1), ("- 3 3 3", 3)]);
        check(&[("- 9 9 9", 0), ("1 9 9 9", 1)]);
    }
}
