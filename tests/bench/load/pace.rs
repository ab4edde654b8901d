//! What it is: an open loop: messages are sent when they are due, whatever became of those before.
//! What it is not: a loop that waits for answers; a server that is late is measured as late.
//! Who calls it: scenarios in which latency counts from when something should have been sent.

use std::time::{Duration, Instant};

use crate::{Failure, Run, measured::Measured};

/// Something is in time if it comes so long after its message should have been sent, or earlier.
const IN_TIME: Duration = Duration::from_millis(100);
/// How long a server may go on after the last message.
const GRACE: Duration = Duration::from_secs(5);

/// Digits of a message's number.
pub(crate) const DIGITS: usize = 8;

/// The number of a message, which is between what is the same in all.
pub(crate) fn number(payload: &[u8], start: &[u8], end: &[u8]) -> Option<usize> {
    let number = payload.strip_prefix(start)?.strip_suffix(end)?;
    let is_number = number.len() == DIGITS && number.iter().all(u8::is_ascii_digit);
    is_number.then(|| number.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}

/// Clients that send numbered messages, of which something comes back.
pub(crate) trait Numbered {
    /// The number of the next message.
    fn next(&self) -> usize;

    /// Sends the next message.
    fn send(&mut self) -> Result<(), Failure>;

    /// How much should come back of each message.
    fn due_of_each(&self) -> usize;

    /// Waits so long at most, and shows for all that came back the number of its message.
    fn turn(&mut self, wait: Duration, heard: impl FnMut(usize)) -> Result<(), Failure>;
}

/// What came of messages at a pace.
pub(crate) struct Paced<'a> {
    pub(crate) measured: Measured<'a>,
    /// What came in time, of all that was due.
    pub(crate) in_time: f64,
}

/// Sends so many messages a second, and measures those after the warm-up.
pub(crate) fn keep<'a>(run: &'a Run, clients: &mut impl Numbered, rate: u32) -> Result<Paced<'a>, Failure> {
    let base = clients.next();
    let first = base + (run.warm_up.as_secs_f64() * f64::from(rate)) as usize;
    let last = first + (run.time.as_secs_f64() * f64::from(rate)) as usize;
    let start = Instant::now();
    let due = |number: usize| start + Duration::from_secs_f64((number - base) as f64 / f64::from(rate));
    let (mut left, mut in_time, mut measured) = ((last - base) * clients.due_of_each(), 0, None);
    while left > 0 && Instant::now() < due(last) + GRACE {
        while clients.next() < last && due(clients.next()) <= Instant::now() {
            if clients.next() == first {
                measured = Some(Measured::begin(&run.pid)?);
            }
            clients.send()?;
        }
        let wait = match clients.next() {
            next if next < last => due(next).saturating_duration_since(Instant::now()),
            _ => IN_TIME,
        };
        // The kernel waits for whole milliseconds; the last one is spent asking.
        let wait = Duration::from_millis(u64::try_from(wait.as_millis())?.saturating_sub(1));
        clients.turn(wait, |number| {
            if number < base {
                return;
            }
            left -= 1;
            if let Some(measured) = &mut measured {
                let latency = Instant::now() - due(number);
                measured.count(latency);
                in_time += usize::from(number >= first && latency <= IN_TIME);
            }
        })?;
    }
    let in_time = in_time as f64 / ((last - first) * clients.due_of_each()) as f64;
    Ok(Paced { measured: measured.ok_or("no time to measure")?, in_time })
}
