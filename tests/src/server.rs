//! What it is: servers on free ports of this machine, and what their applications see.
//! What it is not: an echo: what a session receives waits until the test asks for it.
//! Who calls it: the tests.

use std::{
    collections::HashMap,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex},
};

use engineio::{CloseReason, Engine, Event, Http, Message, Serve, Service, Socket};
use socketio::{Namespace, SocketIo};
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
};

use crate::within;

/// Where a server listens.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    /// Address and port.
    pub address: SocketAddr,
    /// Path of its requests.
    pub path: &'static str,
    /// Query of its requests, but for `transport` and `sid`.
    pub query: &'static str,
}

impl Endpoint {
    /// Path and query of a handshake.
    pub fn target(self, transport: &str) -> String {
        format!("{}?{}&transport={transport}", self.path, self.query)
    }

    /// The same for clients with another query than `EIO=4`.
    pub fn asked(self, query: &'static str) -> Self {
        Self { query, ..self }
    }
}

/// A server that listens. It ends with the runtime of its test, or when it is stopped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub endpoint: Endpoint,
    waiting: watch::Sender<usize>,
    stop: Arc<Notify>,
    ended: JoinHandle<()>,
}

impl Server {
    /// Waits until exactly so many requests have been taken up and not answered yet.
    #[track_caller]
    pub fn waiting(&self, requests: usize) -> impl Future<Output = ()> {
        let mut waiting = self.waiting.subscribe();
        within(async move {
            waiting.wait_for(|waiting| *waiting == requests).await.expect("the server runs");
        })
    }

    /// Stops the server; returns once it has closed what it had.
    #[track_caller]
    pub fn stop(self) -> impl Future<Output = ()> {
        within(async move {
            self.stop.notify_one();
            self.ended.await.expect("the server did not panic");
        })
    }
}

/// The sessions of an Engine.IO server.
#[derive(Debug)]
pub struct Sessions {
    /// The engine that opened them.
    pub engine: Engine,
    by_sid: Arc<Mutex<HashMap<String, Session>>>,
}

impl Sessions {
    /// What the application has of the session with this id.
    pub fn take(&self, sid: &str) -> Session {
        // The engine calls the application before the client learns the id.
        self.by_sid.lock().expect("not poisoned").remove(sid).expect("a session that was not taken before")
    }
}

/// One Engine.IO session, as its application sees it.
#[derive(Debug)]
pub struct Session {
    /// The handle.
    pub socket: Socket,
    messages: mpsc::UnboundedReceiver<Message>,
    events: mpsc::UnboundedReceiver<Event>,
    ended: JoinHandle<CloseReason>,
}

impl Session {
    /// The next message from the client.
    #[track_caller]
    pub fn message(&mut self) -> impl Future<Output = Message> {
        let next = within(self.messages.recv());
        async move { next.await.expect("the session lives") }
    }

    /// The next message, which is text.
    #[track_caller]
    pub fn text(&mut self) -> impl Future<Output = String> {
        let next = self.message();
        async move {
            match next.await {
                Message::Text(text) => text.to_string(),
                Message::Binary(data) => panic!("not text: {data:?}"),
            }
        }
    }

    /// Whether no message came that was not asked for.
    pub fn is_silent(&self) -> bool {
        self.messages.is_empty()
    }

    /// What happened next, other than a message.
    #[track_caller]
    pub fn event(&mut self) -> impl Future<Output = Event> {
        let next = within(self.events.recv());
        async move { next.await.expect("the session lives") }
    }

    /// Sends text to the client.
    pub fn send(&self, text: &str) {
        self.socket.send(&Message::Text(text.into())).expect("the session lives");
    }

    /// Waits for the end of the session; returns its reason, and the messages not asked for before.
    #[track_caller]
    pub fn ended(mut self) -> impl Future<Output = (CloseReason, Vec<Message>)> {
        within(async move {
            let reason = self.ended.await.expect("the driver did not panic");
            let mut messages = Vec::new();
            self.messages.recv_many(&mut messages, usize::MAX).await;
            (reason, messages)
        })
    }

    /// The reason why the session ends, and no message was left.
    #[track_caller]
    pub fn reason(self) -> impl Future<Output = CloseReason> {
        let ended = self.ended();
        async move {
            let (reason, messages) = ended.await;
            assert_eq!(messages, []);
            reason
        }
    }
}

/// Starts an Engine.IO server.
pub async fn engine(config: engineio::Config) -> (Server, Sessions) {
    engine_behind(Http::default(), config).await
}

/// Starts an Engine.IO server with options of its HTTP front.
pub async fn engine_behind(http: Http, config: engineio::Config) -> (Server, Sessions) {
    engine_served(Serve::default(), http, config).await
}

/// Starts an Engine.IO server with options of its accept loop, too.
pub async fn engine_served(serve: Serve, http: Http, config: engineio::Config) -> (Server, Sessions) {
    let by_sid: Arc<Mutex<HashMap<String, Session>>> = Arc::default();
    let opened = by_sid.clone();
    let engine = Engine::new(config, move |socket, driver| {
        let (sender, messages) = mpsc::unbounded_channel();
        let (event_sender, events) = mpsc::unbounded_channel();
        let ended = tokio::spawn(driver.observe(move |event| {
            // A test that is not interested in a session does not receive what happens to it.
            let _not_asked_for = match event {
                Event::Message(message) => sender.send(message).is_ok(),
                Event::Close(_) => true,
                other => event_sender.send(other).is_ok(),
            };
        }));
        let session = Session { socket: socket.clone(), messages, events, ended };
        opened.lock().expect("not poisoned").insert(socket.sid().to_string(), session);
    });
    let (service, closing) = (Service::with_http(engine.clone(), http), engine.clone());
    let (listener, endpoint) = listen("/engine.io/").await;
    let (waiting, stop) = (watch::Sender::new(0), Arc::new(Notify::new()));
    let (count, stopped) = (waiting.clone(), stop.clone());
    let answer = move |request| {
        let (service, count) = (service.clone(), count.clone());
        async move { counted(service.answer(request), &count).await }
    };
    let serving = async move { serve.run(listener, answer, stopped.notified(), closing.close()).await };
    (Server { endpoint, waiting, stop, ended: tokio::spawn(serving) }, Sessions { engine, by_sid })
}

/// Starts a Socket.IO server.
pub async fn socketio(config: socketio::Config, namespaces: impl IntoIterator<Item = Namespace>) -> (Server, SocketIo) {
    let io = SocketIo::new(config, namespaces);
    let (answering, closing) = (io.clone(), io.clone());
    let (listener, endpoint) = listen("/socket.io/").await;
    let (waiting, stop) = (watch::Sender::new(0), Arc::new(Notify::new()));
    let (count, stopped) = (waiting.clone(), stop.clone());
    let answer = move |request| {
        let (io, count) = (answering.clone(), count.clone());
        async move { counted(io.answer(request), &count).await }
    };
    let serving = async move { Serve::default().run(listener, answer, stopped.notified(), closing.close()).await };
    (Server { endpoint, waiting, stop, ended: tokio::spawn(serving) }, io)
}

async fn listen(path: &'static str) -> (TcpListener, Endpoint) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    (listener, Endpoint { address, path, query: "EIO=4" })
}

/// Counts a request while it waits: from its first step to its answer, or to its end without one.
async fn counted<A>(answer: impl Future<Output = A>, waiting: &watch::Sender<usize>) -> A {
    let mut answer = pin!(answer);
    let mut guard = None;
    std::future::poll_fn(|cx| {
        let polled = answer.as_mut().poll(cx);
        if polled.is_pending() {
            guard.get_or_insert_with(|| Waiting::new(waiting));
        }
        polled
    })
    .await
}

/// A request that waits.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn new(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
