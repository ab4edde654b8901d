//! What it is: one HTTP request to a server of ours that runs, for `emit` and `healthcheck`.
//! What it is not: an HTTP client for anything else.
//! Who calls it: `main`, for these subcommands.

use std::{
    fmt, fs, io,
    net::{Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, Uri, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

use crate::{
    admin,
    command::{Emit, Exception},
    config::{Listen, Settled},
    trust,
};

/// A server that has not answered by then will not.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer, or not the one that was wanted.
#[derive(Debug)]
pub(crate) enum RequestError {
    /// There is no admin listener to ask.
    NoAdmin,
    Url(String),
    Key(PathBuf, io::Error),
    /// This argument is no JSON.
    Argument(String),
    Connect(String, io::Error),
    Http(hyper::Error),
    TooLate,
    Refused(StatusCode, String),
    /// The answer is none of a server of ours.
    Stranger(String, StatusCode),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAdmin => f.write_str("there is no admin listener: admin.listen is \"\""),
            Self::Url(url) => write!(f, "{url} is no URL such as http://127.0.0.1:8001"),
            Self::Key(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::Argument(text) => write!(f, "{text} is no JSON; a text is '\"in quotes\"'"),
            Self::Connect(to, error) => write!(f, "cannot connect to {to}: {error}"),
            Self::Http(error) => write!(f, "no answer: {error}"),
            Self::TooLate => write!(f, "no answer within {} s", PATIENCE.as_secs()),
            Self::Refused(status, body) => write!(f, "{status}: {}", body.trim_end()),
            Self::Stranger(at, status) => write!(
                f,
                "{at} is no admin listener, by its answer ({status}): say --config FILE, the configuration of the server"
            ),
        }
    }
}

impl std::error::Error for RequestError {}

/// The body of an emit.
#[derive(Serialize)]
struct Body<'a> {
    namespace: &'a str,
    #[serde(skip_serializing_if = "Audience::is_empty")]
    to: Audience<'a>,
    #[serde(skip_serializing_if = "Audience::is_empty")]
    except: Audience<'a>,
    event: &'a str,
    args: Vec<Box<RawValue>>,
}

/// Who is meant, or is not.
#[derive(Default, PartialEq, Eq, Serialize)]
struct Audience<'a> {
    rooms: Vec<&'a str>,
    users: Vec<&'a str>,
    sids: Vec<&'a str>,
}

/// Where to ask.
enum Target {
    Url { host: String, port: u16, prefix: String, is_secure: bool },
    Unix(PathBuf, String),
}

/// Whether the server of this configuration takes clients.
pub(crate) async fn healthcheck(settled: &Settled) -> Result<String, RequestError> {
    let (target, request) = (Target::of(settled)?, Request::builder().method(Method::GET));
    match call(&target, "/readyz", request, Vec::new()).await? {
        (StatusCode::OK, ready) if ready == "ready\n" => Ok(ready),
        (status @ StatusCode::SERVICE_UNAVAILABLE, why) => Err(RequestError::Refused(status, why)),
        (status, _) => Err(RequestError::Stranger(target.to_string(), status)),
    }
}

/// Emits an event; gives what the server answers.
pub(crate) async fn emit(emit: &Emit, settled: &Settled) -> Result<String, RequestError> {
    let target = match &emit.url {
        Some(url) => Target::parse(url).ok_or_else(|| RequestError::Url(url.clone()))?,
        None => Target::of(settled)?,
    };
    let parse =
        |text: &String| serde_json::from_str::<Box<RawValue>>(text).map_err(|_| RequestError::Argument(text.clone()));
    let args = emit.args.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let (to, except) = (Audience::of(emit), Audience::except(emit));
    let body = Body { namespace: &emit.namespace, to, except, event: &emit.event, args };
    let body = serde_json::to_vec(&body).expect("texts and JSON can be written");
    let key = match &emit.key_file {
        Some(path) => Some(fs::read_to_string(path).map_err(|error| RequestError::Key(path.clone(), error))?),
        None => settled.config.api.keys.0.first().map(|key| key.key.0.clone()),
    };
    let mut request = Request::builder().method(Method::POST);
    if let Some(key) = key {
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", key.trim_end()));
    }
    match call(&target, "/api/v1/emit", request, body).await? {
        (status, done) if status.is_success() && done.starts_with('{') => Ok(done),
        (status, error) if error.starts_with("{\"error\":{") || error.starts_with(admin::NAME) => {
            Err(RequestError::Refused(status, error))
        }
        (status, _) => Err(RequestError::Stranger(target.to_string(), status)),
    }
}

impl<'a> Audience<'a> {
    fn of(Emit { room, user, sid, .. }: &'a Emit) -> Self {
        let [rooms, users, sids] = [room, user, sid].map(|names| names.iter().map(String::as_str).collect());
        Self { rooms, users, sids }
    }

    fn except(emit: &'a Emit) -> Self {
        let mut audience = Self::default();
        for exception in &emit.except {
            match exception {
                Exception::Room(name) => audience.rooms.push(name),
                Exception::User(name) => audience.users.push(name),
                Exception::Sid(id) => audience.sids.push(id),
            }
        }
        audience
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { host, port, .. } => write!(f, "{host}:{port}"),
            Self::Unix(socket, _) => socket.display().fmt(f),
        }
    }
}

impl Target {
    fn of(settled: &Settled) -> Result<Self, RequestError> {
        let config = &settled.config;
        let listen = if settled.is_playground { &config.server.listen } else { &config.admin.listen };
        let prefix = config.admin.prefix.0.clone();
        let listen = listen.first().ok_or(RequestError::NoAdmin)?;
        match listen {
            Listen::Tcp(address) => {
                let host = match address.ip() {
                    ip if !ip.is_unspecified() => ip,
                    ip if ip.is_ipv4() => Ipv4Addr::LOCALHOST.into(),
                    _ => Ipv6Addr::LOCALHOST.into(),
                };
                // Only a port that is shared with clients has TLS.
                let is_secure = config.server.tls_cert.is_some() && config.server.listen.contains(listen);
                Ok(Self::Url { host: host.to_string(), port: address.port(), prefix, is_secure })
            }
            Listen::Unix(path) => Ok(Self::Unix(path.clone(), prefix)),
            Listen::Inherited => Err(RequestError::NoAdmin),
        }
    }

    fn parse(url: &str) -> Option<Self> {
        let url: Uri = url.parse().ok()?;
        let host = url.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let prefix = url.path().trim_end_matches('/').to_owned();
        let port = url.port_u16().unwrap_or(80);
        (url.scheme_str() == Some("http")).then_some(Self::Url { host, port, prefix, is_secure: false })
    }
}

async fn call(
    target: &Target,
    path: &str,
    request: hyper::http::request::Builder,
    body: Vec<u8>,
) -> Result<(StatusCode, String), RequestError> {
    let failed = |error| RequestError::Connect(target.to_string(), error);
    let called = async {
        match target {
            Target::Url { host, port, prefix, is_secure } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(failed)?;
                let path = format!("{prefix}{path}");
                if !is_secure {
                    return exchange(stream, &path, request, body).await;
                }
                // The address is this machine's, and the certificate that of whatever name clients know.
                let name = ServerName::try_from(host.clone()).map_err(|_| RequestError::Url(host.clone()))?;
                let tls = TlsConnector::from(Arc::new(trust::everybody()));
                exchange(tls.connect(name, stream).await.map_err(failed)?, &path, request, body).await
            }
            Target::Unix(socket, prefix) => {
                let stream = UnixStream::connect(socket).await.map_err(failed)?;
                exchange(stream, &format!("{prefix}{path}"), request, body).await
            }
        }
    };
    tokio::time::timeout(PATIENCE, called).await.unwrap_or(Err(RequestError::TooLate))
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    path: &str,
    request: hyper::http::request::Builder,
    body: Vec<u8>,
) -> Result<(StatusCode, String), RequestError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(RequestError::Http)?;
    tokio::spawn(connection);
    let request = request.uri(path).header(header::HOST, "localhost").body(Full::<Bytes>::from(body));
    let request = request.map_err(|_| RequestError::Url(path.to_owned()))?;
    let answer = sender.send_request(request).await.map_err(RequestError::Http)?;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(RequestError::Http)?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
