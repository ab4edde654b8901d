//! Profile `eio-options`: an echo with the options that `OPTIONS` names, as JSON in the reference's words:
//! `OPTIONS='{"pingInterval":300,"transports":["polling"],"cors":{"origin":["http://good.test"]}}'`.
//!
//! Besides, a handshake with `deny=<words>` in its query is refused with these words, and the message `close`
//! has the server close the session.

use std::{env, error, time::Duration};

use engineio::{Config, Cookie, Cors, Http, Message, Origin, Origins, SameSite, Service, Transport};
use serde_json::{Map, Value};
use tokio::net::TcpListener;

use crate::eio;

type Error = Box<dyn error::Error>;

pub(crate) async fn serve(listener: TcpListener, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let (mut config, mut http) = (
        Config::default(),
        Http::default().allow_request(|request| {
            let denied =
                request.uri.query().and_then(|query| query.split_once("deny=")).map(|(_, words)| words.to_owned());
            async move { denied.map_or(Ok(()), |words| Err(words.into())) }
        }),
    );
    let options: Map<String, Value> = serde_json::from_str(&env::var("OPTIONS").unwrap_or_else(|_| "{}".into()))?;
    for (name, value) in &options {
        match name.as_str() {
            "pingInterval" => config.ping_interval = milliseconds(value)?,
            "pingTimeout" => config.ping_timeout = milliseconds(value)?,
            "upgradeTimeout" => config.upgrade_timeout = milliseconds(value)?,
            "maxHttpBufferSize" => config.max_payload = value.as_u64().ok_or("no number")?.try_into()?,
            "allowUpgrades" => config.allow_upgrades = flag(value)?,
            "allowEIO3" => config.allow_eio3 = flag(value)?,
            "addTrailingSlash" => config.add_trailing_slash = flag(value)?,
            "initialPacket" => config.initial_packet = Some(Message::Text(text(value)?.into())),
            "transports" => config.transports = list(value)?.into_iter().map(transport).collect::<Result<_, _>>()?,
            "cookie" => http = http.cookie(cookie(value)?),
            "httpCompression" => http = http.compression(threshold(value)?),
            "cors" => http = http.cors(cors(value)?),
            other => return Err(format!("OPTIONS: {other} is not known here").into()),
        }
    }
    let engine = eio::engine(config, |socket, message| match &message {
        Message::Text(text) if *text == "close" => socket.close(),
        _ => eio::echo(socket, message),
    });
    let service = Service::with_http(engine.clone(), http);
    eio::run(listener, engine, service, shutdown).await;
    Ok(())
}

/// `true`, or an object with what is not as usual.
fn cookie(value: &Value) -> Result<Cookie, Error> {
    let mut cookie = Cookie::new(value["name"].as_str().unwrap_or("io"))?;
    for (name, value) in value.as_object().into_iter().flatten() {
        cookie = match name.as_str() {
            "name" => cookie,
            "path" => cookie.path(value.as_str())?,
            "httpOnly" => cookie.http_only(flag(value)?),
            "secure" => cookie.secure(flag(value)?),
            "sameSite" => cookie.same_site(match text(value)?.as_str() {
                "strict" => SameSite::Strict,
                "lax" => SameSite::Lax,
                other => return Err(format!("OPTIONS: cookie.sameSite: {other} is not known here").into()),
            }),
            other => return Err(format!("OPTIONS: cookie.{other} is not known here").into()),
        };
    }
    Ok(cookie)
}

fn cors(value: &Value) -> Result<Cors, Error> {
    let origins = match &value["origin"] {
        Value::String(any) if any == "*" => Origins::Any,
        origins => Origins::List(list(origins)?.into_iter().map(Origin::parse).collect::<Result<_, _>>()?),
    };
    let mut cors = Cors::new(origins);
    for (name, value) in value.as_object().ok_or("cors is no object")? {
        cors = match name.as_str() {
            "origin" => cors,
            "credentials" => cors.credentials()?,
            "methods" => cors.methods(&list(value)?)?,
            "allowedHeaders" => cors.allowed_headers(&list(value)?)?,
            "exposedHeaders" => cors.exposed_headers(&list(value)?)?,
            "maxAge" => cors.max_age(Duration::from_secs(value.as_u64().ok_or("no number")?)),
            "optionsSuccessStatus" => cors.preflight_status(value.as_u64().ok_or("no number")?.try_into()?)?,
            other => return Err(format!("OPTIONS: cors.{other} is not known here").into()),
        };
    }
    Ok(cors)
}

/// `false`, or an object with the threshold.
fn threshold(value: &Value) -> Result<Option<usize>, Error> {
    match value {
        Value::Bool(false) => Ok(None),
        value => Ok(Some(value["threshold"].as_u64().ok_or("no threshold")?.try_into()?)),
    }
}

fn transport(name: &str) -> Result<Transport, Error> {
    [Transport::Polling, Transport::WebSocket]
        .into_iter()
        .find(|transport| transport.name() == name)
        .ok_or_else(|| format!("{name} is no transport").into())
}

fn milliseconds(value: &Value) -> Result<Duration, Error> {
    Ok(Duration::from_millis(value.as_u64().ok_or("no number of milliseconds")?))
}

fn flag(value: &Value) -> Result<bool, Error> {
    Ok(value.as_bool().ok_or("neither true nor false")?)
}

fn text(value: &Value) -> Result<String, Error> {
    Ok(value.as_str().ok_or("no text")?.to_owned())
}

fn list(value: &Value) -> Result<Vec<&str>, Error> {
    let values = value.as_array().ok_or("no list")?;
    values.iter().map(|value| value.as_str().ok_or_else(|| "no text".into())).collect()
}
