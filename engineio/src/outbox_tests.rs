//! What waits, leaves and is dropped, by hand and at random beside a plain model.

use super::*;

const LIMIT: Limit = Limit { bytes: 50, messages: 3, slow_consumer: SlowConsumer::Disconnect };

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
    outbox.push((0..100).map(|_| frame(1)), Limit { bytes: 1000, messages: 1000, ..LIMIT }).expect("room");
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
    let limit = Limit { bytes: 1 << 20, messages: 1000, ..LIMIT };
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

/// What waits, each frame by its size less the header.
fn sizes(outbox: &mut Outbox) -> Vec<usize> {
    outbox.take_all().iter().map(|frame| frame.data().len()).collect()
}

#[test]
fn the_oldest_that_may_be_dropped_makes_room() {
    let limit = Limit { bytes: 1000, messages: 4, slow_consumer: SlowConsumer::DropOldest };
    let droppable = |size| Frame::binary(&vec![0; size]).droppable();
    let mut outbox = Outbox::default();
    outbox.push([frame(1)], limit).expect("room");
    outbox.push([droppable(2), frame(3)], limit).expect("room");
    outbox.push_ping();
    // In place of the second one, with what belongs to it.
    outbox.push([droppable(4)], limit).expect("room");
    assert_eq!((outbox.take_dropped(), outbox.last()), (Some(1), 5));
    assert!(!outbox.gave_ping() && !outbox.is_flushed(1));
    for size in 5..8 {
        outbox.push([droppable(size)], limit).expect("room");
    }
    // These two were behind the ping, which still waits.
    assert_eq!((outbox.take_dropped(), outbox.len()), (Some(2), 4));
    assert!(!outbox.gave_ping() && !outbox.is_flushed(1));
    assert_eq!(sizes(&mut outbox), [1, 1, 6, 7]);
    assert!(outbox.gave_ping() && outbox.is_flushed(outbox.last()));
    assert_eq!(outbox.take_left(), Some((4, 23)), "what was dropped has not left");
}

#[test]
fn what_may_not_be_dropped_or_has_left_in_part_stays() {
    let limit = Limit { bytes: 1000, messages: 3, slow_consumer: SlowConsumer::DropOldest };
    let (mut outbox, mut queue) = (Outbox::default(), VecDeque::new());
    let droppable = |size| Frame::binary(&vec![0; size]).droppable();
    outbox.push([droppable(BATCH_BYTES), frame(1), frame(2)], limit).expect("room");
    assert!(outbox.take_batch(Encoding::V4, &mut queue));
    outbox.push([frame(3)], limit).expect("room");
    assert_eq!(outbox.push([droppable(4)], limit), Err(Full));
    assert_eq!((sizes(&mut outbox), outbox.take_dropped()), (vec![1, 2, 3], None));
    outbox.handle_written(true);
    assert!(outbox.is_flushed(4));

    // What is too large by itself makes room in its turn, also behind a batch that is being written.
    outbox.push([frame(1)], limit).expect("room");
    assert!(outbox.take_batch(Encoding::V4, &mut queue));
    outbox.push([droppable(2000)], limit).expect("room");
    outbox.push([droppable(5)], limit).expect("room");
    assert!(!outbox.is_flushed(5));
    outbox.handle_written(true);
    assert!(outbox.is_flushed(5) && !outbox.is_flushed(7));
    assert_eq!((sizes(&mut outbox), outbox.take_dropped()), (vec![5], Some(1)));
    assert!(outbox.is_flushed(7));
}

/// What waits, is being written, or has gone, told without any of the sums above.
#[derive(Default)]
struct Plain {
    /// Position, whether it is a ping, may be dropped, or belongs to the one before.
    waiting: VecDeque<(u64, bool, bool, bool)>,
    writing: Vec<u64>,
    queued: u64,
    dropped: u64,
}

impl Plain {
    fn push(&mut self, frames: usize, is_ping: bool, droppable: bool) {
        for part in 0..frames {
            self.queued += 1;
            self.waiting.push_back((self.queued, is_ping, droppable && part == 0, part > 0));
        }
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(at) = self.waiting.iter().position(|frame| frame.2) else { return false };
        self.waiting.remove(at);
        while self.waiting.get(at).is_some_and(|frame| frame.3) {
            self.waiting.remove(at);
        }
        self.dropped += 1;
        true
    }

    /// Whether everything up to this position has left, or was dropped.
    fn is_flushed(&self, position: u64) -> bool {
        let waiting = self.waiting.iter().map(|frame| frame.0);
        waiting.chain(self.writing.iter().copied()).all(|other| other > position)
    }
}

#[test]
fn positions_outlast_what_is_dropped() {
    const MESSAGES: usize = 80;
    let limit = Limit { bytes: usize::MAX, messages: MESSAGES, slow_consumer: SlowConsumer::DropOldest };
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for _ in 0..200 {
        let (mut outbox, mut plain, mut queue) = (Outbox::default(), Plain::default(), VecDeque::new());
        let mut dropped = 0;
        for _ in 0..400 {
            match random(60) {
                0 if plain.waiting.iter().all(|frame| !frame.1) => {
                    outbox.push_ping();
                    plain.push(1, true, false);
                }
                // A WebSocket takes no more before all is written.
                1 if plain.writing.is_empty() => {
                    outbox.take_batch(Encoding::V4, &mut queue);
                    let taken = plain.waiting.len().min(BATCH_FRAMES);
                    plain.writing.extend(plain.waiting.drain(..taken).map(|frame| frame.0));
                }
                2 => {
                    outbox.handle_written(true);
                    plain.writing.clear();
                }
                // Without a position, so nobody waits for it.
                3 => {
                    outbox.push_first(frame(1));
                    plain.waiting.push_front((u64::MAX, false, false, false));
                }
                choice => {
                    let (frames, droppable) = (1 + random(3) as usize, choice > 20);
                    let first = if droppable { frame(1).droppable() } else { frame(1) };
                    let rest = (1..frames).map(|_| frame(1));
                    while plain.waiting.len() >= MESSAGES && plain.drop_oldest() {}
                    let fits = plain.waiting.len() < MESSAGES;
                    assert_eq!(outbox.push(std::iter::once(first).chain(rest), limit).is_ok(), fits);
                    if fits {
                        plain.push(frames, false, droppable);
                    }
                }
            }
            dropped += outbox.take_dropped().unwrap_or(0);
            assert_eq!((outbox.len(), outbox.last(), dropped), (plain.waiting.len(), plain.queued, plain.dropped));
            assert_eq!(outbox.gave_ping(), plain.waiting.iter().all(|frame| !frame.1));
            // Never too early, and in the end.
            let told = (0..=plain.queued).rev().find(|position| outbox.is_flushed(*position)).unwrap_or(0);
            assert!(plain.is_flushed(told), "{told} of {}", plain.queued);
            if plain.waiting.is_empty() && plain.writing.is_empty() {
                assert_eq!(told, plain.queued);
            }
        }
    }
}
