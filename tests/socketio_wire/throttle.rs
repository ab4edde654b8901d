//! Events that are held back: the first at once, then the latest when its interval ends.

use std::{thread, time::Duration};

use socketio::{Config, Namespace, RoomHistory, SocketIo, Throttle, testing::Client};
use tests::{
    frames::{Frame, closed, text},
    socket,
};
use tokio::time::Instant;

use crate::{heard, namespace, serve};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3600);

fn every(interval: Duration, event: &str) -> Throttle {
    Throttle { interval, events: vec![event.into()] }
}

fn throttled(interval: Duration) -> Namespace {
    namespace("/").room_throttle("r*", every(interval, "e*")).throttle(every(interval, "e"))
}

#[tokio::test]
async fn what_is_held_back_is_told_from_all_else_and_sent_by_the_end() {
    let (server, io) = serve([throttled(LONG).room_history("r*", RoomHistory::default())]).await;
    assert_eq!(io.to("r1").emit("e", &0).and(io.to("r1").emit("e", &0)).expect("emitted"), 0, "nobody is there");
    assert_eq!(io.to("r1").history().len(), 2, "nobody is spared, so nothing waits");
    io.to("r1").clear_history();
    let (mut client, id) = socket::connect(server.endpoint, "/").await;
    assert_eq!(io.to(&id).sockets_join("r1") + io.to(&id).sockets_join("r2") + io.to(&id).sockets_join("s"), 3);
    let root = io.of("/").expect("served");
    // For whom, by which name; and to how many it is sent at once.
    let rows: [(&[&str], &str, usize); 16] = [
        (&["r1"], "e", 1),
        (&["r1"], "e", 0),
        (&["r1"], "e", 0),
        (&["r1"], "f", 1),
        (&["r1"], "f", 1),
        (&["r1"], "e2", 1),
        (&["r2"], "e", 1),
        (&["s"], "e", 1),
        (&["s"], "e", 1),
        (&["s", "r1"], "e", 1),
        (&["r1", "s"], "e", 0),
        (&[], "e", 1),
        (&[], "e", 0),
        (&[], "e2", 1),
        (&[&id], "e", 1),
        (&[&id], "e", 1),
    ];
    let mut expected = Vec::new();
    for (number, (rooms, event, sent)) in rows.into_iter().enumerate() {
        let meant = rooms.iter().fold(root.clone(), |meant, room| meant.to(*room));
        // Not all who emit are tasks.
        let emitted = thread::scope(|scope| scope.spawn(|| meant.emit(event, &number)).join());
        assert_eq!(emitted.expect("no panic").expect("emitted"), sent, "row {number}");
        // What waits for the same rooms goes ahead of an event of another name.
        let ahead = [(3, 2), (13, 12)].iter().find_map(|(row, ahead)| (*row == number).then_some(*ahead));
        expected.extend(ahead.map(|ahead| text(format!(r#"42["e",{ahead}]"#))));
        expected.extend((sent == 1).then(|| text(format!(r#"42["{event}",{number}]"#))));
    }
    let encoded = root.encode("e", &"encoded").expect("encoded");
    assert_eq!(root.clone().to("r2").emit_encoded(&encoded).expect("emitted"), 0);
    assert_eq!(heard(&mut client).await, expected);
    assert_eq!(root.clone().to("r1").history().len(), 6, "rooms keep what is sent");

    let closing = tokio::spawn(async move { io.close().await });
    let mut last = Vec::new();
    loop {
        match client.frame().await {
            Frame::Text(event) => last.push(event),
            end => {
                assert_eq!(end, closed(1001));
                break;
            }
        }
    }
    last.sort();
    assert_eq!(last, [r#"42["e","encoded"]"#, r#"42["e",10]"#]);
    closing.await.expect("no panic");
}

/// On a clock that goes by itself while all wait.
#[tokio::test(start_paused = true)]
async fn the_latest_is_sent_when_its_interval_ends() {
    let second = Duration::from_secs(1);
    let io = SocketIo::new(Config::default(), [throttled(second)]);
    let mut client = Client::connect(&io).await.expect("let in");
    for round in 0..3 {
        let start = Instant::now();
        let sent = (0..10).map(|number| io.emit("e", &number).expect("emitted"));
        assert_eq!(sent.sum::<usize>(), 1);
        assert_eq!(client.expect_event::<u8>("e").await.expect("the first"), 0);
        assert!(start.elapsed() < second, "round {round}");
        assert_eq!(client.expect_event::<u8>("e").await.expect("the last"), 9);
        let took = start.elapsed();
        assert!(took >= second && took < 2 * second, "round {round}: {took:?}");
        tokio::time::sleep(2 * second).await;
    }
}

/// On such a clock, too.
#[tokio::test(start_paused = true)]
async fn a_short_interval_does_not_wait_for_a_longer_one() {
    let (short, long) = (Duration::from_millis(250), Duration::from_secs(10));
    let root = namespace("/").room_throttle("stats", every(long, "*")).room_throttle("job:*", every(short, "*"));
    let io = SocketIo::new(Config::default(), [root]);
    let mut client = Client::connect(&io).await.expect("let in");
    let id = client.id().to_owned();
    assert_eq!(io.to(&*id).sockets_join("stats") + io.to(&*id).sockets_join("job:1"), 2);
    let start = Instant::now();
    for room in ["stats", "job:1"] {
        let sent = (0..2).map(|number| io.to(room).emit(room, &number).expect("emitted"));
        assert_eq!(sent.sum::<usize>(), 1);
    }
    for (room, number) in [("stats", 0), ("job:1", 0), ("job:1", 1)] {
        assert_eq!(client.expect_event::<u8>(room).await.expect("an event"), number);
    }
    assert!(start.elapsed() < 2 * short, "{:?}", start.elapsed());
    assert_eq!(client.expect_event::<u8>("stats").await.expect("the last"), 1);
    assert!(start.elapsed() >= long && start.elapsed() < 2 * long);
}
