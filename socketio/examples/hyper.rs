//! What it is: Socket.IO under its path and a page of one's own under all others, with nothing but hyper.
//! What it is not: ready for strangers: `engineio::Serve` is this loop with deadlines and an orderly end.
//! Who calls it: `cargo run -p socketio --example hyper -- 127.0.0.1:3000`

use std::{convert::Infallible, env, io};

use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use socketio::{Config, Data, Namespace, Reply, Socket, SocketIo};
use tokio::net::TcpListener;

async fn answer(io: SocketIo, request: Request<Incoming>) -> Response<Full<hyper::body::Bytes>> {
    if io.matches(request.uri().path()) {
        return io.answer(request).await;
    }
    Response::new(format!("{} clients are connected\n", io.clients_count()).into())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let chat = Namespace::new("/").on("say", async |socket: Socket, Data(text): Data<String>| {
        let heard = socket.broadcast().emit("said", &text).unwrap_or(0);
        Reply(heard)
    });
    let io = SocketIo::new(Config::default(), [chat]);

    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let io = io.clone();
        let service = service_fn(move |request| {
            let io = io.clone();
            async move { Ok::<_, Infallible>(answer(io, request).await) }
        });
        // Without upgrades there would be no WebSocket.
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
        tokio::spawn(async move {
            let _broken = connection.await;
        });
    }
}
