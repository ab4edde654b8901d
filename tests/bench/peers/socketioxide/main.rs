//! What it is: socketioxide on hyper, with the contract of the profiles `bench` and `bench-msgpack`, else with default
//! options.
//! What it is not: tuned in any way that its documentation does not show.
//! Who calls it: `tests/bench/run`.

use std::{env, error::Error};

use bytes::Bytes;
use futures_util::StreamExt;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use socketioxide::{
    ParserConfig, SocketIo,
    extract::{AckSender, Data, SocketRef},
};
use tokio::net::TcpListener;

async fn on_connect(socket: SocketRef) {
    socket.on("echo", async |socket: SocketRef, Data::<String>(text)| {
        socket.emit("echo", &text).expect("the client is connected and reads");
    });
    socket.on("ack", async |Data::<String>(text), ack: AckSender| {
        ack.send(&text).expect("the client is connected and reads");
    });
    socket.on("bin", async |socket: SocketRef, Data::<Bytes>(bytes)| {
        socket.emit("bin", &bytes).expect("the client is connected and reads");
    });
    socket.on("join", async |socket: SocketRef, Data::<String>(room), ack: AckSender| {
        socket.join(room);
        ack.send(&()).expect("the client is connected and reads");
    });
    socket.on("cast", async |io: SocketIo, Data::<(String, String)>((room, text))| {
        // Members whose queue is full are left out, which the generator counts.
        drop(io.to(room).emit("msg", &text).await);
    });
    socket.on("ask", async |io: SocketIo, Data::<(String, String)>((room, text)), ack: AckSender| {
        let answers = io.to(room).emit_with_ack::<_, ()>("question", &text).await.expect("the members read");
        ack.send(&answers.count().await).expect("the client is connected and reads");
    });
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let builder = SocketIo::builder();
    let builder = match &env::var("PROFILE")?[..] {
        "bench-msgpack" => builder.with_parser(ParserConfig::msgpack()),
        _ => builder,
    };
    let (service, io) = builder.build_svc();
    io.ns("/", on_connect);
    let port: u16 = env::var("PORT")?.parse()?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(async move {
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // How a client's connection ended is no news here.
            drop(connection.with_upgrades().await);
        });
    }
}
