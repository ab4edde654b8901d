//! What it is: scenarios of broadcasts to rooms of which all members read.
//! What it is not: a comparison of sizes of rooms, which is in `scale`.
//! Who calls it: `main`.

use crate::{
    Failure, Run,
    echo::LENGTH,
    measured::Report,
    pace::{self, Paced},
    room::Rooms,
};

/// Members of a room that is alone.
const MEMBERS: usize = 1_000;
/// Messages in a second, when paced.
const PACE: u32 = 200;
/// Messages in a second, where latency is looked at.
const EASY_PACE: u32 = 100;

/// Rooms beside each other. A client is in every tenth of them, so that each has a hundred members.
const ROOMS: usize = 100;
const EVERY: usize = 10;

/// Messages come at a pace, whatever becomes of those before.
pub(crate) fn paced(run: &Run) -> Result<Report, Failure> {
    at_pace(run, PACE)
}

/// The same, at a pace that leaves a server half of its time.
pub(crate) fn latency(run: &Run) -> Result<Report, Failure> {
    at_pace(run, EASY_PACE)
}

fn at_pace(run: &Run, rate: u32) -> Result<Report, Failure> {
    let mut room = Rooms::one(run.port, MEMBERS, LENGTH)?;
    let Paced { measured, in_time } = pace::keep(run, &mut room, rate)?;
    let mut report = measured.report()?;
    report.extend([("reordered", room.reordered()), ("in_time", in_time)]);
    Ok(report)
}

/// A message is sent once one of those under way has come to all members.
pub(crate) fn flat(run: &Run) -> Result<Report, Failure> {
    flat_out(run, Rooms::one(run.port, MEMBERS, LENGTH)?)
}

/// The same to a hundred rooms in turn.
pub(crate) fn rooms(run: &Run) -> Result<Report, Failure> {
    let names: Vec<_> = (0..ROOMS).map(|room| format!("room {room}")).collect();
    let is_member = |room: usize, client: usize| room % EVERY == client % EVERY;
    let mut rooms = Rooms::empty(run.port, names.clone(), LENGTH)?;
    for client in 1..=MEMBERS {
        let names: Vec<_> = names
            .iter()
            .enumerate()
            .filter(|(room, _)| is_member(*room, client))
            .map(|(_, name)| name.clone())
            .collect();
        rooms.admit(run.port, &names)?;
    }
    rooms.set_members(MEMBERS / EVERY, is_member);
    flat_out(run, rooms)
}

fn flat_out(run: &Run, mut rooms: Rooms) -> Result<Report, Failure> {
    let mut report = rooms.flat_out(run)?.report()?;
    report.push(("reordered", rooms.reordered()));
    Ok(report)
}
