//! What it is: the frames that wait for one client, bounded in bytes. Empty, it owns no heap.
//! What it is not: the queue of a carrier; what that took is counted here until it has left.
//! Who calls it: `session` only.

use std::collections::VecDeque;

use crate::{
    config::{Config, SlowConsumer},
    frame::Frame,
    protocol::Encoding,
};

/// Frames handed to a WebSocket at a time: one `writev` takes as many slices without splitting.
const BATCH_FRAMES: usize = 64;

/// Bytes handed to a WebSocket at a time, but always one frame: what left the outbox is no longer bounded by it.
const BATCH_BYTES: usize = 64 * 1024;

/// Above this many slots a drained queue gives its memory back.
const KEPT_SLOTS: usize = 16;

/// Frames waiting, oldest first. What a push touches comes first, side by side, see `socket`.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Outbox {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// Frames that have left and were not told yet.
    left: u32,
    /// How many want that nothing leaves just now.
    seals: u16,
    /// What waits may go on waiting: all of it was sent corked, and it is less than a batch.
    corked: bool,
    /// Somebody has it in mind to uncork it.
    noted: bool,
    /// How many of them, the first ones, were put before all others: they have no position.
    ahead: u32,
    /// How many of them go up to the last ping and with it; none once a carrier took it.
    pinged: u32,
    /// How many wait before those that were dropped.
    before_gap: u32,
    /// Messages that were dropped, and were not told yet.
    dropped: u32,
    /// Frames that a WebSocket took and has yet to write.
    writing: u32,
    /// Those that a WebSocket took are for a client that does not read.
    stuck: bool,
    /// Nobody is to be told of frames that leave.
    untold: bool,
    /// Bytes of the frames that a WebSocket took, and of those before them without a position.
    writing_bytes: u64,
    /// Bytes of the frames that have left and were not told.
    left_bytes: u64,
    /// Bytes of all that ever waited and does so no more.
    passed_bytes: u64,
    /// The position up to which nothing waits any more.
    taken: u64,
    /// The position up to which nothing is being written, either: all that ever left, once the rest is lost.
    gone: u64,
    /// Frames that were dropped behind others that wait.
    gap: u64,
    /// The position of the last ping.
    ping: u64,
    /// The position up to which the last GET was answered.
    given: u64,
    /// The position up to which the client has shown to have everything.
    confirmed: u64,
}

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) bytes: usize,
    pub(crate) messages: usize,
    pub(crate) slow_consumer: SlowConsumer,
}

/// How far a client has come in what it was sent: positions in the order of sending, which begin with 1.
/// Messages dropped by [`SlowConsumer::DropOldest`] keep theirs, and count as arrived with what follows them.
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
        let Config { max_outbox_bytes: bytes, max_outbox_messages: messages, slow_consumer, .. } = *config;
        Self { bytes, messages, slow_consumer }
    }
}

impl Outbox {
    /// Bytes that a push touches, from the start.
    #[cfg(test)]
    pub(crate) const TOUCHED: usize = std::mem::offset_of!(Self, ahead);

    /// Queues frames, all or none. What is over the limit by its last push only is let pass,
    /// so that a message of any size can leave through an idle session.
    pub(crate) fn push(&mut self, frames: impl IntoIterator<Item = Frame>, limit: Limit) -> Result<(), Full> {
        while self.bytes >= limit.bytes || self.frames.len() >= limit.messages {
            if limit.slow_consumer == SlowConsumer::Disconnect || !self.drop_oldest() {
                return Err(Full);
            }
        }
        let mut frames = frames.into_iter();
        frames.next().into_iter().for_each(|frame| self.push_control(frame));
        frames.for_each(|frame| self.push_control(frame.attached()));
        Ok(())
    }

    /// Drops the oldest message that may be dropped, and has not left in part. Says whether there was one.
    fn drop_oldest(&mut self) -> bool {
        // What waits before a gap was looked at when that came, and may not be dropped.
        let kept = self.before_gap as usize;
        let Some(at) = self.frames.range(kept..).position(Frame::is_droppable) else { return false };
        let at = kept + at;
        let (mut frames, before) = (0, slots(at));
        while let Some(frame) = self.frames.remove(at) {
            self.pass(frame.size());
            frames += 1;
            if !self.frames.get(at).is_some_and(Frame::is_attached) {
                break;
            }
        }
        if self.pinged > before {
            self.pinged -= frames;
        }
        // All that was before the one before it could not be dropped, and neither can what is before this one.
        (self.gap, self.before_gap) = (self.gap + u64::from(frames), before);
        self.pass_gap();
        self.dropped = self.dropped.saturating_add(1);
        true
    }

    /// What was dropped has nothing before it that waits any more.
    fn pass_gap(&mut self) {
        if self.before_gap == 0 {
            self.taken += std::mem::take(&mut self.gap);
            if self.writing == 0 {
                self.gone = self.taken;
            }
        }
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
        self.bytes += frame.size();
        self.corked = false;
        self.frames.push_back(frame);
    }

    /// Queues a ping.
    pub(crate) fn push_ping(&mut self) {
        self.push_control(Frame::ping());
        self.ping = self.last();
        self.pinged = slots(self.frames.len());
    }

    /// Queues a frame of the protocol's own before all others.
    pub(crate) fn push_first(&mut self, frame: Frame) {
        self.ahead += 1;
        self.pinged += u32::from(self.pinged > 0);
        self.before_gap += u32::from(self.gap > 0);
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
                None => (self.writing, self.taken) = (self.writing + 1, self.taken + 1),
            }
            self.pinged = self.pinged.saturating_sub(1);
            if self.gap > 0 {
                self.before_gap -= 1;
                self.pass_gap();
            }
            taken += frame.size();
            queue.push_back(frame.for_websocket(encoding));
            if taken >= BATCH_BYTES {
                break;
            }
        }
        self.pass(taken);
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
        self.leave(slots(self.frames.len()) - self.ahead, self.bytes as u64);
        let frames = self.clear();
        (self.given, self.gone) = (self.taken, self.taken);
        frames.into()
    }

    /// The WebSocket has written `all` that it took; or it was to, and could not.
    pub(crate) fn handle_written(&mut self, all: bool) {
        self.stuck = !all;
        if self.stuck {
            return;
        }
        let (frames, bytes) = (std::mem::take(&mut self.writing), std::mem::take(&mut self.writing_bytes));
        if frames > 0 {
            self.gone = self.taken;
        }
        self.leave(frames, bytes);
    }

    fn leave(&mut self, frames: u32, bytes: u64) {
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

    /// The same, or whether messages were dropped that were not told.
    pub(crate) fn has_news(&self) -> bool {
        self.has_left() || self.dropped > 0
    }

    /// How many messages were dropped that were not told yet.
    pub(crate) fn dropped(&self) -> u32 {
        self.dropped
    }

    /// How many frames have left since the last call, if any, and their bytes.
    pub(crate) fn take_left(&mut self) -> Option<(u64, u64)> {
        self.has_left().then(|| (u64::from(std::mem::take(&mut self.left)), std::mem::take(&mut self.left_bytes)))
    }

    /// How many messages were dropped since the last call, if any.
    pub(crate) fn take_dropped(&mut self) -> Option<u64> {
        Some(u64::from(std::mem::take(&mut self.dropped))).filter(|dropped| *dropped > 0)
    }

    /// Drops what waits, and gives up on what is being written.
    pub(crate) fn discard(&mut self) {
        self.clear();
        (self.writing, self.writing_bytes, self.stuck) = (0, 0, false);
    }

    /// Nothing waits any more. Returns what did.
    fn clear(&mut self) -> VecDeque<Frame> {
        (self.taken, self.gap, self.before_gap) = (self.last(), 0, 0);
        self.pass(self.bytes);
        (self.ahead, self.pinged) = (0, 0);
        std::mem::take(&mut self.frames)
    }

    /// This many bytes wait no more.
    fn pass(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.passed_bytes += bytes as u64;
    }

    /// The position of the frame that was queued last.
    pub(crate) fn last(&self) -> u64 {
        self.taken + self.gap + self.frames.len() as u64 - u64::from(self.ahead)
    }

    /// Whether the last ping was taken by a carrier.
    pub(crate) fn gave_ping(&self) -> bool {
        self.pinged == 0
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
        Progress { queued: self.last(), asked: self.ping.max(self.given), confirmed: self.confirmed }
    }

    /// Whether all frames up to this position have left.
    pub(crate) fn is_flushed(&self, position: u64) -> bool {
        position <= self.gone
    }

    /// Whether a WebSocket took frames that its client does not take.
    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck
    }

    /// Bytes that were ever queued, frame headers included.
    pub(crate) fn total(&self) -> u64 {
        self.passed_bytes + self.bytes as u64
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

/// A number of frames that wait: each takes more than a byte of memory.
fn slots(frames: usize) -> u32 {
    u32::try_from(frames).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
