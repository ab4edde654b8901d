//! What it is: the frames that wait for one client, bounded in bytes. Empty, it owns no heap.
//! What it is not: the queue of a carrier; what that took is counted here until it has left.
//! Who calls it: `session` only.

use std::collections::VecDeque;

use crate::{config::Config, frame::Frame, protocol::Encoding};

/// Frames handed to a WebSocket at a time: one `writev` takes as many slices without splitting.
const BATCH_FRAMES: usize = 64;

/// Bytes handed to a WebSocket at a time, but always one frame: what left the outbox is no longer bounded by it.
const BATCH_BYTES: usize = 64 * 1024;

/// Above this many slots a drained queue gives its memory back.
const KEPT_SLOTS: usize = 8;

/// Frames waiting, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// How many of them, the first ones, were put before all others: they have no position.
    ahead: u64,
    /// Bytes that were ever queued.
    total: u64,
    /// Frames that were ever queued behind others: the position of the last one.
    queued: u64,
    /// The position of the last ping.
    ping: u64,
    /// The position up to which the last GET was answered.
    given: u64,
    /// The position up to which the client has shown to have everything.
    confirmed: u64,
    /// Frames that a WebSocket took and has yet to write.
    writing: u64,
    /// Bytes of these, and of those before them without a position.
    writing_bytes: u64,
    /// Frames that have left and were not told yet.
    left: u64,
    /// Bytes that have, likewise.
    left_bytes: u64,
    /// Nobody is to be told of them.
    untold: bool,
    /// Frames that will never leave.
    lost: u64,
    /// What waits may go on waiting: all of it was sent corked, and it is less than a batch.
    corked: bool,
    /// Somebody has it in mind to uncork it.
    noted: bool,
    /// How many want that nothing leaves just now.
    seals: u16,
}

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) bytes: usize,
    pub(crate) messages: usize,
}

/// How far a client has come in what it was sent: positions in the order of sending, which begin with 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// What was queued last, be it here, under way or there.
    pub queued: u64,
    /// What the client is asked to confirm, or has confirmed: everything up to a ping, or in answers to its GETs.
    pub asked: u64,
    /// What surely arrived, up to here: behind it a ping was answered, or a GET came after the one that brought it.
    /// It stays when the session has ended. In revision 3 only GETs confirm, as there clients send the pings.
    pub confirmed: u64,
}

/// The outbox holds its limit already; nothing was queued.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Limit {
    pub(crate) fn of(config: &Config) -> Self {
        Self { bytes: config.max_outbox_bytes, messages: config.max_outbox_messages }
    }
}

impl Outbox {
    /// Queues frames, all or none. What is over the limit by its last push only is let pass,
    /// so that a message of any size can leave through an idle session.
    pub(crate) fn push(&mut self, frames: impl IntoIterator<Item = Frame>, limit: Limit) -> Result<(), Full> {
        if self.bytes >= limit.bytes || self.frames.len() >= limit.messages {
            return Err(Full);
        }
        frames.into_iter().for_each(|frame| self.push_control(frame));
        Ok(())
    }

    /// Queues frames as [`push`](Self::push) does, and lets them wait for more unless others are to leave. Says whether
    /// somebody has to have in mind to [`uncork`](Self::uncork) them, which nobody has yet.
    pub(crate) fn push_corked(&mut self, frames: impl IntoIterator<Item = Frame>, limit: Limit) -> Result<bool, Full> {
        let is_leaving = !self.frames.is_empty() && !self.corked;
        self.push(frames, limit)?;
        self.corked = !is_leaving && self.frames.len() < BATCH_FRAMES && self.bytes < BATCH_BYTES;
        let is_news = self.corked && !self.noted;
        self.noted |= is_news;
        Ok(is_news)
    }

    /// What waits is to leave.
    pub(crate) fn uncork(&mut self) {
        (self.corked, self.noted) = (false, false);
    }

    /// Nothing leaves until it is unsealed as often.
    pub(crate) fn seal(&mut self) {
        self.seals += 1;
    }

    pub(crate) fn unseal(&mut self) {
        self.seals = self.seals.saturating_sub(1);
    }

    /// What waits may leave, whoever sealed it.
    pub(crate) fn break_seals(&mut self) {
        self.seals = 0;
    }

    /// Whether frames wait that are to leave.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.is_empty() && !self.corked
    }

    /// Queues a frame of the protocol's own, which no limit holds back.
    pub(crate) fn push_control(&mut self, frame: Frame) {
        self.queued += 1;
        self.total += frame.size() as u64;
        self.bytes += frame.size();
        self.corked = false;
        self.frames.push_back(frame);
    }

    /// Queues a ping.
    pub(crate) fn push_ping(&mut self) {
        self.push_control(Frame::ping());
        self.ping = self.queued;
    }

    /// Queues a frame of the protocol's own before all others.
    pub(crate) fn push_first(&mut self, frame: Frame) {
        self.ahead += 1;
        self.bytes += frame.size();
        self.corked = false;
        self.frames.push_front(frame);
    }

    /// Moves up to one batch into the queue of a WebSocket. Says whether there was anything.
    pub(crate) fn take_batch(&mut self, encoding: Encoding, queue: &mut VecDeque<Frame>) -> bool {
        if self.is_empty() {
            return false;
        }
        let mut taken = 0;
        for _ in 0..BATCH_FRAMES {
            let Some(frame) = self.frames.pop_front() else { break };
            match self.ahead.checked_sub(1) {
                Some(ahead) => self.ahead = ahead,
                None => self.writing += 1,
            }
            taken += frame.size();
            queue.push_back(frame.for_websocket(encoding));
            if taken >= BATCH_BYTES {
                break;
            }
        }
        self.bytes -= taken;
        self.writing_bytes += taken as u64;
        if self.frames.is_empty() && self.frames.capacity() > KEPT_SLOTS {
            self.frames = VecDeque::new();
        }
        taken > 0
    }

    /// Takes everything, for the body of one polling answer.
    pub(crate) fn take_all(&mut self) -> Vec<Frame> {
        if self.is_empty() {
            return Vec::new();
        }
        self.leave(self.queue(), self.bytes as u64);
        self.given = self.queued;
        (self.bytes, self.ahead) = (0, 0);
        std::mem::take(&mut self.frames).into()
    }

    /// The WebSocket has written all that it took.
    pub(crate) fn handle_written(&mut self) {
        let (frames, bytes) = (std::mem::take(&mut self.writing), std::mem::take(&mut self.writing_bytes));
        self.leave(frames, bytes);
    }

    fn leave(&mut self, frames: u64, bytes: u64) {
        if !self.untold {
            self.left += frames;
            self.left_bytes += bytes;
        }
    }

    /// Nobody is to be told of frames that leave.
    pub(crate) fn forget_left(&mut self) {
        (self.left, self.left_bytes, self.untold) = (0, 0, true);
    }

    /// Whether frames have left that were not told.
    pub(crate) fn has_left(&self) -> bool {
        self.left > 0
    }

    /// How many frames have left since the last call, if any, and their bytes.
    pub(crate) fn take_left(&mut self) -> Option<(u64, u64)> {
        self.has_left().then(|| (std::mem::take(&mut self.left), std::mem::take(&mut self.left_bytes)))
    }

    /// Drops what waits, and gives up on what is being written.
    pub(crate) fn discard(&mut self) {
        self.lost += self.waiting();
        (self.frames, self.bytes, self.ahead) = (VecDeque::new(), 0, 0);
        (self.writing, self.writing_bytes) = (0, 0);
    }

    /// The position of the frame that was queued last.
    pub(crate) fn last(&self) -> u64 {
        self.queued
    }

    /// Whether the last ping was taken by a carrier.
    pub(crate) fn gave_ping(&self) -> bool {
        self.ping + self.queue() <= self.queued
    }

    /// The last ping was answered: what was queued before it has arrived.
    pub(crate) fn confirm_ping(&mut self) {
        self.confirmed = self.confirmed.max(self.ping);
    }

    /// A GET came: the answer to the one before has arrived.
    pub(crate) fn confirm_given(&mut self) {
        self.confirmed = self.confirmed.max(self.given);
    }

    /// How far the client has come.
    pub(crate) fn progress(&self) -> Progress {
        Progress { queued: self.queued, asked: self.ping.max(self.given), confirmed: self.confirmed }
    }

    /// Whether all frames up to this position have left.
    pub(crate) fn is_flushed(&self, position: u64) -> bool {
        position + self.waiting() + self.lost <= self.queued
    }

    /// Whether a WebSocket took frames that it has yet to write.
    pub(crate) fn is_writing(&self) -> bool {
        self.writing > 0
    }

    /// Frames with a position that no carrier took.
    fn queue(&self) -> u64 {
        self.frames.len() as u64 - self.ahead
    }

    /// Frames with a position that have not left.
    fn waiting(&self) -> u64 {
        self.queue() + self.writing
    }

    /// Bytes that were ever queued, frame headers included.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Bytes that wait, frame headers included.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Frames that wait.
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there is nothing to be taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty() || self.seals > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { bytes: 50, messages: 3 };

    fn frame(size: usize) -> Frame {
        Frame::binary(&vec![0; size])
    }

    #[test]
    fn the_limit_counts_what_waits_already() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.push([frame(100)], LIMIT), Ok(()));
        assert_eq!(outbox.bytes(), 102);
        assert_eq!(outbox.push([frame(1)], LIMIT), Err(Full));
        assert_eq!(outbox.take_all().len(), 1);
        assert_eq!(outbox.push([frame(10), frame(10)], LIMIT), Ok(()));
        assert_eq!(outbox.push([frame(10)], LIMIT), Ok(()));
        assert_eq!(outbox.bytes(), 36);
        assert_eq!(outbox.push([frame(0)], LIMIT), Err(Full), "three messages wait");
    }

    #[test]
    fn a_batch_is_bounded_in_frames_and_bytes() {
        let mut outbox = Outbox::default();
        let mut queue = VecDeque::new();
        assert!(!outbox.take_batch(Encoding::V4, &mut queue));
        outbox.push((0..100).map(|_| frame(1)), Limit { bytes: 1000, messages: 1000 }).expect("room");
        assert!(outbox.take_batch(Encoding::V4, &mut queue));
        assert_eq!(queue.len(), 64);
        assert!(outbox.take_batch(Encoding::V4, &mut queue));
        assert_eq!((queue.len(), outbox.bytes(), outbox.frames.capacity()), (100, 0, 0));

        queue.clear();
        outbox.push([frame(BATCH_BYTES), frame(1)], LIMIT).expect("room");
        assert!(outbox.take_batch(Encoding::V4, &mut queue));
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn corked_frames_wait_for_a_batch_or_for_something_that_is_to_leave() {
        let limit = Limit { bytes: 1 << 20, messages: 1000 };
        let (mut outbox, mut queue) = (Outbox::default(), VecDeque::new());
        let cork = |outbox: &mut Outbox| outbox.push_corked([frame(1)], limit).expect("room");
        assert!(cork(&mut outbox) && !cork(&mut outbox), "one uncorks for both");
        assert!(!outbox.is_waiting());
        outbox.uncork();
        assert!(outbox.is_waiting());
        assert!(!cork(&mut outbox) && outbox.is_waiting(), "what comes behind leaves with them");
        assert!(outbox.take_batch(Encoding::V4, &mut queue));

        assert!(cork(&mut outbox));
        // A connection that is at work takes them all the same.
        assert!(outbox.take_batch(Encoding::V4, &mut queue));
        assert!(!cork(&mut outbox) && !outbox.is_waiting(), "it will still be uncorked");
        outbox.push_ping();
        assert!(outbox.is_waiting());

        outbox.take_all();
        outbox.uncork();
        assert_eq!((1..BATCH_FRAMES).filter(|_| cork(&mut outbox)).count(), 1);
        assert!(!outbox.is_waiting());
        assert!(!cork(&mut outbox) && outbox.is_waiting(), "a batch");
    }
}
