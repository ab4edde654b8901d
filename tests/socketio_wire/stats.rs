//! What a server says of itself: what waits, what is kept, what was sent again, and what was not sent.

use std::time::Duration;

use socketio::{Config, Namespace, Recovery, RoomHistory, Throttle};
use tests::{Row, polling::Polling, server, socket};

use crate::{namespace, serve};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3600);

/// A client of `/` whose GET does not wait.
async fn polls(server: &server::Server) -> Polling {
    let mut client = Polling::open(server.endpoint).await;
    assert_eq!(client.post("40").await.body, "ok");
    assert!(client.get().await.body.starts_with("40{\"sid\":"));
    client
}

#[tokio::test]
async fn what_waits_is_kept_and_was_replayed() {
    let rules = namespace("/")
        .room_history("news", RoomHistory { replay: Some(2), ..RoomHistory::default() })
        .room_throttle("ticker", Throttle { interval: LONG, ..Throttle::default() });
    let (server, io) = serve([rules]).await;
    let mut client = polls(&server).await;
    let before = io.stats();
    assert_eq!(before, socketio::ServerStats::default(), "nothing yet");
    io.to("nobody").emit("e", &1).expect("emitted");
    io.emit("e", &1).expect("emitted");
    assert_eq!(io.stats().outbox_bytes, r#"42["e",1]"#.len() + 2, "with the header of a frame");
    client.get().await;
    assert_eq!(io.stats().outbox_bytes, 0);

    for number in 0..3 {
        io.to("news").emit("e", &number).expect("emitted");
        io.to("ticker").emit("e", &number).expect("emitted");
    }
    let kept = io.stats();
    assert!(kept.history_bytes > 0 && kept.replayed == 0 && kept.throttled == 2, "{kept:?}");
    assert_eq!(io.of("/").expect("served").sockets_join("news"), 1);
    assert_eq!(io.stats().replayed, 2);
    io.to("news").clear_history();
    assert_eq!(io.stats().history_bytes, 0);
}

#[tokio::test]
async fn what_was_not_sent_is_counted_once_unless_its_client_may_come_back_for_it() {
    let options = [
        ("sent at once", Duration::ZERO, None, 2),
        ("sent later", LONG, None, 2),
        ("kept", Duration::ZERO, Some(Recovery::default()), 0),
    ];
    for (row, flush_delay, connection_state_recovery, closed) in options {
        let _row = Row(row);
        let engine = socketio::engineio::Config { max_outbox_messages: 1, ..Config::default().engine };
        let config = Config { engine, flush_delay, connection_state_recovery, ..Config::default() };
        let (server, io) = server::socketio(config, [Namespace::new("/")]).await;
        let dropped = || {
            let stats = io.stats();
            (stats.dropped_volatile, stats.dropped_slow, stats.dropped_closed)
        };
        let root = io.of("/").expect("served");
        let _client = polls(&server).await;
        let [waiting] = &root.sockets()[..] else { panic!("one") };
        assert_eq!(root.clone().volatile().emit("e", &()).expect("emitted"), 0);
        waiting.volatile().emit("e", &()).expect("dropped, which is no error");
        assert!(waiting.volatile().emit_with_ack::<()>("e", &()).is_err());
        assert_eq!(dropped(), (3, 0, 0));
        waiting.close();
        root.emit("e", &()).expect("emitted");
        assert_eq!(waiting.emit("e", &()).is_ok(), closed == 0);
        assert_eq!(dropped(), (3, 0, closed));
        assert_eq!(root.clone().volatile().emit("e", &()).expect("emitted"), 0, "none is kept");
        assert_eq!(dropped(), (3, 0, closed + 1));
    }
    let engine = socketio::engineio::Config { max_outbox_messages: 1, ..Config::default().engine };
    let (server, io) = server::socketio(Config { engine, ..Config::default() }, [Namespace::new("/")]).await;
    let _client = polls(&server).await;
    let (_reading, _) = socket::connect(server.endpoint, "/").await;
    assert_eq!(io.emit("e", &()).expect("emitted"), 2);
    assert_eq!(io.stats().dropped_slow, 0);
    // That of the client that reads may wait, too.
    let sent = io.emit("e", &()).expect("emitted") as u64;
    assert_eq!(io.stats().dropped_slow + sent, 2);
    assert!(sent < 2);
}
