//! What it is: a client that polls without a network: its requests are given to the server, and its GET always waits.
//! What it is not: a reader of Socket.IO: it only leaves out of packets what nobody can foresee.
//! Who calls it: `members`, which has two.

use std::{
    future::poll_fn,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode};
use socketio::SocketIo;

/// What a request comes to.
type Requested = Pin<Box<dyn Future<Output = (StatusCode, String)>>>;

/// A question of the server's.
/// By default one that was never asked.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) namespace: String,
    /// The number in it, by which a script knows it.
    pub(crate) number: u64,
    /// The ack id.
    pub(crate) id: u64,
}

/// One connection.
pub(crate) struct Poller {
    io: SocketIo,
    sid: String,
    get: Option<Requested>,
    /// The session is unknown: it has ended.
    is_over: bool,
    /// What has come and was not collected, and whether a ping was among it.
    packets: Vec<String>,
    pinged: bool,
    /// What the server asked, in the order of asking.
    questions: Vec<Question>,
}

impl Poller {
    /// Opens a session.
    pub(crate) async fn open(io: &SocketIo) -> Self {
        let (status, body) = request(io.clone(), Method::GET, "", String::new()).await;
        let sid = body.strip_prefix("0{\"sid\":\"").and_then(|rest| rest.split_once('"'));
        let (sid, _) = sid.unwrap_or_else(|| panic!("a handshake is answered {status} {body}"));
        let (io, sid) = (io.clone(), sid.to_owned());
        let mut poller =
            Self { io, sid, get: None, is_over: false, packets: Vec::new(), pinged: false, questions: Vec::new() };
        poll_fn(|cx| {
            poller.poll(cx);
            Poll::Ready(())
        })
        .await;
        poller
    }

    /// Sends packets, and says whether there was a session to take them.
    pub(crate) async fn post(&self, packets: String) -> bool {
        match request(self.io.clone(), Method::POST, &self.sid, packets).await {
            (StatusCode::OK, body) => {
                assert_eq!(body, "ok");
                true
            }
            (StatusCode::BAD_REQUEST, _) => false,
            (status, body) => panic!("a POST is answered {status} {body}"),
        }
    }

    /// Takes what has come; afterwards a GET waits, unless the session has ended.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        while !self.is_over {
            let get = self.get.get_or_insert_with(|| request(self.io.clone(), Method::GET, &self.sid, String::new()));
            let Poll::Ready((status, body)) = get.as_mut().poll(cx) else { return };
            self.get = None;
            self.is_over = status != StatusCode::OK;
            for packet in body.split('\u{1e}').filter(|_| status == StatusCode::OK) {
                if packet == "2" {
                    self.pinged = true;
                } else {
                    let packet = self.without_ids(packet);
                    self.packets.push(packet);
                }
            }
        }
    }

    /// The packets that have come. A ping is answered, unless the session has ended.
    pub(crate) async fn collect(&mut self) -> Vec<String> {
        if mem::take(&mut self.pinged) {
            self.post("3".to_owned()).await;
        }
        mem::take(&mut self.packets)
    }

    /// The oldest question in this namespace that was not given out yet.
    pub(crate) fn next_question(&mut self, namespace: &str) -> Option<Question> {
        let at = self.questions.iter().position(|question| question.namespace == namespace)?;
        Some(self.questions.remove(at))
    }

    /// The same without the id of a socket or of a question.
    fn without_ids(&mut self, packet: &str) -> String {
        if let Some((connect, _)) = packet.strip_prefix("40").and_then(|_| packet.split_once("{\"sid\":\"")) {
            return format!("{connect}{{sid}}");
        }
        let Some((header, rest)) = packet.strip_prefix("42").and_then(|rest| rest.split_once("[\"question\",")) else {
            return packet.to_owned();
        };
        let (namespace, id) = header.split_once(',').unwrap_or(("/", header));
        let number = rest.strip_suffix(']').expect("one argument").parse().expect("a number");
        let id = id.parse().expect("an id is a number");
        self.questions.push(Question { namespace: namespace.to_owned(), number, id });
        format!("42{namespace},?[\"question\",{rest}")
    }
}

impl Default for Question {
    fn default() -> Self {
        Self { namespace: String::new(), number: 0, id: 1_000_000 }
    }
}

/// Gives a request to the server.
fn request(io: SocketIo, method: Method, sid: &str, body: String) -> Requested {
    let sid = if sid.is_empty() { String::new() } else { format!("&sid={sid}") };
    let uri = format!("/socket.io/?EIO=4&transport=polling{sid}");
    let request = Request::builder().method(method).uri(uri).header("host", "fuzz").body(Full::new(Bytes::from(body)));
    let request = request.expect("a request");
    Box::pin(async move {
        let (head, body) = io.answer(request).await.into_parts();
        let body = body.collect().await.expect("a body is whole").to_bytes();
        (head.status, String::from_utf8(body.into()).expect("an answer is text"))
    })
}
