//! What it is: scenarios that ask whether a delivery costs the same in rooms of any size, and among any number of them.
//! What it is not: a comparison of servers: each is compared with itself.
//! Who calls it: `main`.

use crate::{Failure, Run, echo::LENGTH, measured::Report, pace, room::Rooms};

/// Members of the room, in turn.
const SIZES: [usize; 3] = [100, 1_000, 10_000];
/// Deliveries in a second, when paced.
const DELIVERIES: usize = 100_000;
/// Rooms that there are, in turn; messages go to the first, which has one member.
const ROOMS: [usize; 3] = [1, 100, 10_000];
/// Clients that the other rooms are spread over.
const CLIENTS: usize = 100;

/// A part of the time for each of a scenario's figures.
fn part(run: &Run) -> Run {
    Run { warm_up: run.warm_up / 2, time: run.time / 2, ..run.clone() }
}

/// A message is sent once one of those under way has come to all members.
pub(crate) fn flat(run: &Run) -> Result<Report, Failure> {
    let (part, mut report) = (part(run), Report::new());
    let mut room = Rooms::one(run.port, 0, LENGTH)?;
    for (members, name) in SIZES.into_iter().zip(["flat_100_us", "flat_1000_us", "flat_10000_us"]) {
        room.fill(run.port, members)?;
        report.push((name, room.flat_out(&part)?.server_each()?));
    }
    Ok(report)
}

/// Messages come at a pace that makes as many deliveries in a room of any size.
pub(crate) fn paced(run: &Run) -> Result<Report, Failure> {
    let (part, mut report) = (part(run), Report::new());
    let mut room = Rooms::one(run.port, 0, LENGTH)?;
    for (members, name) in SIZES.into_iter().zip(["paced_100_us", "paced_1000_us", "paced_10000_us"]) {
        room.fill(run.port, members)?;
        let rate = u32::try_from(DELIVERIES / members)?;
        report.push((name, pace::keep(&part, &mut room, rate)?.measured.server_each()?));
    }
    Ok(report)
}

/// Messages go to one of ever more rooms.
pub(crate) fn lookup(run: &Run) -> Result<Report, Failure> {
    let (part, mut report) = (part(run), Report::new());
    let mut room = Rooms::one(run.port, 1, LENGTH)?;
    room.set_members(1, |_, client| client == 1);
    let mut there = 1;
    for (rooms, name) in ROOMS.into_iter().zip(["rooms_1_us", "rooms_100_us", "rooms_10000_us"]) {
        let names: Vec<_> = (there..rooms).map(|other| format!("other {other}")).collect();
        for some in names.chunks(names.len().div_ceil(CLIENTS).max(1)) {
            room.admit(run.port, some)?;
        }
        there = rooms;
        report.push((name, room.flat_out(&part)?.server_each()?));
    }
    Ok(report)
}
