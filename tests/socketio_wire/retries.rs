//! Events that clients repeat until they are answered: done once, answered each time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use socketio::{ConnectError, Data, Namespace, Reply, Retries};
use tests::{frames::text, socket};
use tokio::sync::oneshot;

use crate::{Told, heard, namespace, serve};

/// A namespace that answers `do` with the number of the run, once it is let go on, and `try` so from the third run on.
fn counting() -> (Namespace, Told<oneshot::Sender<()>>) {
    let (sender, held) = Told::new();
    let done = Retries::new(1000, Duration::from_secs(600));
    let (runs, tried) = (Arc::new(AtomicU32::new(0)), done.clone());
    let tries = runs.clone();
    let run = |runs: &AtomicU32| runs.fetch_add(1, Ordering::Relaxed) + 1;
    let namespace = namespace("/")
        .on("do", move |Data(id): Data<String>| {
            let (done, runs, sender) = (done.clone(), runs.clone(), sender.clone());
            async move {
                let work = async {
                    let number = run(&runs);
                    let (go, wait) = oneshot::channel();
                    let _held = sender.send(go);
                    let _dropped = wait.await;
                    number
                };
                Reply(done.once(id, work).await)
            }
        })
        .on("try", move |Data(id): Data<String>| {
            let (done, runs) = (tried.clone(), tries.clone());
            async move {
                let number = run(&runs);
                let work = async { if number < 3 { Err(ConnectError::new("not yet")) } else { Ok(number) } };
                done.try_once(id, work).await.map(Reply)
            }
        });
    (namespace, held)
}

#[tokio::test]
async fn ak_01_a_repeated_event_is_done_once_and_answered_each_time() {
    let (root, mut held) = counting();
    let (server, _io) = serve([root]).await;
    let (mut client, _sid) = socket::connect(server.endpoint, "/").await;
    // The official client has a new ack id for each repeat.
    client.send(r#"421["do","a"]"#).await;
    let go = held.next().await;
    client.send(r#"422["do","a"]"#).await;
    assert_eq!(heard(&mut client).await, [], "the first is still at it");
    go.send(()).expect("it waits");
    let mut answers = [client.text().await, client.text().await];
    answers.sort();
    assert_eq!(answers, ["431[1]", "432[1]"]);
    client.send(r#"423["do","a"]"#).await;
    assert_eq!(client.frame().await, text("433[1]"));
    client.send(r#"424["do","b"]"#).await;
    held.next().await.send(()).expect("it waits");
    assert_eq!(client.frame().await, text("434[2]"), "another id is another event");
    held.none();
}

#[tokio::test]
async fn ak_01_a_client_that_comes_back_gets_the_answer_that_it_missed() {
    let (root, mut held) = counting();
    let (server, _io) = serve([root]).await;
    let (mut client, _sid) = socket::connect(server.endpoint, "/").await;
    client.send(r#"421["do","a"]"#).await;
    let go = held.next().await;
    drop(client);
    let (mut client, _sid) = socket::connect(server.endpoint, "/").await;
    client.send(r#"421["do","a"]"#).await;
    assert_eq!(heard(&mut client).await, []);
    go.send(()).expect("the end of its connection does not end it");
    assert_eq!(client.frame().await, text("431[1]"));
    held.none();
}

#[tokio::test]
async fn ak_01_what_fails_is_tried_again() {
    let (root, _held) = counting();
    let (server, _io) = serve([root]).await;
    let (mut client, _sid) = socket::connect(server.endpoint, "/").await;
    for id in 1..=2 {
        client.send(&format!(r#"42{id}["try","a"]"#)).await;
        assert_eq!(heard(&mut client).await, [], "no answer");
    }
    for id in 3..=4 {
        client.send(&format!(r#"42{id}["try","a"]"#)).await;
        assert_eq!(client.frame().await, text(format!("43{id}[3]")));
    }
}
