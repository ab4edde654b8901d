//! What applications are told of connections and of namespaces that are not there (`Hooks`).

use engineio::Event;
use socketio::{CloseReason, Config, Hooks};
use tests::{frames::text, server, socket, within};

use crate::{Told, namespace};

#[tokio::test]
async fn an_observer_hears_all_of_its_connection_and_cannot_break_it() {
    let (sender, mut told) = Told::new();
    let hooks = Hooks::default().on_connection(move |connection| {
        let transport = connection.handshake().transport.name();
        let sender = sender.clone();
        move |event: &Event| {
            let _over = sender.send((transport, event.clone()));
            panic!("it is the application's");
        }
    });
    let config = Config { hooks, ..Config::default() };
    let (server, _io) = server::socketio(config, [namespace("/")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send("421[\"ack\"]").await;
    assert_eq!(client.frame().await, text("431[]"));
    drop(client);
    let mut messages = 0;
    let last = within(async {
        loop {
            match told.next().await {
                ("websocket", Event::Message(_)) => messages += 1,
                ("websocket", Event::Close(reason)) => return reason,
                (transport, _) => assert_eq!(transport, "websocket"),
            }
        }
    })
    .await;
    assert_eq!((messages, last), (2, CloseReason::TransportClose));
}

#[tokio::test]
async fn a_namespace_that_is_not_there_is_told() {
    let (sender, mut told) = Told::new();
    let hooks = Hooks::default().on_invalid_namespace(move |name| drop(sender.send(name.to_owned())));
    let secret = namespace("/secret").only_if(async |_: String, _: socketio::Auth<()>| false);
    let config = Config { hooks, ..Config::default() };
    let (server, _io) = server::socketio(config, [namespace("/"), secret]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    for name in ["/nowhere", "/secret"] {
        client.send(&format!("40{name},")).await;
        assert_eq!(client.frame().await, text(format!("44{name},{{\"message\":\"Invalid namespace\"}}")));
        assert_eq!(told.next().await, name);
    }
}
