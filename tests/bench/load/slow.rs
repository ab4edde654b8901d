//! What it is: the scenario of one member who stops reading while broadcasts to its room go on.
//! What it is not: a flood: the others read with ease.
//! Who calls it: `main`.

use std::time::Duration;

use crate::{
    Failure, Run,
    measured::Report,
    pace::{self, Paced},
    process::Memory,
    room::Rooms,
};

/// Members, with the slow one.
const MEMBERS: usize = 101;
/// Bytes of a message.
const LENGTH: usize = 16 * 1024;
/// What the event has beside it, with the header of its frame.
const AROUND: usize = 4 + 12;
/// Messages in a second.
const PACE: u32 = 100;
/// What is under way to the slow member comes without such a pause.
const PAUSE: Duration = Duration::from_secs(1);

/// How the others fare while all read, and while one does not; what became of that one.
pub(crate) fn reader(run: &Run) -> Result<Report, Failure> {
    let mut room = Rooms::one(run.port, MEMBERS, LENGTH)?;
    let before = Run { time: run.time / 2, ..run.clone() };
    let Paced { mut measured, .. } = pace::keep(&before, &mut room, PACE)?;
    let p99 = measured.percentile(0.99);

    let memory = Memory::of(&run.pid)?;
    let mut slow = room.let_go()?;
    let after = Run { warm_up: Duration::ZERO, ..run.clone() };
    let Paced { mut measured, in_time } = pace::keep(&after, &mut room, PACE)?;
    let p99_beside = measured.percentile(0.99);
    let held = Memory::of(&run.pid)?.rss - memory.rss;
    let (bytes, is_closed) = slow.drain(PAUSE)?;
    let sent = f64::from(PACE) * run.time.as_secs_f64();
    Ok(vec![
        ("p99_us", p99),
        ("p99_beside_us", p99_beside),
        ("slow_ratio", p99_beside / p99),
        ("in_time", in_time),
        ("held_mb", held / 1e6),
        ("slow_heard", (bytes / (LENGTH + AROUND)) as f64 / sent),
        ("slow_closed", f64::from(u8::from(is_closed))),
    ])
}
