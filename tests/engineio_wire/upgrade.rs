//! The move of a session from polling to a WebSocket, and the WebSockets that do not make it.

use std::time::Duration;

use engineio::{CloseReason, Config, Transport};
use tests::{
    Row,
    frames::{BINARY, CLOSED, Frame, HANDSHAKE, TEXT, WebSocket, closed, handshake, masked, text},
    http::Connection,
    in_time,
    polling::Polling,
    server::{self, Session},
};

use crate::{REFUSED, told};

/// The session still polls, both ways.
async fn still_polls(client: &mut Polling, session: &mut Session) {
    assert_eq!(told(&client.post("4up").await), (200, "ok"));
    assert_eq!(session.text().await, "up");
    session.send("down");
    assert_eq!(told(&client.get().await), (200, "4down"));
}

/// The session talks over this WebSocket, both ways.
async fn talks(websocket: &mut WebSocket, session: &mut Session) {
    websocket.send("4up").await;
    assert_eq!(session.text().await, "up");
    session.send("down");
    assert_eq!(websocket.frame().await, text("4down"));
    assert_eq!(session.socket.transport(), Transport::WebSocket);
}

#[tokio::test]
async fn up_01_02_04_b12_e24_probe_noop_upgrade() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    client.send_get().await;
    server.waiting(1).await;

    let mut websocket = client.probing().await;
    assert_eq!(told(&client.gets.answer().await), (200, "6"));
    for _ in 0..3 {
        assert_eq!(told(&client.get().await), (200, "6"));
    }
    assert_eq!(session.socket.transport(), Transport::Polling);

    session.send("waiting");
    websocket.send("5").await;
    assert_eq!(websocket.frame().await, text("4waiting"));
    talks(&mut websocket, &mut session).await;

    assert_eq!(told(&client.get().await), (400, REFUSED[3]));
    assert_eq!(told(&client.post("4a").await), (400, REFUSED[3]));
    talks(&mut websocket, &mut session).await;
}

#[tokio::test]
async fn a_get_that_waits_without_a_noop_is_freed_by_the_upgrade() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    client.send_get().await;
    server.waiting(1).await;
    let mut websocket = client.upgrade().await;
    websocket.connection.send([masked(TEXT, b"2probe"), masked(TEXT, b"5")].concat()).await;
    assert_eq!(told(&client.gets.answer().await), (200, "6"));
    assert_eq!(websocket.frame().await, text("3probe"));
    talks(&mut websocket, &mut session).await;
}

#[tokio::test]
async fn up_16_messages_right_behind_the_upgrade_packet_are_delivered() {
    let (server, sessions) = server::engine(Config::default()).await;
    let client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    let mut websocket = client.probing().await;
    let packets = [masked(TEXT, b"5"), masked(TEXT, b"4a"), masked(BINARY, b"b"), masked(TEXT, b"4c")];
    websocket.connection.send(packets.concat()).await;
    assert_eq!(session.text().await, "a");
    assert_eq!(session.message().await, engineio::Message::Binary(b"b".to_vec().into()));
    assert_eq!(session.text().await, "c");
}

#[tokio::test]
async fn a_client_that_awaits_nothing_is_upgraded_in_one_segment() {
    let (server, sessions) = server::engine(Config::default()).await;
    let client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    session.send("waiting");
    let target = format!("{}&sid={}", server.endpoint.target("websocket"), client.sid);
    let head = format!("GET {target} HTTP/1.1\r\nhost: x\r\n{HANDSHAKE}\r\n").into_bytes();
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.send([head, masked(TEXT, b"2probe"), masked(TEXT, b"5"), masked(TEXT, b"4a")].concat()).await;
    assert_eq!(connection.head().await.status, 101);
    let mut websocket = WebSocket { connection };
    assert_eq!(session.text().await, "a");
    assert_eq!(websocket.frame().await, text("3probe"));
    assert_eq!(websocket.frame().await, text("4waiting"));
    talks(&mut websocket, &mut session).await;
}

/// The reference upgrades at a `5` without a probe (E20), which the protocol does not have.
#[tokio::test]
async fn up_07_e19_e20_e21_newcomers_that_say_something_else_are_closed_and_polling_goes_on() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    let packets = ["2", "2probe!", "40", "4x", "9", "3probe", "1", "6", "0", ""];
    let texts = packets.map(|packet| (packet, masked(TEXT, packet.as_bytes())));
    let binary = ("binary", masked(BINARY, b"2probe"));
    let upgrade = ("E20: upgrade", masked(TEXT, b"5"));
    for (label, frame) in texts.iter().chain([&binary, &upgrade]) {
        let label = format!("E19, first: {label}");
        let _row = Row(&label);
        let mut websocket = client.upgrade().await;
        websocket.connection.send(frame).await;
        assert_eq!(websocket.frame().await, CLOSED);
        assert_eq!(websocket.frame().await, Frame::End);
        still_polls(&mut client, &mut session).await;
    }
    for (label, frame) in texts.iter().chain([&binary]) {
        let label = format!("E21, behind the probe: {label}");
        let _row = Row(&label);
        let mut websocket = client.probing().await;
        websocket.connection.send(frame).await;
        assert_eq!(websocket.frame().await, CLOSED);
        still_polls(&mut client, &mut session).await;
    }
    talks(&mut client.upgraded().await, &mut session).await;
}

/// The reference answers every probe; official clients send one.
#[tokio::test]
async fn e22_three_probes_are_answered_and_no_more() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    let mut websocket = client.probing().await;
    for _ in 1..3 {
        websocket.send("2probe").await;
        assert_eq!(websocket.frame().await, text("3probe"));
    }
    websocket.send("2probe").await;
    assert_eq!(websocket.frame().await, CLOSED);
    still_polls(&mut client, &mut session).await;
}

#[tokio::test]
async fn up_08_e18_upgrades_that_take_too_long_are_closed_and_polling_goes_on() {
    let config = Config { upgrade_timeout: Duration::from_millis(600), ..Config::default() };
    let (server, sessions) = server::engine(config).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    for probed in [false, true] {
        let mut websocket = if probed { client.probing().await } else { client.upgrade().await };
        assert_eq!(in_time(websocket.frame()).await, CLOSED);
        assert_eq!(websocket.frame().await, Frame::End);
        still_polls(&mut client, &mut session).await;
    }
}

#[tokio::test]
async fn newcomers_that_go_away_leave_polling_alive() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    drop(client.upgrade().await);
    still_polls(&mut client, &mut session).await;

    drop(client.probing().await);
    // Until the server has seen that, every GET is answered at once.
    loop {
        client.send_get().await;
        tokio::select! {
            answer = client.gets.answer() => assert_eq!(told(&answer), (200, "6")),
            () = server.waiting(1) => break,
        }
    }
    session.send("down");
    assert_eq!(told(&client.gets.answer().await), (200, "4down"));
    talks(&mut client.upgraded().await, &mut session).await;
}

#[tokio::test]
async fn up_05_06_e15_e16_a_second_websocket_is_closed_and_the_first_goes_on() {
    let (server, sessions) = server::engine(Config::default()).await;
    let client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    let mut first = client.probing().await;
    let mut during = client.upgrade().await;
    assert_eq!(during.frame().await, CLOSED, "UP-06, E15");
    first.send("5").await;
    talks(&mut first, &mut session).await;
    let mut after = client.upgrade().await;
    assert_eq!(after.frame().await, CLOSED, "UP-05, E16");
    talks(&mut first, &mut session).await;
}

/// The reference answers its probe; but only sessions that poll upgrade.
#[tokio::test]
async fn e17_a_session_born_on_a_websocket_takes_no_other() {
    let (server, sessions) = server::engine(Config::default()).await;
    let (mut first, sid) = WebSocket::open(server.endpoint).await;
    let mut second = Connection::open(server.endpoint.address).await;
    let answer = handshake(&mut second, &format!("{}&sid={sid}", server.endpoint.target("websocket"))).await;
    assert_eq!((answer.status, answer.header("connection")), (400, "close"));
    assert_eq!(second.rest().await, REFUSED[3].as_bytes());
    talks(&mut first, &mut sessions.take(&sid)).await;
}

#[tokio::test]
async fn up_09_e23_the_end_of_a_session_closes_its_newcomer() {
    let (server, sessions) = server::engine(Config::default()).await;
    for probed in [false, true] {
        let mut client = Polling::open(server.endpoint).await;
        let mut websocket = if probed { client.probing().await } else { client.upgrade().await };
        assert_eq!(told(&client.post("1").await), (200, "ok"));
        assert_eq!(websocket.frame().await, CLOSED);
        assert_eq!(sessions.take(&client.sid).reason().await, CloseReason::TransportClose);
    }
}

/// The reference waits for the `5`, which may never come.
#[tokio::test]
async fn up_11_a_close_during_the_upgrade_leaves_by_polling() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    let mut websocket = client.probing().await;
    session.send("last");
    session.socket.close();
    assert_eq!(websocket.frame().await, CLOSED);
    assert_eq!(told(&client.get().await), (200, "4last\x1e1"));
    assert_eq!(session.reason().await, CloseReason::ForcedClose);
}

#[tokio::test]
async fn up_10_a_client_that_closes_right_after_its_probe() {
    let (server, sessions) = server::engine(Config::default()).await;
    let client = Polling::open(server.endpoint).await;
    let mut websocket = client.upgrade().await;
    let packets = [masked(TEXT, b"2probe"), masked(TEXT, b"5"), masked(TEXT, b"1")];
    websocket.connection.send(packets.concat()).await;
    assert_eq!(sessions.take(&client.sid).reason().await, CloseReason::TransportClose);
}

/// The reference lets it probe, and never upgrades; there is nothing to wait for.
#[tokio::test]
async fn up_14_upgrades_that_are_off_are_refused() {
    let (server, sessions) = server::engine(Config { allow_upgrades: false, ..Config::default() }).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    let mut connection = Connection::open(server.endpoint.address).await;
    let target = format!("GET {}&sid={}", server.endpoint.target("websocket"), client.sid);
    connection.request(&target, HANDSHAKE).await;
    assert_eq!(told(&connection.answer().await), (400, REFUSED[3]));
    still_polls(&mut client, &mut session).await;
    let (mut websocket, sid) = WebSocket::open(server.endpoint).await;
    talks(&mut websocket, &mut sessions.take(&sid)).await;
}

/// Each message of the client is answered by one of the server, so both directions are busy all the time.
#[tokio::test]
async fn up_03_messages_during_an_upgrade_arrive_once_and_in_order() {
    const MESSAGES: usize = 50;
    let (server, sessions) = server::engine(Config::default()).await;
    for (opens, probes, completes) in [(0, 0, 0), (0, 10, 40), (5, 5, 6), (10, 20, 30), (0, 49, 50), (25, 25, 25)] {
        let label = format!("opens at {opens}, probes at {probes}, completes at {completes}");
        let _row = Row(&label);
        let mut client = Polling::open(server.endpoint).await;
        let mut session = sessions.take(&client.sid);
        let application = tokio::spawn(async move {
            for expected in 0..MESSAGES {
                assert_eq!(session.text().await, expected.to_string());
                session.send(&expected.to_string());
            }
            session
        });

        let (mut websocket, mut received) = (None, Vec::new());
        for sent in 0..=completes {
            if sent == opens {
                websocket = Some(client.upgrade().await);
            }
            if let Some(websocket) = websocket.as_mut().filter(|_| sent == probes) {
                websocket.send("2probe").await;
                assert_eq!(websocket.frame().await, text("3probe"));
            }
            if sent < completes {
                assert_eq!(told(&client.post(format!("4{sent}")).await), (200, "ok"));
            }
            if sent % 3 == 2 {
                received.extend(client.get().await.body.split('\x1e').map(str::to_owned));
            }
        }
        let mut websocket = websocket.expect("opened before it completes");
        let behind: Vec<u8> = (completes..MESSAGES).flat_map(|at| masked(TEXT, format!("4{at}").as_bytes())).collect();
        websocket.connection.send([masked(TEXT, b"5"), behind].concat()).await;
        received.retain(|packet| packet != "6");
        while received.len() < MESSAGES {
            received.push(websocket.text().await);
        }
        assert_eq!(received, (0..MESSAGES).map(|at| format!("4{at}")).collect::<Vec<_>>());
        talks(&mut websocket, &mut application.await.expect("in order")).await;
    }
}

/// Both are on their way at once; of the POST the server may hear in time, or too late for it.
#[tokio::test]
async fn up_03_what_was_posted_comes_before_what_the_websocket_brings() {
    let (server, sessions) = server::engine(Config::default()).await;
    for _ in 0..20 {
        let mut client = Polling::open(server.endpoint).await;
        let mut session = sessions.take(&client.sid);
        let mut websocket = client.probing().await;
        client.send_post("4posted").await;
        websocket.connection.send([masked(TEXT, b"5"), masked(TEXT, b"4behind")].concat()).await;
        let answer = client.posts.answer().await;
        if answer.status == 200 {
            assert_eq!(session.text().await, "posted");
        } else {
            assert_eq!(told(&answer), (400, REFUSED[3]));
        }
        assert_eq!(session.text().await, "behind");
    }
}

#[tokio::test]
async fn a_newcomer_is_closed_with_the_server() {
    let (server, sessions) = server::engine(Config::default()).await;
    let client = Polling::open(server.endpoint).await;
    let mut websocket = client.upgrade().await;
    server.stop().await;
    assert_eq!(websocket.frame().await, closed(1001));
    assert_eq!(sessions.take(&client.sid).reason().await, CloseReason::Shutdown);
}
