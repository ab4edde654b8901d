//! Profile `autobahn`: WebSockets that send every message back, without Engine.IO, for Autobahn's fuzzing client.

use engineio::{BareWebSocket, Config, PerMessageDeflate, Serve};
use tokio::net::TcpListener;

/// Autobahn's largest messages have 16 MiB.
const MAX_PAYLOAD: usize = 16 << 20;

pub(crate) async fn serve(listener: TcpListener, shutdown: impl Future<Output = ()>) {
    let deflate = PerMessageDeflate { threshold: 0, max_contexts: 1, ..PerMessageDeflate::default() };
    let config = Config {
        max_payload: MAX_PAYLOAD,
        // It sends some in fragments of 64 bytes.
        max_fragments: 1 << 20,
        per_message_deflate: Some(deflate),
        ..Config::default()
    };
    let answer = move |request| {
        let (answer, websocket) = BareWebSocket::accept(request, config.clone());
        if let Some(websocket) = websocket {
            // The client judges how it ended.
            tokio::spawn(websocket.run(Some));
        }
        async move { answer }
    };
    Serve::default().run(listener, answer, shutdown, async {}).await;
}
