//! What it is: the handle of one session, shared by its driver, its HTTP requests and the application.
//! What it is not: a task, or a channel. Sending is a push under a short lock and, if somebody sleeps, one wake.
//! Who calls it: everybody. All wakers of a session are kept and woken here.

use std::{
    fmt, io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Waker},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Notify, OwnedSemaphorePermit},
    time::Instant,
};

use crate::{
    config::deadline,
    extension::Agreed,
    frame::Frame,
    handshake::Handshake,
    id::Sid,
    outbox::Progress,
    packet::Message,
    protocol::{Encoding, Transport},
    reason::{CloseReason, SendError, Sent},
    session::Session,
    stats::Stats,
};

/// What a WebSocket runs on: hyper's upgraded connection, or any other stream of bytes.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> ByteStream for S {}

/// A stream of bytes of whatever kind.
pub(crate) type Stream = Pin<Box<dyn ByteStream>>;

/// A WebSocket whose handshake is done.
pub(crate) struct Upgraded {
    pub(crate) stream: Stream,
    pub(crate) compression: Option<Compression>,
}

/// What was agreed on compression, and the right to keep a context if that is part of it.
pub(crate) struct Compression {
    pub(crate) agreed: Agreed,
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

/// A WebSocket whose 101 answer is still on its way.
pub(crate) type Opening = Pin<Box<dyn Future<Output = io::Result<Upgraded>> + Send>>;

/// One session, as its application holds it. Clones are the same session.
#[derive(Clone)]
pub struct Socket(Arc<Shared>);

/// Laid out by hand, with what is in it: what a broadcast touches of each of thousands of WebSockets, which are more
/// than a processor's caches hold, is within two lines of them. A test counts.
#[repr(C)]
struct Shared {
    /// Taken by the driver, by HTTP requests and by whoever sends; for a few steps of the session at a time.
    inner: Mutex<Inner>,
    /// How many [`Hold`]s there are.
    holds: AtomicU32,
    encoding: Encoding,
    /// Told when something has left the outbox, and when the session has ended; there once somebody has waited for it.
    written: OnceLock<Box<Notify>>,
    handshake: Handshake,
    sid: Sid,
}

/// While there is one, no message of the session is handed to its application; see [`Socket::hold`].
#[derive(Debug)]
#[must_use = "dropped, it holds nothing"]
pub struct Hold(Socket);

impl Drop for Hold {
    fn drop(&mut self) {
        if self.0.0.holds.fetch_sub(1, Ordering::AcqRel) == 1 {
            let driver = {
                let mut inner = self.0.lock();
                inner.session.excuse(Instant::now().into_std());
                inner.driver.take()
            };
            driver.into_iter().for_each(Waker::wake);
        }
    }
}

/// Nothing leaves while it is there, see [`Socket::seal`].
#[derive(Debug)]
#[must_use = "dropped, it lets everything leave"]
pub struct Seal<'a>(&'a Socket);

impl Drop for Seal<'_> {
    fn drop(&mut self) {
        self.0.update(|inner| inner.session.outbox.unseal());
    }
}

/// What the lock protects.
#[repr(C)]
pub(crate) struct Inner {
    driver: Option<Waker>,
    /// In a box while there are any: an idle client by WebSocket has none.
    requests: Option<Box<Requests>>,
    pub(crate) session: Session,
}

/// HTTP requests that wait for something.
#[derive(Default)]
struct Requests {
    /// A WebSocket that arrived and that the driver has not taken yet.
    opening: Option<Opening>,
    get: Option<Waker>,
    post: Option<Waker>,
}

impl Socket {
    pub(crate) fn new(sid: Sid, handshake: Handshake, session: Session) -> Self {
        let encoding = session.encoding();
        let inner = Inner { session, driver: None, requests: None };
        let (inner, written, holds) = (Mutex::new(inner), OnceLock::new(), AtomicU32::new(0));
        Self(Arc::new(Shared { sid, handshake, encoding, inner, written, holds }))
    }

    /// The id of the session. It is a credential of the client: do not show it to others.
    pub fn sid(&self) -> Sid {
        self.0.sid
    }

    /// The same, for a table that is keyed by it.
    pub(crate) fn sid_ref(&self) -> &Sid {
        &self.0.sid
    }

    /// The request that opened the session.
    pub fn handshake(&self) -> &Handshake {
        &self.0.handshake
    }

    /// The revision of the protocol that the client speaks, and how what it is sent is written.
    pub fn encoding(&self) -> Encoding {
        self.0.encoding
    }

    /// The transport in use now, or in the end; it changes once at most, from polling to websocket.
    pub fn transport(&self) -> Transport {
        self.lock().session.transport()
    }

    /// Queues a message and returns; it leaves with whatever else waits.
    ///
    /// # Errors
    /// [`SendError::Closed`]: it will not be delivered. When `max_outbox_bytes` wait already, this very call
    /// ends the session, as [`CloseReason::SlowConsumer`].
    pub fn send(&self, message: &Message) -> Result<(), SendError> {
        self.send_frames(&Frame::from(message), &[])
    }

    /// Queues frames encoded before, for instance to send the same to many. Nothing comes between them.
    ///
    /// # Errors
    /// As [`send`](Self::send); of the frames none is queued then.
    pub fn send_frames(&self, first: &Frame, rest: &[Frame]) -> Result<(), SendError> {
        self.update(|inner| inner.session.send(std::iter::once(first).chain(rest).cloned()))
    }

    /// Queues frames as [`send_frames`](Self::send_frames) does, but lets them wait for more, so that one write takes
    /// many: until 64 frames or 64 KiB wait, until anything else is sent, or until [`uncork`](Self::uncork), which is
    /// the caller's to call. Says whether it has to be called for them, as no call is due for others yet.
    ///
    /// # Errors
    /// As [`send_frames`](Self::send_frames).
    pub fn send_corked(&self, first: &Frame, rest: &[Frame]) -> Result<bool, SendError> {
        self.update(|inner| inner.session.send_corked(std::iter::once(first).chain(rest).cloned()))
    }

    /// Lets leave what was [sent corked](Self::send_corked).
    pub fn uncork(&self) {
        self.update(|inner| inner.session.outbox.uncork());
    }

    /// Lets nothing leave until the [`Seal`] is dropped: for the few steps in which something must come about before
    /// the client can know of it. From [`close`](Self::close) on there is none.
    pub fn seal(&self) -> Seal<'_> {
        self.lock().session.seal();
        Seal(self)
    }

    /// Sends frames if they can leave at once, and otherwise drops them: for what is stale when it is late.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_volatile(&self, first: &Frame, rest: &[Frame]) -> Result<Sent, SendError> {
        let queued = self.update(|inner| inner.session.send_volatile(std::iter::once(first).chain(rest).cloned()))?;
        Ok(if queued { Sent::Queued } else { Sent::Dropped })
    }

    /// Bytes that wait for the client.
    pub fn outbox_bytes(&self) -> usize {
        self.lock().session.outbox_bytes()
    }

    /// How it is doing: how much came and was sent, what waits, how fast the client answers.
    pub fn stats(&self) -> Stats {
        self.lock().session.stats(Instant::now().into_std())
    }

    /// How far the client has come in what was sent, for those who send again what a lost connection may have lost.
    /// With `queued` of a call right behind a [`send`](Self::send), what was sent has arrived once `confirmed` is no
    /// less.
    pub fn progress(&self) -> Progress {
        self.lock().session.progress()
    }

    /// Waits until everything that was sent before this call has left: was written to the WebSocket, or is the answer
    /// to a GET. What is sent later is not waited for. It is what the reference tells in the callback of `send`.
    /// Messages dropped by [`SlowConsumer::DropOldest`](crate::SlowConsumer::DropOldest) count as left.
    ///
    /// # Errors
    /// [`SendError::Closed`]: the session ended before, and what had not left is lost.
    pub fn flushed(&self) -> impl Future<Output = Result<(), SendError>> + Send + use<'_> {
        let position = self.progress().queued;
        self.wait_for(move |session| session.is_flushed(position))
    }

    /// Waits until less than half of what may wait for the client does: for a writer that need not hurry.
    ///
    /// # Errors
    /// [`SendError::Closed`].
    pub async fn room(&self) -> Result<(), SendError> {
        self.wait_for(|session| session.closed().is_none() && session.has_room()).await
    }

    async fn wait_for(&self, condition: impl Fn(&Session) -> bool) -> Result<(), SendError> {
        let notify = self.0.written.get_or_init(Box::default);
        let mut written = std::pin::pin!(notify.notified());
        loop {
            written.as_mut().enable();
            {
                let inner = self.lock();
                if condition(&inner.session) {
                    return Ok(());
                }
                if let Some(reason) = inner.session.closed() {
                    return Err(SendError::Closed(reason));
                }
            }
            written.as_mut().await;
            written.set(notify.notified());
        }
    }

    /// Lets messages of this many bytes in all come before the session is ended as one that sends too much,
    /// unless `None` lifts that before.
    pub fn limit(&self, budget: Option<usize>) {
        self.lock().session.limit(budget);
    }

    /// Holds back what the client sends, for an application that has enough to do: until the [`Hold`] is dropped no
    /// message is handed over, the WebSocket is not read, but to complete an upgrade, and POSTs wait for their answer
    /// once 64 messages have come.
    /// What was read before is kept. A session that ends hands over what it has all the same.
    ///
    /// Meanwhile a client is pinged, and not taken for dead as long as it takes that: what it answers may be what is
    /// not read. Clients of revision 3 ping themselves, and may take the server for dead after a minute and a half.
    pub fn hold(&self) -> Hold {
        self.0.holds.fetch_add(1, Ordering::AcqRel);
        Hold(self.clone())
    }

    pub(crate) fn is_held(&self) -> bool {
        self.0.holds.load(Ordering::Acquire) > 0
    }

    /// Closes the session as soon as all that was sent before has left, within 30 s at most.
    /// The client sees the transport close; the reason here is [`CloseReason::ForcedClose`].
    pub fn close(&self) {
        self.close_for(CloseReason::ForcedClose);
    }

    /// Closes the session by itself after this time, unless `None` takes that back before.
    pub fn expire(&self, after: Option<Duration>) {
        let at = after.map(|after| deadline(Instant::now().into_std(), after));
        self.set_timer(|session| session.expire(at));
    }

    /// Closes the session by itself unless `None` says within this time that the rest has come of what the client has
    /// begun in several messages. While these are [held](Self::hold) back, the time does not pass.
    pub fn expect(&self, within: Option<Duration>) {
        self.set_timer(|session| session.allowance.expect(Instant::now().into_std(), within));
    }

    fn set_timer(&self, set: impl FnOnce(&mut Session)) {
        let driver = {
            let mut inner = self.lock();
            set(&mut inner.session);
            inner.driver.take()
        };
        // The driver sets its timer anew.
        driver.into_iter().for_each(Waker::wake);
    }

    /// Why the session ended, once it has.
    pub fn closed(&self) -> Option<CloseReason> {
        self.lock().session.closed()
    }

    pub(crate) fn close_for(&self, reason: CloseReason) {
        self.update(|inner| inner.session.close(Instant::now().into_std(), reason));
    }

    /// Hands a new WebSocket to the session. Gives it back when the session does not want it.
    pub(crate) fn probe(&self, opening: Opening) -> Result<(), Opening> {
        let driver = {
            let mut inner = self.lock();
            if !inner.session.handle_probe(Instant::now().into_std()) {
                return Err(opening);
            }
            inner.put_opening(opening);
            inner.driver.take()
        };
        driver.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Changes the session, then wakes those for whom the change leaves something to do.
    pub(crate) fn update<R>(&self, change: impl FnOnce(&mut Inner) -> R) -> R {
        let mut inner = self.lock();
        let dropped = inner.session.outbox.dropped();
        let result = change(&mut inner);
        let has_dropped = inner.session.outbox.dropped() > dropped;
        let wakers = inner.take_wakers();
        drop(inner);
        wake(wakers);
        if has_dropped {
            self.notify_written();
        }
        result
    }

    /// Tells those who wait for room.
    pub(crate) fn notify_written(&self) {
        if let Some(written) = self.0.written.get() {
            written.notify_waiters();
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes who is to be woken: mostly nobody.
pub(crate) fn wake(wakers: [Option<Waker>; 3]) {
    if !matches!(wakers, [None, None, None]) {
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl Inner {
    /// The driver is awake, and will look at everything before it sleeps: nobody needs to wake it.
    pub(crate) fn driver_awake(&mut self) {
        self.driver = None;
    }

    pub(crate) fn park_driver(&mut self, cx: &Context<'_>) {
        self.driver = Some(cx.waker().clone());
    }

    pub(crate) fn park_get(&mut self, cx: &Context<'_>) {
        self.requests.get_or_insert_default().get = Some(cx.waker().clone());
    }

    pub(crate) fn park_post(&mut self, cx: &Context<'_>) {
        self.requests.get_or_insert_default().post = Some(cx.waker().clone());
    }

    pub(crate) fn put_opening(&mut self, opening: Opening) {
        self.requests.get_or_insert_default().opening = Some(opening);
    }

    pub(crate) fn take_opening(&mut self) -> Option<Opening> {
        let opening = self.requests.as_mut()?.opening.take();
        self.requests.take_if(|requests| requests.is_empty());
        opening
    }

    /// Wakers of those who sleep and have something to do.
    pub(crate) fn take_wakers(&mut self) -> [Option<Waker>; 3] {
        let session = &self.session;
        let driver = self.driver.take_if(|_| session.driver_is_ready());
        let Some(requests) = &mut self.requests else { return [driver, None, None] };
        let get = requests.get.take_if(|_| session.get_is_ready());
        let post = requests.post.take_if(|_| session.post_is_ready());
        self.requests.take_if(|requests| requests.is_empty());
        [driver, get, post]
    }
}

impl Requests {
    fn is_empty(&self) -> bool {
        matches!(self, Self { opening: None, get: None, post: None })
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("sid", &self.0.sid).field("handshake", &self.0.handshake).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Config,
        engine::{Arrival, Engine},
        outbox::Outbox,
    };

    /// Lines of a processor's cache.
    const LINE: usize = 64;

    #[test]
    fn what_a_send_touches_is_within_two_lines() {
        let engine = Engine::new(Config::default(), |socket, _| {
            let start = Arc::as_ptr(&socket.0).addr() - size_of::<[usize; 2]>();
            let end = std::ptr::from_ref(&socket.lock().session.outbox).addr() + Outbox::TOUCHED;
            assert!(end - start <= 2 * LINE, "it ends at {}", end - start);
        });
        let handshake = Handshake::new("", Transport::Polling, None, std::iter::empty());
        let admitted = engine.admit(None).expect("there is no bound");
        engine.open(Arrival { sid: Sid::draw(), encoding: Encoding::V4, handshake, admitted, opening: None });
    }
}
