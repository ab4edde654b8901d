//! What it is: the Socket.IO server that scripts of the `connection` target speak to: three namespaces with the same
//! handlers, and bounds so small that scripts pass them.
//! What it is not: judged by itself; `members` knows what its clients have to hear.
//! Who calls it: `members`, which makes one for each script.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use serde_json::{Value, json};
use socketio::{AckError, Args, Auth, Broadcast, Config, ConnectError, Data, EmitError, Limits};
use socketio::{Namespace, Reply, Socket, SocketIo};

/// The namespaces that there are.
pub(crate) const NAMESPACES: [&str; 3] = ["/", "/a", "/b"];

/// The rooms that its sockets join.
pub(crate) const ROOMS: [&str; 2] = ["r", "s"];

/// Bounds that scripts pass.
pub(crate) const MAX_REFUSALS: u32 = 3;
pub(crate) const MAX_WAITING: usize = 4;
pub(crate) const MAX_QUESTIONS: usize = 3;
pub(crate) const MAX_UNKNOWN: u32 = 3;

/// Milliseconds from a beginning to its end. Scripts do and look at multiples of 8; none of these ends falls on one,
/// nor on another.
pub(crate) const SLOW: u64 = 51;
pub(crate) const ANSWER_TIMEOUT: u64 = 207;
pub(crate) const CONNECT_TIMEOUT: u64 = 497;
pub(crate) const ATTACHMENT_TIMEOUT: u64 = 209;

/// What handlers and tests share of one server.
#[derive(Clone)]
pub(crate) struct Application {
    pub(crate) io: SocketIo,
    /// Sockets that have left.
    left: Arc<AtomicUsize>,
    /// A clone is kept with each socket.
    token: Arc<()>,
}

impl Application {
    pub(crate) fn new() -> Self {
        let (left, token) = (Arc::default(), Arc::new(()));
        let limits = Limits {
            max_refusals: MAX_REFUSALS,
            max_waiting_events: MAX_WAITING,
            max_pending_acks: MAX_QUESTIONS,
            max_unknown_acks: MAX_UNKNOWN,
            attachment_timeout: Duration::from_millis(ATTACHMENT_TIMEOUT),
            ..Limits::default()
        };
        let connect_timeout = Duration::from_millis(CONNECT_TIMEOUT);
        let mut config = Config { limits, connect_timeout, ..Config::default() };
        config.engine.ping_interval = Duration::from_millis(300);
        let namespaces = NAMESPACES.map(|name| namespace(name, Arc::clone(&left), &token));
        Self { io: SocketIo::new(config, namespaces), left, token }
    }

    /// How many sockets have left, each counted when it was told so.
    pub(crate) fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }

    /// How many sockets the server still holds.
    pub(crate) fn held(&self) -> usize {
        // One is this.
        Arc::strong_count(&self.token) - 1 - NAMESPACES.len()
    }

    /// Everybody in a namespace.
    pub(crate) fn of(&self, place: usize) -> Broadcast {
        self.io.of(NAMESPACES[place]).expect("one of those that there are")
    }
}

fn namespace(name: &str, left: Arc<AtomicUsize>, token: &Arc<()>) -> Namespace {
    let token = Arc::clone(token);
    Namespace::new(name)
        .on_connect(move |socket: Socket, Auth(auth): Auth<Value>| {
            socket.set(Kept(Arc::clone(&token)));
            async move {
                if auth["slow"] == true || auth["refuse"] == true {
                    socket.join(ROOMS[0])?;
                }
                if auth["refuse"] == true {
                    return Err(ConnectError::new("no"));
                }
                if auth["slow"] == true {
                    tokio::time::sleep(Duration::from_millis(SLOW)).await;
                }
                Ok(())
            }
        })
        .on_disconnect(move |_: Socket| {
            left.fetch_add(1, Ordering::Relaxed);
            async {}
        })
        .on("echo", async |socket: Socket, args: Args| socket.emit("echo", &args))
        .on("ack", async |args: Args| Reply(args))
        .on("ask", ask)
        .on("join", async |socket: Socket, Data(room): Data<String>| Reply(socket.join(room).is_ok()))
        .on("leave", async |socket: Socket, Data(room): Data<String>| {
            socket.leave(room);
            Reply(true)
        })
        .on("cast", async |socket: Socket, args: Args| {
            socket.namespace().to(ROOMS[0]).emit("msg", &args).expect("JSON can be sent on");
        })
        .on("both", async |socket: Socket, args: Args| {
            socket.to(ROOMS[0]).to(ROOMS[1]).emit("msg", &args).expect("JSON can be sent on");
        })
        .on("kick", async |socket: Socket| socket.disconnect())
        .on("drop", async |socket: Socket| socket.close())
}

/// What is kept with a socket, to see when it is freed.
struct Kept(#[expect(dead_code, reason = "its drop is what counts")] Arc<()>);

/// The server asks the client, and tells it what came of that.
async fn ask(socket: Socket, args: Args) -> Result<(), EmitError> {
    let asking = socket.timeout(Duration::from_millis(ANSWER_TIMEOUT)).emit_with_ack::<Args>("question", &args);
    match asking {
        Ok(answer) => match answer.await {
            Ok(answer) => socket.emit("answer", &answer),
            Err(AckError::Timeout) => socket.emit("late", &args),
            // It has left.
            Err(_) => Ok(()),
        },
        Err(EmitError::TooManyAcks) => socket.emit("full", &args),
        Err(error) => Err(error),
    }
}

/// What the server emits as binary: two attachments.
pub(crate) fn binary(number: u64) -> (Bytes, Value, Bytes) {
    let data = Bytes::from(number.to_string());
    (data.clone(), json!(number), data)
}
