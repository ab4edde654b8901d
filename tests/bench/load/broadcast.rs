//! What it is: scenarios of one room with 1,000 members, to which one more client has messages cast.
//! What it is not: a test that nothing is lost: paced, that is a figure.
//! Who calls it: `main`.

use std::time::{Duration, Instant};

use crate::{
    Failure, Run,
    client::{self, unexpected, wait_for},
    connection::PATIENCE,
    echo::LENGTH,
    frame,
    measured::{Measured, Report},
    swarm::Swarm,
};

const MEMBERS: usize = 1_000;
/// Messages in a second, when paced.
const PACE: u32 = 200;
/// A delivery is in time if it comes so long after its message should have been sent, or earlier.
const IN_TIME: Duration = Duration::from_millis(100);
/// How long a paced server may go on after the last message.
const GRACE: Duration = Duration::from_secs(5);
/// Messages under way, when not paced.
const IN_FLIGHT: usize = 16;
/// Digits of a message's number.
const DIGITS: usize = 8;
/// What an event to a member starts with.
const START: &[u8] = b"42[\"msg\",\"";

/// The members, the client that casts behind them, and the number behind the last one each has heard.
struct Room {
    swarm: Swarm,
    heard: Vec<usize>,
    /// Deliveries that came behind a later message.
    reordered: usize,
    /// Deliveries that are due of each message.
    missing: Vec<usize>,
    pong: Vec<u8>,
    /// What an event to a member ends with.
    end: Vec<u8>,
}

impl Room {
    fn full(port: u16) -> Result<Self, Failure> {
        let mut clients = (0..=MEMBERS).map(|_| client::join(port)).collect::<Result<Vec<_>, _>>()?;
        for member in &mut clients[..MEMBERS] {
            member.send(&frame::text("420[\"join\",\"room\"]"))?;
            wait_for(member, b"430[")?;
        }
        let end = format!("{}\"]", "m".repeat(LENGTH - DIGITS)).into_bytes();
        let swarm = Swarm::new(clients, frame::websocket)?;
        Ok(Self { swarm, heard: vec![0; MEMBERS], reordered: 0, missing: Vec::new(), pong: frame::text("3"), end })
    }

    /// Has the next message sent to all members.
    fn cast(&mut self) -> Result<(), Failure> {
        let number = self.missing.len();
        self.missing.push(MEMBERS);
        let filler = "m".repeat(LENGTH - DIGITS);
        let event = format!("42[\"cast\",\"room\",\"{number:0DIGITS$}{filler}\"]");
        self.swarm.connection(MEMBERS).send(&frame::text(&event))
    }

    /// Waits so long at most, and shows for each delivery its message's number, and how many of this are still due.
    fn turn(&mut self, wait: Duration, mut delivered: impl FnMut(usize, usize)) -> Result<(), Failure> {
        let Self { swarm, heard, reordered, missing, pong, end } = self;
        swarm.turn(wait, |at, connection, (_, payload)| {
            if payload == b"2" {
                return connection.send(pong);
            }
            let number = payload.strip_prefix(START).and_then(|rest| rest.strip_suffix(&end[..]));
            let number = number.filter(|digits| digits.len() == DIGITS && digits.iter().all(u8::is_ascii_digit));
            let number = number.ok_or_else(|| unexpected(payload))?;
            let number = number.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
            let missing = missing.get_mut(number).filter(|missing| **missing > 0);
            let missing = missing.ok_or_else(|| format!("message {number} came too often"))?;
            *missing -= 1;
            *reordered += usize::from(number < heard[at]);
            heard[at] = heard[at].max(number + 1);
            delivered(number, *missing);
            Ok(())
        })
    }

    /// What was measured, with the share of deliveries that did not come in order.
    fn report(&self, measured: Measured<'_>) -> Result<Report, Failure> {
        let mut report = measured.report()?;
        let delivered = self.missing.iter().map(|missing| MEMBERS - missing).sum::<usize>();
        report.push(("reordered", self.reordered as f64 / delivered as f64));
        Ok(report)
    }
}

/// Messages come at a pace, whatever becomes of those before. Latency counts from when a message should have been sent.
pub(crate) fn paced(run: &Run) -> Result<Report, Failure> {
    let mut room = Room::full(run.port)?;
    let first = (run.warm_up().as_secs_f64() * f64::from(PACE)) as usize;
    let last = first + (run.time.as_secs_f64() * f64::from(PACE)) as usize;
    let due = {
        let start = Instant::now();
        move |number: usize| start + Duration::from_secs(1) / PACE * u32::try_from(number).expect("minutes at most")
    };
    let (mut next, mut left, mut in_time, mut measured) = (0, last * MEMBERS, 0, None);
    while left > 0 && Instant::now() < due(last) + GRACE {
        while next < last && due(next) <= Instant::now() {
            if next == first {
                measured = Some(Measured::begin(&run.pid)?);
            }
            room.cast()?;
            next += 1;
        }
        let wait = if next < last { due(next).saturating_duration_since(Instant::now()) } else { IN_TIME };
        // The kernel waits for whole milliseconds; the last one is spent asking.
        let wait = Duration::from_millis(u64::try_from(wait.as_millis())?.saturating_sub(1));
        room.turn(wait, |number, _| {
            left -= 1;
            if let Some(measured) = &mut measured {
                let latency = Instant::now() - due(number);
                measured.count(latency);
                in_time += usize::from(number >= first && latency <= IN_TIME);
            }
        })?;
    }
    let measured = measured.ok_or("no time to measure")?;
    let mut report = room.report(measured)?;
    report.push(("in_time", in_time as f64 / ((last - first) * MEMBERS) as f64));
    Ok(report)
}

/// A message is sent once one of those under way has come to all members.
pub(crate) fn flat(run: &Run) -> Result<Report, Failure> {
    let mut room = Room::full(run.port)?;
    let mut sent = Vec::new();
    let mut measured = None;
    let mut until = Instant::now() + run.warm_up();
    let mut heard_last = Instant::now();
    let mut under_way = 0;
    loop {
        let now = Instant::now();
        if now >= until {
            if let Some(measured) = measured {
                return room.report(measured);
            }
            measured = Some(Measured::begin(&run.pid)?);
            until = Instant::now() + run.time;
        }
        for _ in under_way..IN_FLIGHT {
            room.cast()?;
            sent.push(Instant::now());
        }
        under_way = IN_FLIGHT;
        room.turn(Duration::from_millis(100), |number, missing| {
            heard_last = Instant::now();
            under_way -= usize::from(missing == 0);
            if let Some(measured) = &mut measured {
                measured.count(heard_last - sent[number]);
            }
        })?;
        if heard_last.elapsed() > PATIENCE {
            return Err("messages were lost".into());
        }
    }
}
