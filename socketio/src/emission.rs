//! What it is: an event of a namespace, encoded, and sent to all who are meant, at once or later, or to one peer.
//! What it is not: the choice of who is meant (`hub`).
//! Who calls it: broadcasts and sockets.

use std::{
    sync::{Arc, MutexGuard, PoisonError, Weak},
    time::Instant,
};

use engineio::{CloseReason, Revision, SendError, Sent};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::{
    args::{self, Args},
    cluster_message::Relayed,
    decoder::Incoming,
    error::EmitError,
    hub::Hub,
    peer::Peer,
    stats::Dropped,
    target::{Event, Target},
    throttle::{Offered, Throttled, Waiting},
    timer::now,
};

impl Hub {
    /// Encodes an event of this namespace.
    pub(crate) fn event<T: Serialize + ?Sized>(
        &self,
        name: &str,
        args: &T,
        ack: Option<u64>,
    ) -> Result<Event, EmitError> {
        let encoded = self.parser.event(&self.path, name, args, ack)?;
        let received = if self.observer.hears_outgoing() {
            Some(Arc::new(Incoming { name: name.into(), args: args::received(args)?, ack }))
        } else {
            None
        };
        Ok(Event { name: self.is_named().then(|| name.into()), unkept: false, encoded, received })
    }

    /// The event that another server has written, for clients of this one.
    pub(crate) fn relayed(&self, relayed: &Relayed, ack: Option<u64>) -> Result<Event, EmitError> {
        let Relayed { name, list, attachments } = relayed;
        let encoded = self.parser.relayed(&self.path, list, attachments, ack)?;
        let received = self.observer.hears_outgoing().then(|| {
            let args = args::of_event(list, attachments.clone());
            Arc::new(Incoming { name: name.clone(), args, ack })
        });
        Ok(Event { name: self.is_named().then(|| (**name).into()), unkept: false, encoded, received })
    }

    /// Whether events are looked for by their names.
    fn is_named(&self) -> bool {
        self.keeper.is_some() || self.throttled.is_some()
    }

    /// Sends to each peer that is meant, once; what is volatile only to those who are ready for it.
    /// Returns to how many it was sent; to nobody if it has to wait.
    pub(crate) fn deliver(self: &Arc<Self>, target: &Target, event: &Event, volatile: bool) -> usize {
        // While nobody has ever been let in, there is nobody to be spared.
        if let Some((mut throttled, runtime)) = self.throttled().zip(self.runtime.get()) {
            match throttled.offer(target, event, volatile, now()) {
                Offered::Send(ahead) => self.deliver_waiting(throttled, &ahead),
                Offered::Waits(poll_at) => {
                    self.counts.note_throttled();
                    if let Some(at) = poll_at {
                        runtime.spawn(release(Arc::downgrade(self), at));
                    }
                    return 0;
                }
            }
        }
        self.tell_all_outgoing(target, event);
        self.transmit(target, event, volatile)
    }

    /// Sends what has waited for long enough. Says when to come again.
    fn release(self: &Arc<Self>, now: Instant) -> Option<Instant> {
        let mut throttled = self.throttled()?;
        let (due, next) = throttled.poll(now);
        self.deliver_waiting(throttled, &due);
        next
    }

    /// Sends what waits, however long it did.
    pub(crate) fn flush(self: &Arc<Self>) {
        if let Some(mut throttled) = self.throttled() {
            let waiting = throttled.flush();
            self.deliver_waiting(throttled, &waiting);
        }
    }

    /// Sends what has waited: with the lock, so that nothing that is emitted later is sent ahead of it.
    fn deliver_waiting(self: &Arc<Self>, throttled: MutexGuard<'_, Throttled>, waiting: &[Waiting]) {
        for Waiting { target, event, volatile } in waiting {
            self.transmit(target, event, *volatile);
        }
        drop(throttled);
        waiting.iter().for_each(|waiting| self.tell_all_outgoing(&waiting.target, &waiting.event));
    }

    fn throttled(&self) -> Option<MutexGuard<'_, Throttled>> {
        Some(self.throttled.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The application's code runs: below no lock.
    fn tell_all_outgoing(self: &Arc<Self>, target: &Target, event: &Event) {
        if event.received.is_some() {
            self.peers(target).iter().for_each(|peer| self.tell_outgoing(peer, event));
        }
    }

    fn transmit(&self, target: &Target, event: &Event, volatile: bool) -> usize {
        let encoded = &event.encoded;
        let mut recovery = self.recovery();
        let keeper = self.keeper.as_ref().filter(|_| !volatile);
        let _turn = keeper.and_then(|keeper| keeper.keep(target, event, Instant::now()));
        let kept = recovery.as_mut().and_then(|recovery| match volatile {
            true => recovery.pass(encoded),
            false => recovery.emit(encoded, &target.rooms, &target.except, Instant::now()),
        });
        let mark = recovery.as_ref().and_then(|recovery| recovery.mark());
        let (mut sent, mut corked, mut dropped) = (0, Vec::new(), Dropped::default());
        self.select(target, |peer| {
            let kept = kept.as_ref().filter(|_| peer.revision() == Revision::V4);
            let encoded = kept.unwrap_or(encoded);
            let outcome = if volatile {
                peer.send_volatile(encoded)
            } else if self.corks.is_some() {
                peer.send_corked(encoded, &mut corked).map(|()| Sent::Queued)
            } else {
                peer.send_now(encoded).map(|()| Sent::Queued)
            };
            let queued = outcome == Ok(Sent::Queued);
            sent += usize::from(queued);
            match outcome {
                Ok(Sent::Queued) => {}
                Ok(Sent::Dropped) => dropped.note_volatile(),
                // Its client may come back for it.
                Err(_) if kept.is_some() && !volatile => {}
                Err(error) => dropped.note(error),
            }
            // What a connection that has ended did not take, the client does not have.
            peer.mark(mark.filter(|_| queued));
        });
        self.counts.note_dropped(&dropped);
        if let Some((corks, runtime)) = self.corks.as_ref().zip(self.runtime.get()) {
            corks.keep(corked, runtime);
        }
        sent
    }

    /// Sends to one peer, or keeps it while its connect handler runs. If the peer is gone and its client may come back,
    /// or has, it is for that client. What is volatile is only for a client that is there and ready for it.
    pub(crate) fn send(self: &Arc<Self>, peer: &Arc<Peer>, event: &Event, volatile: bool) -> Result<Sent, EmitError> {
        let sent = self.send_or_keep(peer, event, volatile);
        self.note_sent(peer, sent.as_ref());
        sent
    }

    fn send_or_keep(self: &Arc<Self>, peer: &Arc<Peer>, event: &Event, volatile: bool) -> Result<Sent, EmitError> {
        self.tell_outgoing(peer, event);
        let encoded = &event.encoded;
        // Held to the end: meanwhile nobody is let in, and nobody leaves.
        let Some(mut recovery) = self.recovery() else { return peer.send_flagged(encoded, volatile) };
        if peer.is_connecting() || peer.revision() == Revision::V3 {
            return peer.send_flagged(encoded, volatile);
        }
        if volatile {
            let passed = recovery.pass(encoded);
            return peer.send_flagged(passed.as_ref().unwrap_or(encoded), true);
        }
        let Some(kept) = recovery.emit_to(encoded, peer.id(), Instant::now()) else {
            return peer.send_flagged(encoded, false);
        };
        if let Some(peer) = self.peer(peer.id().as_str()) {
            // If its connection has just ended, the event waits for its client.
            let is_sent = peer.send_now(&kept).is_ok();
            peer.mark(recovery.mark().filter(|_| is_sent));
        }
        Ok(Sent::Queued)
    }

    /// Sends to one peer what it is told anew whenever its client comes back: that is not kept for it.
    pub(crate) fn tell(self: &Arc<Self>, peer: &Arc<Peer>, event: &Event) {
        self.tell_outgoing(peer, event);
        // Held to the end, as positions have an order.
        let recovery = self.recovery().filter(|_| peer.revision() == Revision::V4);
        let passed = recovery.as_ref().and_then(|recovery| recovery.pass(&event.encoded));
        let sent = peer.send_flagged(passed.as_ref().unwrap_or(&event.encoded), false);
        self.note_sent(peer, sent.as_ref());
    }

    /// Sends an event to one peer and expects an answer; `None` when it is volatile and was dropped.
    pub(crate) fn ask(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        id: u64,
        event: &Event,
        volatile: bool,
    ) -> Result<Option<oneshot::Receiver<Args>>, EmitError> {
        self.tell_outgoing(peer, event);
        let asked = peer.ask(id, &event.encoded, volatile, self.limits.max_pending_acks);
        self.note_sent(peer, asked.as_ref().map(|asked| if asked.is_some() { &Sent::Queued } else { &Sent::Dropped }));
        asked
    }

    /// Counts what was not sent to a peer.
    fn note_sent(&self, peer: &Peer, sent: Result<&Sent, &EmitError>) {
        let mut dropped = Dropped::default();
        match sent {
            Ok(Sent::Queued) => return,
            Ok(Sent::Dropped) => dropped.note_volatile(),
            Err(EmitError::Disconnected) => {
                // It may have left a connection that is still there.
                let reason = peer.engine.closed().unwrap_or(CloseReason::ForcedClose);
                dropped.note(SendError::Closed(reason));
            }
            // Nothing was to be sent.
            Err(_) => return,
        }
        self.counts.note_dropped(&dropped);
    }

    fn tell_outgoing(self: &Arc<Self>, peer: &Arc<Peer>, event: &Event) {
        if let Some(received) = &event.received {
            self.observer.outgoing(self, peer, received);
        }
    }
}

/// Sends, again and again, what has waited, until no interval lasts.
async fn release(hub: Weak<Hub>, mut at: Instant) {
    loop {
        tokio::time::sleep_until(at.into()).await;
        let next = hub.upgrade().and_then(|hub| hub.release(now()));
        let Some(next) = next else { return };
        at = next;
    }
}
