//! What it is: rooms, their members, and one client more, which has messages cast to the rooms in turn.
//! What it is not: a test that nothing is lost: paced, that is a figure.
//! Who calls it: the scenarios of broadcasts.

use std::time::{Duration, Instant};

use crate::{
    Failure, Run,
    client::{self, unexpected, wait_for},
    connection::{Connection, PATIENCE},
    frame,
    measured::Measured,
    pace::{self, DIGITS, Numbered},
    swarm::Swarm,
};

/// Messages under way, when not paced.
const IN_FLIGHT: usize = 16;
/// What an event to a member starts with.
const START: &[u8] = b"42[\"msg\",\"";

/// The rooms that are cast to, and all clients.
pub(crate) struct Rooms {
    /// First the client that casts, then the members.
    swarm: Swarm,
    names: Vec<String>,
    /// Members of each room.
    size: usize,
    /// Whether a client is a member: the room's number, the client's number.
    is_member: fn(usize, usize) -> bool,
    /// Of each client the number behind the last message that it has heard.
    heard: Vec<usize>,
    /// Deliveries that came behind a later message.
    reordered: usize,
    /// Deliveries that are due of each message.
    missing: Vec<usize>,
    pong: Vec<u8>,
    filler: String,
    /// What an event to a member ends with.
    end: Vec<u8>,
}

impl Rooms {
    /// Rooms without members, for messages of so many bytes.
    pub(crate) fn empty(port: u16, names: Vec<String>, length: usize) -> Result<Self, Failure> {
        let mut swarm = Swarm::new(frame::websocket)?;
        swarm.push(client::join(port)?)?;
        let filler = "m".repeat(length - DIGITS);
        let end = format!("{filler}\"]").into_bytes();
        let (heard, pong) = (vec![0], frame::text("3"));
        let is_member = |_, _| true;
        Ok(Self { swarm, names, size: 0, is_member, heard, reordered: 0, missing: Vec::new(), pong, filler, end })
    }

    /// One room, of the name that floors know, with so many members.
    pub(crate) fn one(port: u16, members: usize, length: usize) -> Result<Self, Failure> {
        let mut room = Self::empty(port, vec!["room".into()], length)?;
        room.fill(port, members)?;
        Ok(room)
    }

    /// Has members join the one room, until there are so many.
    pub(crate) fn fill(&mut self, port: u16, members: usize) -> Result<(), Failure> {
        while self.size < members {
            self.admit(port, &self.names.clone())?;
            self.size += 1;
        }
        Ok(())
    }

    /// Says who is a member, where not all are members of all rooms, and how many each room has.
    pub(crate) fn set_members(&mut self, size: usize, is_member: fn(usize, usize) -> bool) {
        (self.size, self.is_member) = (size, is_member);
    }

    /// One more client, in these rooms.
    pub(crate) fn admit(&mut self, port: u16, names: &[String]) -> Result<(), Failure> {
        let mut member = client::join(port)?;
        join(&mut member, names)?;
        self.swarm.push(member)?;
        self.heard.push(0);
        Ok(())
    }

    /// From here on nothing is read from the last member, nor due to it.
    pub(crate) fn let_go(&mut self) -> Result<Connection, Failure> {
        self.size -= 1;
        self.swarm.pop()
    }

    /// The share of deliveries that did not come in order.
    pub(crate) fn reordered(&self) -> f64 {
        let delivered: usize = self.missing.iter().map(|missing| self.size - missing.min(&self.size)).sum();
        self.reordered as f64 / delivered as f64
    }

    /// Waits so long at most, and shows for each delivery its message's number, and how many of this are still due.
    fn hear(&mut self, wait: Duration, mut delivered: impl FnMut(usize, usize)) -> Result<(), Failure> {
        let Self { swarm, names, is_member, heard, reordered, missing, pong, end, .. } = self;
        swarm.turn(wait, |at, connection, (_, payload)| {
            if payload == b"2" {
                return connection.send(pong);
            }
            let number = pace::number(payload, START, end).ok_or_else(|| unexpected(payload))?;
            if !is_member(number % names.len(), at) {
                return Err(format!("message {number} came to a client outside its room").into());
            }
            let missing = missing.get_mut(number).filter(|missing| **missing > 0);
            let missing = missing.ok_or_else(|| format!("message {number} came too often"))?;
            *missing -= 1;
            *reordered += usize::from(number < heard[at]);
            heard[at] = heard[at].max(number + 1);
            delivered(number, *missing);
            Ok(())
        })
    }

    /// Sends a message once one of those under way has come to all members; in the end waits for all.
    pub(crate) fn flat_out<'a>(&mut self, run: &'a Run) -> Result<Measured<'a>, Failure> {
        let (base, start) = (self.next(), Instant::now());
        let (mut sent, mut under_way, mut heard_last, mut measured) = (Vec::new(), 0, start, None);
        loop {
            if measured.is_none() && start.elapsed() >= run.warm_up {
                measured = Some(Measured::begin(&run.pid)?);
            }
            if start.elapsed() < run.warm_up + run.time {
                for _ in under_way..IN_FLIGHT {
                    self.send()?;
                    sent.push(Instant::now());
                }
                under_way = IN_FLIGHT;
            } else if under_way == 0 {
                return measured.ok_or_else(|| "no time to measure".into());
            }
            self.hear(Duration::from_millis(100), |number, missing| {
                heard_last = Instant::now();
                under_way -= usize::from(missing == 0);
                if let Some(measured) = &mut measured {
                    measured.count(heard_last - sent[number - base]);
                }
            })?;
            if heard_last.elapsed() > PATIENCE {
                return Err("messages were lost".into());
            }
        }
    }
}

impl Numbered for Rooms {
    fn next(&self) -> usize {
        self.missing.len()
    }

    fn send(&mut self) -> Result<(), Failure> {
        let (number, filler) = (self.next(), &self.filler);
        let name = &self.names[number % self.names.len()];
        self.missing.push(self.size);
        let event = format!("42[\"cast\",\"{name}\",\"{number:0DIGITS$}{filler}\"]");
        self.swarm.connection(0).send(&frame::text(&event))
    }

    fn due_of_each(&self) -> usize {
        self.size
    }

    fn turn(&mut self, wait: Duration, mut heard: impl FnMut(usize)) -> Result<(), Failure> {
        self.hear(wait, |number, _| heard(number))
    }
}

/// Has a client join rooms, and waits until it has.
pub(crate) fn join(client: &mut Connection, names: &[String]) -> Result<(), Failure> {
    for name in names {
        client.send(&frame::text(&format!("420[\"join\",\"{name}\"]")))?;
    }
    names.iter().try_for_each(|_| wait_for(client, b"430["))
}
