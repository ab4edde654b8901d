//! Clients that do not read, where events may make room for newer ones.

use std::sync::Arc;

use bytes::Bytes;
use engineio::SlowConsumer;
use socketio::{Ack, Config, Namespace, Recovery, Value};
use tests::{Row, polling::Polling, server, within};
use tokio::sync::Notify;

#[tokio::test]
async fn events_that_want_no_answer_make_room_for_newer_ones_but_where_clients_come_back_for_them() {
    for recovery in [None, Some(Recovery::default())] {
        let _row = Row(if recovery.is_some() { "with recovery" } else { "without" });
        let mut config = Config { connection_state_recovery: recovery, ..Config::default() };
        config.engine.max_outbox_messages = 4;
        config.engine.slow_consumer = SlowConsumer::DropOldest;
        let answered = Arc::new(Notify::new());
        let answering = answered.clone();
        let namespace = Namespace::new("/").on("ask", move |ack: Ack| {
            let sent = ack.send(&("yes",));
            answering.notify_one();
            async { sent }
        });
        let (server, io) = server::socketio(config, [namespace]).await;
        let mut client = Polling::open(server.endpoint).await;
        assert_eq!(client.post("40").await.body, "ok");
        assert!(client.get().await.body.starts_with("40{"));
        assert_eq!(client.post("427[\"ask\"]").await.body, "ok");
        within(answered.notified()).await;
        io.emit("file", &Value::Binary(Bytes::from_static(b"0123"))).expect("emitted");
        let sent = (1..=9).map(|number| io.emit("n", &number).expect("emitted")).collect::<Vec<_>>();
        if recovery.is_some() {
            assert_eq!((sent[0], sent[8]), (1, 0));
            continue;
        }
        assert_eq!(sent, [1; 9]);
        assert_eq!(client.get().await.body, "437[\"yes\"]\x1e42[\"n\",7]\x1e42[\"n\",8]\x1e42[\"n\",9]");
    }
}
