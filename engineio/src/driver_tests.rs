//! Turns and sleep of the driver, over virtual time.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};

use super::*;
use crate::socket::Socket;
use crate::{
    config::Config,
    engine::{Arrival, Engine},
    handshake::Handshake,
    id::Sid,
    protocol::Encoding,
};

fn polling() -> (Socket, Driver) {
    let (opened, sessions) = mpsc::channel();
    let engine = Engine::new(Config::default(), move |socket, driver| {
        opened.send((socket, driver)).expect("the test listens");
    });
    let handshake = Handshake::new("", Transport::Polling, None, std::iter::empty());
    let admitted = engine.admit(None).expect("there is no bound");
    engine.open(Arrival { sid: Sid::draw(), encoding: Encoding::V4, handshake, admitted, opening: None });
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
