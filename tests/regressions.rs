//! What other servers of this field got wrong, and no other test of ours is about.
//!
//! The rest of that list is where it belongs by its subject: ids, rooms, order and acks in `socketio_wire`; pings,
//! abandoned upgrades and polls that break off in `engineio_wire`.

use engineio::{Config, Message};
use tests::{
    Row,
    frames::{Frame, TEXT, WebSocket, masked},
    http::Answer,
    polling::Polling,
    server::{self, Session},
};

/// Rounds of a race: enough for either side to win some of them.
const ROUNDS: usize = 100;

async fn talks(websocket: &mut WebSocket, session: &mut Session) {
    websocket.send("4up").await;
    assert_eq!(session.text().await, "up");
    session.send("down");
    assert_eq!(websocket.text().await, "4down");
}

/// Freed by the upgrade, or too late for it.
fn freed_or_late(answer: &Answer) -> bool {
    (answer.status, answer.body.as_str()) == (200, "6")
        || (answer.status, answer.body.as_str()) == (400, r#"{"code":3,"message":"Bad request"}"#)
}

#[tokio::test]
async fn b11_messages_flow_both_ways_while_a_websocket_probes() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    for probed in [false, true] {
        let mut websocket = if probed { client.probing().await } else { client.upgrade().await };
        for at in 0..20 {
            assert_eq!(client.post(format!("4{at}\x1ebAQI=")).await.body, "ok");
            assert_eq!(session.text().await, at.to_string());
            assert_eq!(session.message().await, Message::Binary(vec![1, 2].into()));
            session.send(&at.to_string());
            assert_eq!(client.get().await.body, format!("4{at}"));
        }
        websocket.send("no probe").await;
        while websocket.frame().await != Frame::End {}
    }
    talks(&mut client.upgraded().await, &mut session).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_get_that_races_the_end_of_an_upgrade_is_answered_and_the_session_lives() {
    let (server, sessions) = server::engine(Config::default()).await;
    for round in 0..ROUNDS {
        let label = format!("round {round}");
        let _row = Row(&label);
        let mut client = Polling::open(server.endpoint).await;
        let mut session = sessions.take(&client.sid);
        let mut websocket = client.probing().await;
        let (_, answer) = tokio::join!(websocket.send("5"), client.get());
        assert!(freed_or_late(&answer), "{answer:?}");
        talks(&mut websocket, &mut session).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_get_that_races_a_whole_upgrade_is_answered_and_the_session_lives() {
    let (server, sessions) = server::engine(Config::default()).await;
    for round in 0..ROUNDS {
        let label = format!("round {round}");
        let _row = Row(&label);
        let mut client = Polling::open(server.endpoint).await;
        let mut session = sessions.take(&client.sid);
        client.send_get().await;
        let mut websocket = client.upgrade().await;
        websocket.connection.send([masked(TEXT, b"2probe"), masked(TEXT, b"5")].concat()).await;
        assert_eq!(websocket.text().await, "3probe");
        let answer = client.gets.answer().await;
        assert!(freed_or_late(&answer), "{answer:?}");
        talks(&mut websocket, &mut session).await;
    }
}
