//! What it is: the state machine of a session: opened, a message in, frames out, a ping and its pong.
//! What it is not: locks, tasks or carriers.
//! Who calls it: `main`.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use criterion::Criterion;
use engineio::{Config, Encoding, Frame, Message, Packet, Session, Transmit, Transport};

/// About the JSON of an open packet.
const OPEN: &str = r#"{"sid":"0123456789abcdefghij","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#;

fn open(config: &Arc<Config>, transport: Transport, now: Instant) -> Session {
    Session::new(Arc::clone(config), Encoding::V4, transport, OPEN, now)
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let (config, start) = (Arc::new(Config::default()), Instant::now());
    let frame = Frame::text(&["2[\"echo\",\"some text\"]"]);
    let message = Message::Text("2[\"echo\",\"some text\"]".into());
    let mut queue = VecDeque::new();
    let mut group = criterion.benchmark_group("engineio_session");

    group.bench_function("open", |bencher| bencher.iter(|| open(&config, Transport::WebSocket, start)));

    let mut session = open(&config, Transport::WebSocket, start);
    group.bench_function("message_by_websocket", |bencher| {
        bencher.iter(|| {
            let event = session.handle_packet(start, Transport::WebSocket, Packet::Message(message.clone()));
            event.expect("a message")
        });
    });

    for frames in [1, 64] {
        group.bench_function(format!("flush_{frames}_by_websocket"), |bencher| {
            bencher.iter(|| {
                session.send(std::iter::repeat_n(&frame, frames).cloned()).expect("open");
                assert_eq!(session.poll_websocket(&mut queue), Transmit::Frames);
                queue.clear();
                session.handle_written(true);
            });
        });
    }

    let mut now = start;
    group.bench_function("ping_and_pong", |bencher| {
        bencher.iter(|| {
            now = session.poll_timeout().expect("open");
            session.handle_timeout(now);
            assert_eq!(session.poll_websocket(&mut queue), Transmit::Frames);
            queue.clear();
            session.handle_written(true);
            session.handle_packet(now, Transport::WebSocket, Packet::Pong)
        });
    });
    assert_eq!(session.closed(), None);

    let mut session = open(&config, Transport::Polling, start);
    group.bench_function("post_and_get", |bencher| {
        bencher.iter(|| {
            session.handle_post().expect("the only one");
            let event = session.handle_packet(start, Transport::Polling, Packet::Message(message.clone()));
            session.handle_polled(event.expect("a message"));
            session.handle_posted();
            assert_eq!(session.poll_inbox().len(), 1);
            session.handle_get().expect("the only one");
            session.send([frame.clone()]).expect("open");
            session.poll_get().expect("a frame")
        });
    });
    group.finish();
}
