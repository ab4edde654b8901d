//! What it is: a client that polls: one connection for its GETs, one for its POSTs.
//! What it is not: automatic: each request is the test's.
//! Who calls it: the tests.

use crate::{
    frames::WebSocket,
    http::{Answer, Connection},
    server::Endpoint,
};

/// A session that polls.
#[derive(Debug)]
pub struct Polling {
    /// Where it was opened.
    pub endpoint: Endpoint,
    /// Its id.
    pub sid: String,
    /// The connection of its GETs.
    pub gets: Connection,
    /// The connection of its POSTs.
    pub posts: Connection,
}

impl Polling {
    /// Opens a session.
    pub async fn open(endpoint: Endpoint) -> Self {
        let mut gets = Connection::open(endpoint.address).await;
        gets.request(&format!("GET {}", endpoint.target("polling")), "").await;
        let sid = sid(&gets.answer().await.body);
        Self { endpoint, sid, gets, posts: Connection::open(endpoint.address).await }
    }

    /// Path and query of its requests.
    pub fn target(&self) -> String {
        format!("{}&sid={}", self.endpoint.target("polling"), self.sid)
    }

    /// Sends a GET; its answer is read from `gets`.
    pub async fn send_get(&mut self) {
        self.gets.request(&format!("GET {}", self.target()), "").await;
    }

    /// A GET and its answer.
    #[track_caller]
    pub fn get(&mut self) -> impl Future<Output = Answer> {
        crate::within(async {
            self.send_get().await;
            self.gets.answer().await
        })
    }

    /// A POST and its answer.
    #[track_caller]
    pub fn post(&mut self, body: impl AsRef<[u8]>) -> impl Future<Output = Answer> {
        crate::within(async move {
            self.send_post(body).await;
            self.posts.answer().await
        })
    }

    /// Sends a POST; its answer is read from `posts`.
    pub async fn send_post(&mut self, body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        self.begin_post(&format!("content-length: {}\r\n", body.len())).await;
        self.posts.send(body).await;
    }

    /// Sends the head of a POST with these headers.
    pub async fn begin_post(&mut self, headers: &str) {
        self.posts.request(&format!("POST {}", self.target()), headers).await;
    }

    /// Opens a WebSocket on this session.
    pub async fn upgrade(&self) -> WebSocket {
        WebSocket::upgrade(self.endpoint, &self.sid).await
    }

    /// Opens a WebSocket on this session and lets it probe.
    pub async fn probing(&self) -> WebSocket {
        let mut websocket = self.upgrade().await;
        websocket.send("2probe").await;
        assert_eq!(websocket.text().await, "3probe");
        websocket
    }

    /// Moves this session to a WebSocket, as clients do.
    pub async fn upgraded(&self) -> WebSocket {
        let mut websocket = self.probing().await;
        websocket.send("5").await;
        websocket
    }
}

/// The id in an open packet.
pub fn sid(open: &str) -> String {
    // In a body of revision 3 the packet follows its length.
    let json = open.strip_prefix('0').or_else(|| open.split_once(":0").map(|(_length, json)| json));
    let json = json.unwrap_or_else(|| panic!("not an open packet: {open}"));
    // Other packets may follow.
    let mut values = serde_json::Deserializer::from_str(json).into_iter::<serde_json::Value>();
    let json = values.next().expect("an object").expect("JSON");
    json["sid"].as_str().expect("a sid").to_owned()
}
