//! Profiles `bench`, `bench-flush` and `bench-msgpack`: the handlers that load generators speak to, with default
//! options but for a flush delay, or the parser.

use socketio::{Args, Config, Data, EmitError, Namespace, Reply, Socket, SocketIo};

pub(crate) fn server(config: Config) -> SocketIo {
    let root = Namespace::new("/")
        .on("echo", async |socket: Socket, args: Args| socket.emit("echo", &args))
        .on("ack", async |args: Args| Reply(args))
        .on("bin", async |socket: Socket, args: Args| socket.emit("bin", &args))
        .on("join", async |socket: Socket, Data(room): Data<String>| socket.join(room).map(Reply))
        .on("cast", async |socket: Socket, Data(room): Data<String>, args: Args| {
            socket.namespace().to(room).emit("msg", &args.skip(1)).map(drop)
        })
        .on("ask", async |socket: Socket, Data(room): Data<String>, args: Args| -> Result<_, EmitError> {
            let answers = socket.namespace().to(room).emit_with_ack::<Args>("question", &args.skip(1))?.await;
            Ok(Reply(answers.map_or_else(|incomplete| incomplete.answers.len(), |answers| answers.len())))
        });
    SocketIo::new(config, [root])
}
