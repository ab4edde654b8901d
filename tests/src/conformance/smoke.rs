//! Profiles `smoke`, `smoke-recovery` and `sio-msgpack`: what an application does with Socket.IO, in two namespaces,
//! two families of them and one that refuses; with the defaults, connection state recovery, or the MessagePack parser.

use std::time::Duration;

use serde_json::{Value, json};
use socketio::{
    Args, Auth, Config, ConnectError, Data, EmitError, Namespace, Parser, Recovery, Reply, Socket, SocketIo,
};

pub(crate) fn server(recovery: Option<Recovery>, parser: Parser) -> SocketIo {
    let mut config = Config { connection_state_recovery: recovery, parser, ..Config::default() };
    config.engine.allow_eio3 = true;
    config.engine.ping_interval = Duration::from_millis(1000);
    config.engine.ping_timeout = Duration::from_millis(2000);
    config.engine.max_payload = 10_000_000;
    // Several payloads of that size may wait for a client that is itself still sending.
    config.engine.max_outbox_bytes = 64_000_000;
    let teams = Namespace::pattern("/team-{id}").only_if(async |_, Auth(auth): Auth<Value>| auth["token"] == "x");
    let namespaces = [Namespace::new("/"), Namespace::new("/custom"), Namespace::pattern("/game-{id}"), teams];
    SocketIo::new(config, namespaces.map(handlers).into_iter().chain([forbidden()]))
}

fn handlers(namespace: Namespace) -> Namespace {
    namespace
        .on("auth", async |socket: Socket, Auth(auth): Auth<Value>| socket.emit("auth", &auth))
        .on("echo", async |socket: Socket, args: Args| socket.emit("echo", &args))
        .on("ack-me", async |args: Args| Reply(args))
        .on("ask-ack", async |socket: Socket, args: Args| -> Result<(), EmitError> {
            let answer = socket.emit_with_ack::<Args>("question", &args)?;
            if let Ok(answer) = answer.await {
                socket.emit("answer", &answer)?;
            }
            Ok(())
        })
        .on("ask-room", async |socket: Socket, Data((room, wait)): Data<(String, u64)>| -> Result<(), EmitError> {
            let room = socket.namespace().to(room).timeout(Duration::from_millis(wait));
            let (complete, answers) = match room.emit_with_ack::<Value>("question", &())?.await {
                Ok(answers) => (true, answers),
                Err(incomplete) => (false, incomplete.answers),
            };
            let answers: Vec<Value> = answers.into_iter().map(|(_id, answer)| answer).collect();
            socket.emit("answers", &(complete, answers))
        })
        .on("join", async |socket: Socket, Data(room): Data<String>| Reply(socket.join(room).is_ok()))
        .on("leave", async |socket: Socket, Data(room): Data<String>| {
            socket.leave(room);
            Reply(true)
        })
        .on("cast", async |socket: Socket, Data(room): Data<String>, args: Args| {
            socket.namespace().to(room).emit("msg", &args.skip(1)).map(drop)
        })
        .on("kick", async |socket: Socket| socket.disconnect())
        .on("drop", async |socket: Socket| socket.close())
}

fn forbidden() -> Namespace {
    Namespace::new("/forbidden").on_connect(async || -> Result<(), ConnectError> {
        Err(ConnectError::new("forbidden").with_data(json!({"code": 403})))
    })
}
