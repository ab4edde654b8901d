//! Profile `sio-client`: what socket.io-client's own tests speak to, with connection state recovery.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::json;
use socketio::{
    Args, Auth, Config, ConnectError, Data, EmitError, Namespace, Query, Recovery, Reply, Socket, SocketIo, Value,
};

/// What the client's URL and its CONNECT said, as objects.
type Said = (Query<serde_json::Value>, Auth<serde_json::Value>);

/// Binary came with `abuff1`.
struct Came;

pub(crate) fn server() -> SocketIo {
    let mut config = Config { connection_state_recovery: Some(Recovery::default()), ..Config::default() };
    config.engine.ping_interval = Duration::from_millis(2000);
    // Tests with a connect timeout of 0 count on the timeout coming first.
    config.http = config.http.allow_request(|_| async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        Ok(())
    });
    let ids = Namespace::new("/foo").on("getId", async |socket: Socket| Reply(socket.id()));
    let abc = Namespace::new("/abc").on_connect(async |socket: Socket, query: Query<_>, auth: Auth<_>| {
        // A client that has gone meanwhile needs nothing.
        let _gone = socket.emit("handshake", &handshake((query, auth)));
    });
    let no = Namespace::new("/no")
        .on_connect(async || -> Result<(), ConnectError> { Err(ConnectError::new("Auth failed (custom namespace)")) });
    let silent = ["/timeout_socket", "/valid", "/asd"].map(Namespace::new);
    SocketIo::new(config, [binary(texts(root())), ids, abc, no].into_iter().chain(silent))
}

fn root() -> Namespace {
    Namespace::new("/")
        .on_connect(async |Query(query): Query<HashMap<String, String>>| -> Result<(), ConnectError> {
            match query.get("fail") {
                Some(_) => Err(ConnectError::new("Auth failed (main namespace)")),
                None => Ok(()),
            }
        })
        .on("hi", async |socket: Socket| socket.emit("hi", &()))
        .on("echo", async |args: Args| Reply(args))
        .on("ack", async |socket: Socket| -> Result<(), EmitError> {
            let answer = socket.emit_with_ack::<(u8, HashMap<String, bool>)>("ack", &())?;
            if let Ok((5, flags)) = answer.await
                && flags == HashMap::from([("test".to_owned(), true)])
            {
                socket.emit("got it", &())?;
            }
            Ok(())
        })
        .on("getHandshake", async |query: Query<_>, auth: Auth<_>| Reply(handshake((query, auth))))
        .on("getId", async |socket: Socket| Reply(socket.id()))
}

fn handshake((Query(query), Auth(auth)): Said) -> serde_json::Value {
    json!({ "query": query, "auth": auth })
}

fn texts(namespace: Namespace) -> Namespace {
    namespace
        .on("getAckDate", async || Reply(now()))
        .on("getDate", async |socket: Socket| socket.emit("takeDate", &now()))
        .on("getDateObj", async |socket: Socket| socket.emit("takeDateObj", &json!({ "date": now() })))
        .on("getUtf8", async |socket: Socket| -> Result<(), EmitError> {
            for text in ["てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string"] {
                socket.emit("takeUtf8", text)?;
            }
            Ok(())
        })
        .on("false", async |socket: Socket| socket.emit("false", &false))
}

fn binary(namespace: Namespace) -> Namespace {
    namespace
        .on("doge", async |socket: Socket| socket.emit("doge", &buffer()))
        .on("getbin", async |socket: Socket| socket.emit("takebin", &buffer()))
        .on("buffa", async |socket: Socket, Data(value): Data<Value>| -> Result<(), EmitError> {
            if matches!(value, Value::Binary(_)) { socket.emit("buffack", &()) } else { Ok(()) }
        })
        .on("jsonbuff", async |socket: Socket, Data(value): Data<Value>| -> Result<(), EmitError> {
            if is_greeting(&value) { socket.emit("jsonbuff-ack", &()) } else { Ok(()) }
        })
        .on("abuff1", async |socket: Socket, Data(value): Data<Value>| {
            if matches!(value, Value::Binary(_)) {
                socket.set(Came);
            }
        })
        .on("abuff2", async |socket: Socket, Data(_): Data<String>| -> Result<(), EmitError> {
            if socket.get::<Came>().is_some() { socket.emit("abuff2-ack", &()) } else { Ok(()) }
        })
}

fn buffer() -> Value {
    Value::Binary(b"asdfasdf".to_vec().into())
}

/// Whether it is `{hello: "lol", message: <Buffer>, goodbye: "gotcha"}`.
fn is_greeting(value: &Value) -> bool {
    let Value::Object(fields) = value else { return false };
    let fields: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), value)).collect();
    match fields.as_slice() {
        [("hello", Value::String(hello)), ("message", Value::Binary(_)), ("goodbye", Value::String(goodbye))] => {
            (hello.as_str(), goodbye.as_str()) == ("lol", "gotcha")
        }
        _ => false,
    }
}

/// The time now as JavaScript's `toISOString` writes it.
fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let (mut days, seconds) = (now.as_secs() / 86_400, now.as_secs() % 86_400);
    let (mut year, mut month) = (1970, 0);
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    loop {
        let february = if leap(year) { 29 } else { 28 };
        let length = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month];
        if days < length {
            break;
        }
        days -= length;
        month = (month + 1) % 12;
        year += u64::from(month == 0);
    }
    let (month, day, millis) = (month + 1, days + 1, now.subsec_millis());
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}
