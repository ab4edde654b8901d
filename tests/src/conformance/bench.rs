//! Profile `bench`: the handlers that load generators speak to, with default options.

use socketio::{Args, Config, Data, Namespace, Reply, Socket, SocketIo};

pub(crate) fn server() -> SocketIo {
    let root = Namespace::new("/")
        .on("echo", async |socket: Socket, args: Args| socket.emit("echo", &args))
        .on("ack", async |args: Args| Reply(args))
        .on("bin", async |socket: Socket, args: Args| socket.emit("bin", &args))
        .on("join", async |socket: Socket, Data(room): Data<String>| socket.join(room).map(Reply))
        .on("cast", async |socket: Socket, Data(room): Data<String>, args: Args| {
            socket.namespace().to(room).emit("msg", &args.skip(1)).map(drop)
        });
    SocketIo::new(Config::default(), [root])
}
