//! What it is: the one task of a session. It reads its WebSocket, keeps time, hands over events, and writes.
//! What it is not: a place that waits for the application: events go to a plain function.
//! Who calls it: whoever is given a session spawns `run`.

use std::{
    collections::VecDeque,
    fmt,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::{
    task::coop,
    time::{Instant, Sleep},
};

use crate::{
    backlog::Backlog,
    event::Event,
    packet::{Message, Packet},
    protocol::Transport,
    reason::{CloseReason, TransportFault},
    session::{Session, Transmit},
    sessions::Registration,
    socket::{Opening, wake},
    websocket::{self, Received},
};

/// Events handed to the application before other tasks get their turn: one POST may bring hundreds of thousands.
const TURN: usize = 64;

/// An application that takes longer than this for what was read is not quick: the answer does not wait for others.
const QUICK: Duration = Duration::from_millis(1);

/// Runs one session. Dropped, it ends the session without a word to the client.
pub struct Driver {
    io: Io,
    /// Events that wait for the application's next turn, oldest first.
    waiting: Backlog<Event>,
    /// Has the session, and keeps it known to its engine for as long as it is driven.
    registration: Registration,
}

/// The WebSocket of the session, if it has one.
enum Io {
    None,
    Opening(Opening),
    Open(Box<websocket::Io>),
}

pin_project! {
    /// A driver at work. An `async` function would keep three copies of what it is given.
    struct Running<F> {
        driver: Option<Driver>,
        #[pin]
        timer: Sleep,
        on_event: F,
    }
}

/// What was asked in this turn of the driver, had nothing, and will wake it.
#[derive(Default)]
struct Asked {
    websocket: bool,
    timer: bool,
}

/// What a look at the session told the driver to do.
enum Step {
    /// Sleep; the session wakes the driver.
    Park,
    /// Go round once more.
    Again,
    End(CloseReason),
}

impl Driver {
    pub(crate) fn new(registration: Registration) -> Self {
        Self { io: Io::None, waiting: Backlog::default(), registration }
    }

    /// Runs the session to its end and tells why it ended.
    ///
    /// `on_message` is called for each message in the order of arrival. It must not block: the session's pings wait
    /// while it runs.
    ///
    /// # Panics
    /// As [`observe`](Self::observe).
    pub fn run<F: FnMut(Message)>(self, mut on_message: F) -> impl Future<Output = CloseReason> + use<F> {
        self.without_flushes().observe(move |event| {
            if let Event::Message(message) = event {
                on_message(message);
            }
        })
    }

    /// Leaves out [`Event::Flush`] and [`Event::Drain`]: for an application that does not ask for them, as to tell them
    /// takes one more look at the session for each write, and one more turn of the driver for each GET that is
    /// answered.
    pub fn without_flushes(self) -> Self {
        self.registration.socket.lock().session.outbox.forget_left();
        self
    }

    /// Runs the session as [`run`](Self::run) does, and tells whatever happens, by whichever transport.
    ///
    /// ```
    /// # use engineio::{Config, Engine, Event};
    /// let echo = Engine::new(Config::default(), |socket, driver| {
    ///     tokio::spawn(driver.observe(move |event| match event {
    ///         Event::Message(message) => drop(socket.send(&message)),
    ///         Event::Upgrade(transport) => println!("{} moved to {transport:?}", socket.sid()),
    ///         _ => {}
    ///     }));
    /// });
    /// ```
    ///
    /// # Panics
    /// Outside of a tokio runtime with time.
    pub fn observe<F: FnMut(Event)>(self, on_event: F) -> impl Future<Output = CloseReason> + use<F> {
        let first = self.registration.socket.lock().session.poll_timeout();
        let timer = tokio::time::sleep_until(first.map_or_else(Instant::now, Instant::from_std));
        Running { driver: Some(self), timer, on_event }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut timer: Pin<&mut Sleep>,
        on_event: &mut impl FnMut(Event),
    ) -> Poll<CloseReason> {
        let mut asked = Asked::default();
        self.write(cx);
        loop {
            let opened = self.poll_open(cx);
            asked.websocket &= !opened;
            let is_unread = !self.may_read();
            let read = if is_unread { None } else { self.poll_read(cx, &mut asked, on_event) };
            let busy = opened || read.is_some();
            let (events, step) = self.look(cx, timer.as_mut(), &mut asked, busy);
            let held = self.tell(events, on_event);
            if matches!(step, Step::End(_)) {
                self.registration.socket.notify_written();
            } else if read.is_some_and(|begun| self.is_writing() && begun.elapsed() < QUICK) {
                ready!(let_others_read(cx));
            }
            let has_more = self.write(cx);
            match step {
                _ if !self.waiting.is_empty() && !held => ready!(coop::poll_proceed(cx)).made_progress(),
                Step::End(reason) => return Poll::Ready(reason),
                // What the WebSocket has would wake nobody: it was not asked.
                Step::Park if is_unread && self.may_read() => {}
                Step::Park if !has_more => return Poll::Pending,
                Step::Park | Step::Again => {}
            }
        }
    }

    /// Hands over events, those that waited first, until the turn is over or the application holds them back; of a
    /// session that has ended there is nobody to hold back. Says whether they are held back.
    fn tell(&mut self, mut events: VecDeque<Event>, on_event: &mut impl FnMut(Event)) -> bool {
        let socket = &self.registration.socket;
        let is_held = || socket.is_held() && socket.closed().is_none();
        for _ in 0..TURN {
            if is_held() {
                break;
            }
            let Some(event) = self.waiting.pop().or_else(|| events.pop_front()) else { return false };
            on_event(event);
        }
        self.waiting.extend(events.into_iter());
        is_held()
    }

    /// Takes over a WebSocket whose handshake is done. Says whether that happened.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> bool {
        let Io::Opening(opening) = &mut self.io else { return false };
        let Poll::Ready(upgraded) = opening.as_mut().poll(cx) else { return false };
        match upgraded {
            Ok(upgraded) => {
                let config = self.registration.socket.lock().session.config.clone();
                self.io = Io::Open(Box::new(websocket::Io::new(upgraded, &config, Instant::now())));
            }
            Err(error) => {
                self.io = Io::None;
                self.lose(cx, Some(TransportFault::Io(error.kind())));
            }
        }
        true
    }

    /// Whether what comes may be handed over: what waits is older than it. Or whether it completes an upgrade.
    fn may_read(&self) -> bool {
        let socket = &self.registration.socket;
        self.waiting.is_empty() && !socket.is_held() || socket.lock().session.reads_probe()
    }

    /// Reads the WebSocket once, unless so much waits to be written that the client should read first. Says when, if
    /// something was there.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        asked: &mut Asked,
        on_event: &mut impl FnMut(Event),
    ) -> Option<Instant> {
        let Io::Open(io) = &mut self.io else { return None };
        let (socket, waiting) = (&self.registration.socket, &mut self.waiting);
        if asked.websocket {
            return None;
        }
        let is_half_full = |session: &Session| session.outbox_bytes() >= session.config.max_outbox_bytes / 2;
        if io.is_writing() && is_half_full(&socket.lock().session) {
            return None;
        }
        let revision = self.registration.socket.encoding().revision;
        let read = io.poll_read(cx, |now, unit| {
            let packet = Packet::decode(unit, revision);
            let (earlier, event, wants_more) = socket.update(|inner| {
                inner.driver_awake();
                let session = &mut inner.session;
                let event = match packet {
                    Ok(packet) => session.handle_packet(now.into_std(), Transport::WebSocket, packet),
                    Err(error) => {
                        session.handle_error(Transport::WebSocket, error);
                        None
                    }
                };
                let wants_more = session.closed().is_none();
                if session.transport() == Transport::Polling {
                    // It counts with what is posted.
                    event.into_iter().for_each(|event| session.handle_polled(event));
                    return (VecDeque::new(), None, wants_more);
                }
                // What was posted before the upgrade comes before what the WebSocket brings.
                (session.poll_inbox(), event, wants_more)
            });
            for event in earlier.into_iter().chain(event) {
                // The application may have enough of it at any of them.
                if waiting.is_empty() && !socket.is_held() { on_event(event) } else { waiting.push(event) }
            }
            wants_more
        });
        let Poll::Ready((now, received)) = read else {
            asked.websocket = true;
            return None;
        };
        match received {
            Received::Messages => {}
            Received::Lost(fault) => self.lose(cx, fault),
            Received::Gone(fault) => {
                self.io = Io::None;
                self.lose(cx, fault);
            }
        }
        Some(now)
    }

    /// Whether the WebSocket has something that it was given, and that has not left.
    fn is_writing(&self) -> bool {
        matches!(&self.io, Io::Open(io) if io.is_writing())
    }

    /// Writes what the WebSocket was given, and has the session, and those who wait for it, hear what became of that.
    /// Says whether there is something to do for it.
    fn write(&mut self, cx: &mut Context<'_>) -> bool {
        let Io::Open(io) = &mut self.io else { return false };
        if !io.is_writing() {
            return false;
        }
        let has_left = match io.poll_write(cx) {
            Poll::Pending => false,
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(error)) => {
                self.lose(cx, Some(TransportFault::Io(error.kind())));
                return true;
            }
        };
        let socket = &self.registration.socket;
        let has_more = {
            let session = &mut socket.lock().session;
            session.handle_written(has_left);
            session.outbox.has_news() || has_left && session.driver_is_ready()
        };
        if has_left {
            socket.notify_written();
        }
        has_more
    }

    /// Asks the session, under one lock, for all that it wants of its driver, and sleeps only if that is nothing.
    fn look(
        &mut self,
        cx: &mut Context<'_>,
        mut timer: Pin<&mut Sleep>,
        asked: &mut Asked,
        busy: bool,
    ) -> (VecDeque<Event>, Step) {
        let elapsed = !asked.timer && timer.as_mut().poll(cx).is_ready();
        asked.timer = !elapsed;
        let mut inner = self.registration.socket.lock();
        inner.driver_awake();
        let held = self.registration.socket.is_held();
        let late = match &mut self.io {
            Io::Open(io) => io.deadline(held),
            Io::None | Io::Opening(_) => None,
        };
        if elapsed {
            let now = Instant::now();
            if held {
                inner.session.excuse(now.into_std());
            }
            inner.session.handle_timeout(now.into_std());
            if late.is_some_and(|late| late <= now) {
                inner.session.handle_lost(Transport::WebSocket, Some(TransportFault::MessageTimeout));
            }
        }
        let newcomer = inner.take_opening();
        let transmit = match &mut self.io {
            Io::Open(io) if io.queue.is_empty() || inner.session.closed().is_some() => {
                if !inner.session.outbox.is_empty() {
                    io.make_room();
                }
                inner.session.poll_websocket(&mut io.queue)
            }
            _ => Transmit::Idle,
        };
        // While earlier events wait, the inbox fills up, and the next POST waits in turn.
        let mut events = if self.waiting.is_empty() { inner.session.poll_inbox() } else { VecDeque::new() };
        let is_idle = match transmit {
            Transmit::Idle => true,
            // What is left would wake nobody: it was there before.
            Transmit::Frames => !inner.session.driver_is_ready(),
            Transmit::Close(_) => false,
        };
        let mut step = match inner.session.closed() {
            Some(reason) if inner.session.inbox_is_empty() => Step::End(reason),
            Some(_) => Step::Again,
            None if busy || newcomer.is_some() || !is_idle || !events.is_empty() => Step::Again,
            None => Step::Park,
        };
        if inner.session.outbox.has_news() {
            events.extend(inner.session.poll_flush().into_iter().flatten());
        }
        if let Some(deadline) = inner.session.poll_timeout().map(Instant::from_std)
            && let deadline = late.map_or(deadline, |late| late.min(deadline))
            && (elapsed || deadline < timer.deadline())
        {
            timer.as_mut().reset(deadline);
            asked.timer = false;
            // A timer only wakes once it was polled: that is at the next round.
            step = if matches!(step, Step::Park) { Step::Again } else { step };
        }
        // The others first: this driver has seen everything, and must not wake itself.
        let wakers = inner.take_wakers();
        if matches!(step, Step::Park) {
            inner.park_driver(cx);
        }
        drop(inner);
        wake(wakers);
        if let Transmit::Close(code) = transmit {
            self.drop_io(cx, code);
        }
        if let Some(opening) = newcomer {
            // One that failed before it has had no time to go.
            self.drop_io(cx, None);
            self.io = Io::Opening(opening);
        }
        (events, step)
    }

    /// The WebSocket broke or was closed by the client.
    fn lose(&mut self, cx: &mut Context<'_>, fault: Option<TransportFault>) {
        self.registration.socket.update(|inner| {
            inner.driver_awake();
            inner.session.handle_lost(Transport::WebSocket, fault);
        });
        // Of a session that ended, `look` closes the WebSocket with the code of its reason.
        if self.registration.socket.closed().is_none() {
            self.drop_io(cx, fault.and_then(|fault| CloseReason::TransportError(fault).close_code()));
        }
    }

    /// Closes the WebSocket; what is left of the goodbye is not the session's business.
    fn drop_io(&mut self, cx: &mut Context<'_>, code: Option<u16>) {
        if let Io::Open(mut io) = std::mem::replace(&mut self.io, Io::None) {
            io.close(code);
            if !io.is_over(cx) {
                tokio::spawn(io.finish(self.registration.farewell()));
            }
        }
    }
}

/// Pending until the runtime has polled all that are ready: what has come is read from all before one is answered. A
/// process on this machine that gets the answers then finds many when it wakes, and is not woken for each of them,
/// which costs more than all that a driver does. While applications are quick, nobody waits for long.
fn let_others_read(cx: &mut Context<'_>) -> Poll<()> {
    pin!(tokio::task::yield_now()).poll(cx)
}

impl<F: FnMut(Event)> Future for Running<F> {
    type Output = CloseReason;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CloseReason> {
        let this = self.project();
        let driver = this.driver.as_mut().expect("polled no more when it has ended");
        let reason = ready!(driver.poll(cx, this.timer, this.on_event));
        // The session leaves its engine before its application hears of the end.
        *this.driver = None;
        (this.on_event)(Event::Close(reason));
        Poll::Ready(reason)
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("socket", &self.registration.socket).finish_non_exhaustive()
    }
}

impl Drop for Driver {
    /// Whoever still holds the session, or waits for it in a GET, learns that it is over.
    fn drop(&mut self) {
        self.registration.socket.close_for(CloseReason::Shutdown);
        self.registration.socket.notify_written();
    }
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
