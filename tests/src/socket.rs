//! What it is: the first steps of a Socket.IO client on a WebSocket: it joins namespaces.
//! What it is not: a Socket.IO client; what follows is for the test to send and to read.
//! Who calls it: the tests.

use crate::{frames::WebSocket, server::Endpoint};

/// Opens a connection and joins a namespace; returns it with the id of its socket.
pub async fn connect(endpoint: Endpoint, namespace: &str) -> (WebSocket, String) {
    let (mut websocket, _sid) = WebSocket::open(endpoint).await;
    let id = join(&mut websocket, namespace).await;
    (websocket, id)
}

/// Joins a namespace; returns the id of the socket.
pub async fn join(websocket: &mut WebSocket, namespace: &str) -> String {
    let connect = if namespace == "/" { "40".to_owned() } else { format!("40{namespace},") };
    websocket.send(&connect).await;
    let answer = websocket.text().await;
    let id = answer.strip_prefix(&format!("{connect}{{\"sid\":\"")).and_then(|rest| rest.strip_suffix("\"}"));
    id.unwrap_or_else(|| panic!("not the answer to {connect}: {answer}")).to_owned()
}
