//! What it is: the engine: opens sessions, finds them, closes them all.
//! What it is not: HTTP (`service`), nor an accept loop (`serve`).
//! Who calls it: `service` for each request; the application for the rest.

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, time::Instant};

use crate::{
    admission::{Admission, Admitted, Bound, SessionLimits, Unused},
    config::Config,
    driver::Driver,
    handshake::Handshake,
    id::Sid,
    protocol::{Encoding, Transport},
    reason::CloseReason,
    session::Session,
    sessions::Sessions,
    socket::{Opening, Socket},
};

/// Told of each new session. It must spawn, or otherwise run, the driver: nothing moves without.
type OnConnection = dyn Fn(Socket, Driver) + Send + Sync;

/// An Engine.IO server without a port: it is given requests by a [`Service`](crate::Service).
///
/// Clones are the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    config: Arc<Config>,
    admission: Admission,
    sessions: Sessions,
    /// Rights to keep compression contexts.
    contexts: Arc<Semaphore>,
    on_connection: Box<OnConnection>,
}

/// What a session is opened with.
pub(crate) struct Arrival {
    pub(crate) sid: Sid,
    pub(crate) encoding: Encoding,
    pub(crate) handshake: Handshake,
    pub(crate) admitted: (Admitted, Unused),
    /// The stream of a session that starts as a WebSocket.
    pub(crate) opening: Option<Opening>,
}

impl Engine {
    /// An engine that calls `on_connection` once per session, before the client hears that it is open.
    ///
    /// ```
    /// use engineio::{Config, Engine};
    ///
    /// let echo = Engine::new(Config::default(), |socket, driver| {
    ///     tokio::spawn(async move {
    ///         // A session that closed meanwhile takes nothing more; `run` tells why.
    ///         let reason = driver.run(|message| drop(socket.send(&message))).await;
    ///         println!("{} left: {reason}", socket.sid());
    ///     });
    /// });
    /// ```
    pub fn new(config: Config, on_connection: impl Fn(Socket, Driver) + Send + Sync + 'static) -> Self {
        let contexts = config.per_message_deflate.as_ref().map_or(0, |options| options.max_contexts);
        Self(Arc::new(Inner {
            admission: Admission::new(SessionLimits::from(&config)),
            config: Arc::new(config),
            sessions: Sessions::default(),
            contexts: Arc::new(Semaphore::new(contexts.min(Semaphore::MAX_PERMITS))),
            on_connection: Box::new(on_connection),
        }))
    }

    /// The options.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Number of sessions now.
    pub fn clients_count(&self) -> usize {
        self.0.sessions.len()
    }

    /// From now on there may be so many sessions, whatever [`config`](Self::config) says. Nobody who is there has to
    /// go, and by address only those count who come while that is bounded.
    pub fn limit_sessions(&self, limits: SessionLimits) {
        self.0.admission.limit(limits);
    }

    /// Bytes that wait for all clients together; each session is asked for its own.
    pub fn outbox_bytes(&self) -> usize {
        self.0.sessions.all().iter().map(Socket::outbox_bytes).sum()
    }

    /// Waits until all that was sent to anybody before this call has left, or its session has ended: before
    /// [`close`](Self::close), for what should arrive. Give it a time: a client that does not read, or poll, has all of
    /// its own.
    pub async fn flushed(&self) {
        for socket in self.0.sessions.all() {
            // Of one that has ended there is nothing to wait for.
            let _ended = socket.flushed().await;
        }
    }

    /// Closes all sessions at once, dropping what still waits for their clients, and waits until they have ended.
    ///
    /// Clients see the transport close: WebSockets with code 1001, waiting polls with a close packet. A WebSocket that
    /// does not take it within 5 s is cut off.
    /// Sessions that open while it waits end at once, those that open later do not; stop accepting connections before.
    pub async fn close(&self) {
        self.close_over(Duration::ZERO).await;
    }

    /// The same, but sessions are closed one after the other, evenly over this time, so that their clients do not all
    /// come to the next server at once.
    pub async fn close_over(&self, time: Duration) {
        let (sockets, start) = (self.0.sessions.all(), Instant::now());
        let share = time.div_f64(sockets.len().max(1) as f64);
        for (before, socket) in sockets.iter().enumerate() {
            tokio::time::sleep_until(start + share.mul_f64(before as f64)).await;
            socket.close_for(CloseReason::Shutdown);
        }
        // Those that were opened meanwhile, and those that are while it waits: nobody else would end them.
        loop {
            let added = self.0.sessions.added();
            for socket in self.0.sessions.all() {
                socket.close_for(CloseReason::Shutdown);
            }
            tokio::select! {
                () = self.0.sessions.empty() => return,
                () = added => {}
            }
        }
    }

    /// Opens a session, unless one has this id already.
    pub(crate) fn open(&self, Arrival { sid, encoding, handshake, admitted, opening }: Arrival) -> Option<Socket> {
        let (admitted, unused) = admitted;
        let (config, transport) = (&self.0.config, handshake.transport);
        let open = open_packet(sid, config, transport);
        let mut session = Session::new(config.clone(), encoding, transport, &open, Instant::now().into_std());
        session.allowance.count(unused);
        let socket = Socket::new(sid, handshake, session);
        if let Some(opening) = opening {
            socket.lock().put_opening(opening);
        }
        let registration = self.0.sessions.register(&socket, admitted)?;
        let driver = Driver::new(registration);
        (self.0.on_connection)(socket.clone(), driver);
        Some(socket)
    }

    /// Rights to keep compression contexts, for as many WebSockets as may.
    pub(crate) fn contexts(&self) -> &Arc<Semaphore> {
        &self.0.contexts
    }

    /// Counts one more session from this address, which may then be opened.
    ///
    /// # Errors
    /// [`Bound`].
    pub(crate) fn admit(&self, ip: Option<IpAddr>) -> Result<(Admitted, Unused), Bound> {
        self.0.admission.admit(ip)
    }

    /// The live session with this id.
    pub(crate) fn find(&self, sid: &str) -> Option<Socket> {
        self.0.sessions.find(sid)
    }
}

/// engine.io-protocol v4, "Handshake": the JSON of the open packet. No value in it needs escaping.
fn open_packet(sid: Sid, config: &Config, transport: Transport) -> String {
    let upgrades = if config.upgrades_from(transport) { r#"["websocket"]"# } else { "[]" };
    format!(
        r#"{{"sid":"{sid}","upgrades":{upgrades},"pingInterval":{},"pingTimeout":{},"maxPayload":{}}}"#,
        config.ping_interval.as_millis(),
        config.ping_timeout.as_millis(),
        config.max_payload,
    )
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("config", &self.0.config)
            .field("clients_count", &self.clients_count())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        iter,
        sync::{Barrier, Mutex},
        thread,
    };

    use super::*;

    /// For instance by a connection that was accepted before, or once its handshake was let in.
    #[tokio::test(start_paused = true)]
    async fn cv_01_a_session_that_opens_while_the_engine_closes_ends_at_once() {
        let (opened, mut sessions) = tokio::sync::mpsc::unbounded_channel();
        let engine = Engine::new(Config::default(), move |socket, driver| {
            opened.send((socket, driver)).expect("the test listens");
        });
        let open = || {
            let handshake = Handshake::new("", Transport::Polling, None, iter::empty());
            let admitted = engine.admit(None).expect("there is room");
            engine.open(Arrival { sid: Sid::draw(), encoding: Encoding::V4, handshake, admitted, opening: None });
        };
        open();
        let (_, first) = sessions.recv().await.expect("the first");
        let mut closing = std::pin::pin!(engine.close());
        let waits = tokio::time::timeout(Duration::ZERO, closing.as_mut()).await;
        assert!(waits.is_err(), "the first is not over");
        open();
        let (_, second) = sessions.recv().await.expect("the second");
        let second = tokio::spawn(second.run(|_| {}));
        drop(first);
        let closed = tokio::time::timeout(Duration::from_secs(1), closing).await;
        assert!(closed.is_ok(), "nobody ends the second");
        assert_eq!(second.await.expect("no panic"), CloseReason::Shutdown);
    }

    #[test]
    fn hs_24_of_sessions_that_open_at_once_with_one_id_one_is_opened() {
        const ROUNDS: usize = 500;
        let drivers = Arc::new(Mutex::new(Vec::new()));
        let kept = drivers.clone();
        let engine = Engine::new(Config::default(), move |_socket, driver| {
            kept.lock().expect("not poisoned").push(driver);
        });
        let (sids, barrier) = (iter::repeat_with(Sid::draw).take(ROUNDS).collect::<Vec<_>>(), Barrier::new(2));
        let open = || {
            let opened = sids.iter().filter(|sid| {
                barrier.wait();
                let handshake = Handshake::new("", Transport::Polling, None, iter::empty());
                let admitted = engine.admit(None).expect("there is room");
                let arrival = Arrival { sid: **sid, encoding: Encoding::V4, handshake, admitted, opening: None };
                engine.open(arrival).is_some()
            });
            opened.count()
        };
        let opened = thread::scope(|scope| [scope.spawn(open), scope.spawn(open)].map(|thread| thread.join()));
        let opened: usize = opened.into_iter().map(|count| count.expect("no panic")).sum();
        assert_eq!((opened, engine.clients_count()), (ROUNDS, ROUNDS));
        drop(std::mem::take(&mut *drivers.lock().expect("not poisoned")));
        assert_eq!(engine.clients_count(), 0);
    }
}
