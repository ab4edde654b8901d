//! What it is: a backend that takes hooks of the server, whose answers are for the test to give, one by one.
//! What it is not: an application: it knows nothing of what hooks say, nor checks who they come from.
//! Who calls it: the tests of webhooks.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::{application::Head, http::Connection, port, within};

/// A backend that listens; it ends when it is dropped.
#[derive(Debug)]
pub struct Backend {
    /// Its address.
    pub address: SocketAddr,
    hooks: mpsc::UnboundedReceiver<Hook>,
    listening: JoinHandle<()>,
}

/// A hook that waits for its answer. Dropped, its connection is closed without one.
#[derive(Debug)]
pub struct Hook {
    /// The head of its request.
    pub head: Head,
    /// Its body as it came.
    pub text: String,
    /// What that says.
    pub body: Value,
    answer: oneshot::Sender<String>,
}

impl Backend {
    /// Listens on any free port.
    pub async fn listen() -> Self {
        Self::listen_at(port::free()).await
    }

    /// Listens on this port, which another one listened on a moment ago.
    pub async fn listen_at(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("not bound yet");
        socket.bind(address).expect("a free port");
        let listener = socket.listen(1024).expect("bound");
        let address = listener.local_addr().expect("bound");
        let (sender, hooks) = mpsc::unbounded_channel();
        Self { address, hooks, listening: tokio::spawn(accept(listener, sender)) }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The next hook.
    #[track_caller]
    pub fn hook(&mut self) -> impl Future<Output = Hook> {
        let next = within(self.hooks.recv());
        async move { next.await.expect("it listens") }
    }

    /// The next hook, which is of this type.
    #[track_caller]
    pub fn hook_of(&mut self, kind: &str) -> impl Future<Output = Hook> {
        let next = self.hook();
        async move {
            let hook = next.await;
            assert_eq!(hook.body["type"], kind, "{}", hook.text);
            hook
        }
    }

    /// Whether no hook came that was not asked for.
    pub fn is_idle(&mut self) -> bool {
        self.hooks.is_empty()
    }

    /// Ends it, and with it all its connections; returns once its port is free.
    pub async fn stop(self) -> SocketAddr {
        self.listening.abort();
        let address = self.address;
        drop(self);
        within(async move {
            while tokio::net::TcpStream::connect(address).await.is_ok() {
                tokio::task::yield_now().await;
            }
            address
        })
        .await
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Hook {
    /// Text at a path of names in the body.
    pub fn at(&self, path: &str) -> &Value {
        path.split('.').fold(&self.body, |value, name| &value[name])
    }

    /// Answers with this status and body.
    pub fn answer(self, status: u16, body: &str) {
        self.write(&format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
    }

    /// Answers 200 with this body.
    pub fn done(self, body: &str) {
        self.answer(200, body);
    }

    /// Answers with these bytes.
    pub fn write(self, bytes: &str) {
        // The server may no longer wait for it.
        let _gone = self.answer.send(bytes.to_owned());
    }
}

async fn accept(listener: TcpListener, hooks: mpsc::UnboundedSender<Hook>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).expect("connected");
        connections.spawn(serve(Connection::over(stream), hooks.clone()));
    }
}

async fn serve(mut connection: Connection, hooks: mpsc::UnboundedSender<Hook>) {
    while let Some(head) = connection.next_asked().await {
        let length = head.header("content-length").parse().expect("a length");
        let text = String::from_utf8(connection.bytes(length).await).expect("UTF-8");
        let body = serde_json::from_str(&text).expect("JSON");
        let (answer, answered) = oneshot::channel();
        let is_gone = hooks.send(Hook { head, text, body, answer }).is_err();
        let Ok(bytes) = answered.await else { return };
        if is_gone || !connection.try_send(bytes).await {
            return;
        }
    }
}
