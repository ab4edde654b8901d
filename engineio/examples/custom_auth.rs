//! What it is: a server that lets in who has a token or a cookie, names its sessions itself, and logs whom it refused.
//! What it is not: a way to keep secrets: put yours where no source shows them, and compare them in constant time.
//! Who calls it: `cargo run -p engineio --example custom_auth -- 127.0.0.1:3000`

use std::{env, io, time::Duration};

use engineio::{Config, Engine, Http, Message, Serve, Service, Sid};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> io::Result<()> {
    let http = Http::default()
        .allow_request(|request| {
            let query = request.uri.query().unwrap_or_default();
            let token = query.split('&').any(|parameter| parameter == "token=open-sesame");
            let cookies = request.headers.get("cookie").and_then(|cookies| cookies.to_str().ok()).unwrap_or_default();
            let cookie = cookies.split("; ").any(|cookie| cookie == "user=alice");
            async move {
                // Stands for a question to a database: no other client waits for it.
                tokio::time::sleep(Duration::from_millis(1)).await;
                if token || cookie { Ok(()) } else { Err("neither token nor cookie".into()) }
            }
        })
        // A prefix, by which a proxy can tell the machine, before what nobody can guess.
        .generate_sid(|_| async { Sid::parse(&format!("m1-{}", &Sid::draw().as_str()[3..])) })
        .on_refused(|refused| println!("refused: {} ({})", refused.context.name(), refused.message))
        .kept_headers(["cookie"]);
    let engine = Engine::new(Config::default(), |socket, driver| {
        let by = if socket.handshake().header("cookie").is_some() { "cookie" } else { "token" };
        let _queued = socket.send(&Message::Text(format!("let in by {by}").into()));
        tokio::spawn(driver.run(|_message| {}));
    });
    let service = Service::with_http(engine.clone(), http);
    let answer = move |request| {
        let service = service.clone();
        async move { service.answer(request).await }
    };

    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/engine.io/", listener.local_addr()?);
    let ctrl_c = async { drop(tokio::signal::ctrl_c().await) };
    Serve::default().run(listener, answer, ctrl_c, engine.close()).await;
    Ok(())
}
