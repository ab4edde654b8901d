//! What it is: log-in by a JSON Web Token: who has none, or a false or an old one, is refused with the reason.
//! What it is not: where tokens come from; that is the application's web server, which knows the same key.
//! Who calls it: `JWT_KEY=secret cargo run -p socketio --example jwt -- 127.0.0.1:3000`

use std::{env, io, sync::Arc};

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::json;
use socketio::{Auth, Config, ConnectError, Namespace, Reply, Socket, SocketData, SocketIo, State};
use tokio::{net::TcpListener, signal};

/// What `io(url, { auth: { token } })` sends.
#[derive(serde::Deserialize)]
struct Login {
    token: String,
}

/// What the token says; `exp`, in seconds since 1970, is required and looked at.
#[derive(serde::Deserialize)]
struct Claims {
    sub: String,
    admin: Option<bool>,
}

type Key = State<Arc<DecodingKey>>;

async fn log_in(socket: Socket, State(key): Key, login: Option<Auth<Login>>) -> Result<(), ConnectError> {
    let Some(Auth(login)) = login else { return Err(ConnectError::new("a token is required")) };
    let token = jsonwebtoken::decode::<Claims>(&login.token, &key, &Validation::new(Algorithm::HS256));
    let claims = token.map_err(|error| ConnectError::new("log in again").with_data(json!(error.to_string())))?.claims;
    if socket.namespace_name() == "/admin" && claims.admin != Some(true) {
        return Err(ConnectError::new("not for you"));
    }
    socket.set(claims);
    Ok(())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    // With an empty one anybody could sign.
    let key = env::var("JWT_KEY").ok().filter(|key| !key.is_empty()).expect("JWT_KEY is what tokens are signed with");
    let key = Arc::new(DecodingKey::from_secret(key.as_bytes()));
    let namespaces = ["/", "/admin"].map(|name| {
        Namespace::new(name)
            .state(key.clone())
            .middleware(log_in)
            .on("who am i", async |claims: SocketData<Claims>| Reply(claims.sub.clone()))
    });
    let io = SocketIo::new(Config::default(), namespaces);
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    io.serve(listener, async { drop(signal::ctrl_c().await) }).await;
    Ok(())
}
