//! What it is: the scenario of broadcasts that ask for acks: a client has the 100 members of a room asked.
//! What it is not: a test of answers that do not come.
//! Who calls it: `main`.

use std::{
    str,
    time::{Duration, Instant},
};

use crate::{
    Failure, Run,
    client::{self, unexpected},
    connection::PATIENCE,
    echo::LENGTH,
    frame,
    measured::{Measured, Report},
    room,
    swarm::Swarm,
};

const MEMBERS: usize = 100;
/// Questions under way.
const IN_FLIGHT: usize = 16;

/// The next question is asked once all have answered one of those under way.
pub(crate) fn ask(run: &Run) -> Result<Report, Failure> {
    let mut swarm = Swarm::new(frame::websocket)?;
    // The one who asks, then the members.
    swarm.push(client::join(run.port)?)?;
    for _ in 0..MEMBERS {
        let mut member = client::join(run.port)?;
        room::join(&mut member, &["room".into()])?;
        swarm.push(member)?;
    }
    let (text, pong) = ("q".repeat(LENGTH), frame::text("3"));
    let end = format!("[\"question\",\"{text}\"]");
    let questions: Vec<_> =
        (0..IN_FLIGHT).map(|id| frame::text(&format!("42{id}[\"ask\",\"room\",\"{text}\"]"))).collect();
    let complete: Vec<_> = (0..IN_FLIGHT).map(|id| format!("43{id}[{MEMBERS}]").into_bytes()).collect();
    questions.iter().try_for_each(|question| swarm.connection(0).send(question))?;

    let start = Instant::now();
    let (mut asked, mut last, mut measured) = ([start; IN_FLIGHT], start, None);
    while start.elapsed() < run.warm_up + run.time {
        if measured.is_none() && start.elapsed() >= run.warm_up {
            measured = Some(Measured::begin(&run.pid)?);
        }
        swarm.turn(Duration::from_millis(100), |at, connection, (_, payload)| {
            if payload == b"2" {
                return connection.send(&pong);
            }
            if at > 0 {
                let id = payload.strip_prefix(b"42").and_then(|rest| rest.strip_suffix(end.as_bytes()));
                let id = id.filter(|id| id.iter().all(u8::is_ascii_digit)).ok_or_else(|| unexpected(payload))?;
                return connection.send(&frame::text(&format!("43{}[\"yes\"]", str::from_utf8(id)?)));
            }
            let question = complete.iter().position(|complete| complete == payload);
            let question = question.ok_or_else(|| unexpected(payload))?;
            last = Instant::now();
            if let Some(measured) = &mut measured {
                (0..MEMBERS).for_each(|_| measured.count(last - asked[question]));
            }
            asked[question] = last;
            connection.send(&questions[question])
        })?;
        if last.elapsed() > PATIENCE {
            return Err("answers were lost".into());
        }
    }
    measured.ok_or("no time to measure")?.report()
}
