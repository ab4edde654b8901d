//! Profiles `sio` and `sio3`: the namespaces and events of the Socket.IO protocol's own suite.
//! `PING_TIMEOUT` and `CONNECT_TIMEOUT` are milliseconds, by default 200 and 1000, as that suite has them.

use std::time::Duration;

use serde_json::Value;
use socketio::{Args, Auth, Config, EmitError, Namespace, Reply, Socket, SocketIo};

use crate::eio::milliseconds;

pub(crate) fn server(allow_eio3: bool) -> SocketIo {
    let mut config = Config { connect_timeout: milliseconds("CONNECT_TIMEOUT", 1000), ..Config::default() };
    config.engine.allow_eio3 = allow_eio3;
    config.engine.ping_interval = Duration::from_millis(300);
    config.engine.ping_timeout = milliseconds("PING_TIMEOUT", 200);
    SocketIo::new(config, ["/", "/custom"].map(namespace))
}

fn namespace(name: &str) -> Namespace {
    Namespace::new(name)
        .on_connect(async |socket: Socket, Auth(auth): Auth<Value>| {
            // A client that has gone meanwhile needs nothing; the same holds below.
            let _gone = socket.emit("auth", &auth);
        })
        .on("message", async |socket: Socket, args: Args| socket.emit("message-back", &args))
        .on("message-with-ack", async |args: Args| Reply(args))
        .on("emit-with-ack", async |socket: Socket, args: Args| -> Result<(), EmitError> {
            let answer = socket.emit_with_ack::<Args>("emit-with-ack", &args)?;
            if let Ok(answer) = answer.await {
                socket.emit("emit-with-ack", &answer)?;
            }
            Ok(())
        })
}
