//! Turns, order and sleep of the driver, over streams that note what is done with them, and over virtual time.

use std::{
    io,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::Waker,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream, ReadBuf},
    task::JoinHandle,
};

use super::*;
use crate::socket::{Socket, Upgraded};
use crate::{
    config::Config,
    engine::{Arrival, Engine},
    frame::Frame,
    handshake::Handshake,
    id::Sid,
    protocol::Encoding,
    reason::Sent,
};

fn polling() -> (Socket, Driver) {
    open(Transport::Polling, None)
}

fn open(transport: Transport, opening: Option<Opening>) -> (Socket, Driver) {
    let (opened, sessions) = mpsc::channel();
    let engine = Engine::new(Config::default(), move |socket, driver| {
        opened.send((socket, driver)).expect("the test listens");
    });
    let handshake = Handshake::new("", transport, None, std::iter::empty());
    let admitted = engine.admit(None).expect("there is no bound");
    engine.open(Arrival { sid: Sid::draw(), encoding: Encoding::V4, handshake, admitted, opening });
    sessions.recv().expect("a session")
}

/// What one POST brings is handed over in turns, all of it, in order, and before the end.
#[tokio::test]
async fn c13_other_tasks_get_their_turn_within_a_large_body() {
    const MANY: usize = 100_000;
    let (socket, driver) = polling();
    let turns = Arc::new(AtomicUsize::new(0));
    let counted = turns.clone();
    tokio::spawn(async move {
        loop {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    let post = |numbers: Range<usize>| {
        socket.update(|inner| {
            for number in numbers {
                inner.session.handle_polled(Event::Message(Message::Text(number.to_string().into())));
            }
        });
    };
    post(0..MANY / 2);
    let (mut next, mut begun) = (0, 0);
    let reason = driver
        .run(|message| {
            assert_eq!(message, Message::Text(next.to_string().into()));
            if next == 0 {
                begun = turns.load(Ordering::Relaxed);
                post(MANY / 2..MANY);
                socket.update(|inner| inner.session.handle_lost(Transport::Polling, None));
            }
            next += 1;
        })
        .await;
    assert_eq!((reason, next), (CloseReason::TransportClose, MANY));
    assert!(turns.load(Ordering::Relaxed) > begun + 5, "others had their turn");
}

/// The end of a stream that is served, which notes what is done with it.
struct Noted(DuplexStream, Arc<Mutex<String>>);

impl AsyncRead for Noted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.0).poll_read(cx, into))?;
        self.1.lock().expect("no panic").push('r');
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Noted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.1.lock().expect("no panic").push('w');
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A client by WebSocket that has read its open packet.
async fn websocket(log: &Arc<Mutex<String>>) -> (Socket, Driver, BufReader<DuplexStream>) {
    let (client, served) = tokio::io::duplex(1024);
    let stream = Box::pin(Noted(served, log.clone()));
    let opening = async { Ok(Upgraded { stream, compression: None }) as io::Result<Upgraded> };
    let (socket, driver) = open(Transport::WebSocket, Some(Box::pin(opening)));
    (socket, driver, BufReader::new(client))
}

/// What is done with the streams of three clients that each send a text and get it back, from an application that does
/// something before.
async fn echoes(before: impl Fn(&Socket) + Clone + Send + 'static) -> (String, Vec<BufReader<DuplexStream>>) {
    let (log, mut clients) = (Arc::default(), Vec::new());
    for _ in 0..3 {
        let (socket, driver, client) = websocket(&log).await;
        let before = before.clone();
        tokio::spawn(driver.run(move |message| {
            before(&socket);
            socket.send(&message).expect("it is open");
        }));
        clients.push(client);
    }
    for client in &mut clients {
        client.read_until(b'}', &mut Vec::new()).await.expect("the open packet");
    }
    log.lock().expect("no panic").clear();
    for client in &mut clients {
        client.write_all(b"\x81\x82\0\0\0\x004a").await.expect("there is room");
    }
    for client in &mut clients {
        let mut answer = [0; 4];
        client.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(&answer, b"\x81\x024a");
    }
    let log = log.lock().expect("no panic").clone();
    (log, clients)
}

#[tokio::test(start_paused = true)]
async fn what_came_is_read_from_all_before_one_is_answered() {
    assert_eq!(echoes(|_| {}).await.0, "rrrwww");
}

#[tokio::test]
async fn a_slow_application_does_not_keep_others_waiting_for_their_answers() {
    assert_eq!(echoes(|_| std::thread::sleep(QUICK)).await.0, "rwrwrw");
}

/// One that waits for its turn, and not for its client, is not late.
#[tokio::test(start_paused = true)]
async fn a_volatile_message_goes_to_one_whose_answer_waits_for_others_to_be_read() {
    let first = Arc::new(OnceLock::new());
    let send = move |socket: &Socket| {
        let first: &Socket = first.get_or_init(|| socket.clone());
        if first.sid() != socket.sid() {
            let _there_are_two = first.send_volatile(&Frame::text(&["v"]), &[]).expect("it is open");
        }
    };
    let (log, mut clients) = echoes(send).await;
    let mut volatile = [0; 4];
    clients[0].read_exact(&mut volatile).await.expect("one of two");
    assert_eq!((&volatile, &*log), (b"\x81\x024v", "rrrwwww"));
}

/// Time moves only while every task sleeps: a driver that is busy with nothing would keep it standing.
#[tokio::test(start_paused = true)]
async fn cl_16_a_close_that_waits_for_a_get_is_slept_through() {
    let (socket, driver) = polling();
    let before = Instant::now();
    let running = tokio::spawn(driver.run(|_| {}));
    socket.close();
    assert_eq!(running.await.expect("no panic"), CloseReason::ForcedClose);
    assert_eq!(before.elapsed().as_secs(), 30);
}

/// A stream that reads nothing, and writes what it is let.
#[derive(Clone, Default)]
struct Stubborn(Arc<Mutex<Letting>>);

#[derive(Default)]
struct Letting {
    /// Writing fails.
    is_broken: bool,
    /// What was written stays in a buffer, as TLS has one.
    keeps: bool,
    waker: Option<Waker>,
}

impl Stubborn {
    fn letting(&self) -> MutexGuard<'_, Letting> {
        self.0.lock().expect("no panic")
    }

    /// A session on it whose open packet has left, and its end.
    async fn session(&self) -> (Socket, JoinHandle<CloseReason>) {
        let stream = Box::pin(self.clone());
        let opening = async { Ok(Upgraded { stream, compression: None }) as io::Result<Upgraded> };
        let (socket, driver) = open(Transport::WebSocket, Some(Box::pin(opening)));
        let running = tokio::spawn(driver.run(|_| {}));
        socket.flushed().await.expect("it is open");
        (socket, running)
    }
}

impl AsyncRead for Stubborn {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Stubborn {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(if self.letting().is_broken { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(bytes.len()) })
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut letting = self.letting();
        if letting.keeps {
            letting.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Nothing but the write says so: it is not read.
#[tokio::test(start_paused = true)]
async fn a_held_session_ends_as_soon_as_its_websocket_cannot_be_written() {
    let stream = Stubborn::default();
    let (socket, running) = stream.session().await;
    let (hold, before) = (socket.hold(), Instant::now());
    stream.letting().is_broken = true;
    socket.send(&Message::Text("a".into())).expect("it is open");
    let broken = CloseReason::TransportError(TransportFault::Io(io::ErrorKind::BrokenPipe));
    assert_eq!((running.await.expect("no panic"), before.elapsed()), (broken, Duration::ZERO));
    drop(hold);
}

#[tokio::test(start_paused = true)]
async fn what_a_stream_keeps_has_not_left_until_it_lets_it_go() {
    let stream = Stubborn::default();
    let (socket, _running) = stream.session().await;
    stream.letting().keeps = true;
    socket.send(&Message::Text("a".into())).expect("it is open");
    let left = tokio::time::timeout(Duration::from_secs(1), socket.flushed()).await;
    assert!(left.is_err(), "it was told to have left");
    assert_eq!(socket.send_volatile(&Frame::text(&["b"]), &[]), Ok(Sent::Dropped), "its client is late");
    let waker = {
        let mut letting = stream.letting();
        letting.keeps = false;
        letting.waker.take()
    };
    waker.expect("it was asked to let go").wake();
    let before = Instant::now();
    assert_eq!((socket.flushed().await, before.elapsed()), (Ok(()), Duration::ZERO));
}

/// A WebSocket that wants to take over the session, and the client's end of it.
fn newcomer(socket: &Socket) -> DuplexStream {
    let (client, served) = tokio::io::duplex(1024);
    let stream = Box::pin(Noted(served, Arc::default()));
    let opening = async { Ok(Upgraded { stream, compression: None }) as io::Result<Upgraded> };
    assert!(socket.probe(Box::pin(opening)).is_ok(), "it polls");
    client
}

async fn is_read(client: &mut DuplexStream, expected: &[u8]) {
    let mut read = vec![0; expected.len()];
    client.read_exact(&mut read).await.expect("more");
    assert_eq!(read, expected);
}

/// The client has stopped polling by then: what is not read would be lost with its WebSocket.
#[tokio::test(start_paused = true)]
async fn a_held_session_completes_its_upgrade() {
    let (socket, driver) = polling();
    let (told, mut events) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(driver.without_flushes().observe(move |event| told.send(event).expect("the test listens")));
    let mut client = newcomer(&socket);
    let (hold, before) = (socket.hold(), Instant::now());
    client.write_all(b"\x81\x86\0\0\0\x002probe").await.expect("there is room");
    is_read(&mut client, b"\x81\x063probe").await;
    socket.update(|inner| inner.session.handle_polled(Event::Message(Message::Text("posted".into()))));
    client.write_all(b"\x81\x81\0\0\0\x005\x81\x82\0\0\0\x004a").await.expect("there is room");
    client.read_u8().await.expect("the open packet by WebSocket");
    client.write_all(b"\x81\x82\0\0\0\x004b").await.expect("there is room");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(events.try_recv().is_err(), "it is held");
    drop(hold);
    for expected in [
        Event::Upgrading(Transport::WebSocket),
        Event::Message(Message::Text("posted".into())),
        Event::Upgrade(Transport::WebSocket),
        Event::Message(Message::Text("a".into())),
        Event::Message(Message::Text("b".into())),
    ] {
        assert_eq!(events.recv().await, Some(expected));
    }
    assert_eq!(before.elapsed().as_secs(), 1);
}

/// Or one WebSocket after the other would fill memory with its `2probe`.
#[tokio::test(start_paused = true)]
async fn a_probe_to_a_held_session_waits_for_room_as_posts_do() {
    let (socket, driver) = polling();
    let _running = tokio::spawn(driver.run(|_| {}));
    let _hold = socket.hold();
    let (mut answered, before) = (0, Instant::now());
    loop {
        let mut client = newcomer(&socket);
        client.write_all(b"\x81\x86\0\0\0\x002probe").await.expect("there is room");
        let mut first = [0];
        client.read_exact(&mut first).await.expect("an answer, or a close");
        if first != [0x81] {
            break;
        }
        answered += 1;
        drop(client);
        while socket.lock().session.reads_probe() {
            tokio::task::yield_now().await;
        }
    }
    // One goes to the driver, which has nothing that waits; then the inbox fills up.
    assert_eq!((answered, before.elapsed()), (65, Config::default().upgrade_timeout));
}

/// Among thousands of events one is answered, whichever it is, and no other: nothing that is written later helps.
#[tokio::test(start_paused = true)]
async fn what_left_within_a_long_turn_is_told_to_those_who_wait() {
    const MANY: usize = 256 * TURN;
    // A task has to let others run after 128 steps, of which each turn is one.
    for answered in (120 * TURN..136 * TURN).step_by(TURN) {
        let (socket, driver, _client) = websocket(&Arc::default()).await;
        let answering = socket.clone();
        let (told, waits) = tokio::sync::oneshot::channel();
        let mut told = Some(told);
        tokio::spawn(driver.run(move |message| {
            if message == Message::Text(answered.to_string().into()) {
                answering.send(&message).expect("it is open");
                let (socket, told) = (answering.clone(), told.take().expect("it comes once"));
                tokio::spawn(async move { told.send(socket.flushed().await) });
            }
        }));
        socket.flushed().await.expect("it is open");
        let before = Instant::now();
        socket.update(|inner| {
            for number in 0..MANY {
                inner.session.handle_polled(Event::Message(Message::Text(number.to_string().into())));
            }
        });
        assert_eq!((waits.await, before.elapsed()), (Ok(Ok(())), Duration::ZERO), "{answered}");
    }
}
