//! What it is: the server's pings of one session of revision 4, and the pongs that answer none of them.
//! What it is not: aware of time: `model` tells when a ping was queued.
//! Who calls it: `model`, for each ping that is queued or leaves and for each pong.

/// Pongs that nobody asked for which may come between two pings.
pub(crate) const MAX_UNSOLICITED: u32 = 3;

/// The last ping, and the pongs since.
#[derive(Debug)]
pub(crate) struct Pings {
    last: Ping,
    unsolicited: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum Ping {
    Waits,
    Left,
    Answered,
}

/// What a pong is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pong {
    Due,
    Unsolicited,
    TooMany,
}

impl Pings {
    pub(crate) fn new() -> Self {
        Self { last: Ping::Answered, unsolicited: 0 }
    }

    /// The session queued a ping.
    pub(crate) fn queued(&mut self) {
        assert_ne!(self.last, Ping::Waits, "no ping comes before the last one has left");
        *self = Self { last: Ping::Waits, unsolicited: 0 };
    }

    /// What waited has left, and a ping with it, if there was one.
    pub(crate) fn leave(&mut self) {
        if self.last == Ping::Waits {
            self.last = Ping::Left;
        }
    }

    /// A pong comes.
    pub(crate) fn pong(&mut self) -> Pong {
        if self.last == Ping::Left {
            self.last = Ping::Answered;
            return Pong::Due;
        }
        self.unsolicited += 1;
        if self.unsolicited > MAX_UNSOLICITED { Pong::TooMany } else { Pong::Unsolicited }
    }
}
