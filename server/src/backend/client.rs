//! What it is: the HTTP of hooks: one request, its signature, its answer within bounds of time and size.
//! What it is not: what is in them, nor who may ask when (`turns`).
//! Who calls it: `backend`, for each attempt.

use std::{
    error::Error,
    fmt, io,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    Method, Request, Uri,
    header::{self, HeaderValue},
};
use hyper_util::client::legacy;

use super::{
    outcome::{Failed, Fault, Response},
    signature::Signer,
};
use crate::{
    config::{self, BackendUrl},
    connector::{Connector, Target, Tls, innermost},
    trust,
};

/// Size of an answer, in bytes.
pub(crate) const MAX_ANSWER: usize = 1 << 20;

/// Why a backend cannot be asked at all.
#[derive(Debug)]
pub(crate) enum ClientError {
    /// There is nobody to trust.
    Trust(io::Error),
    /// TLS knows no such name of a host.
    Name(String),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trust(error) => error.fmt(f),
            Self::Name(host) => write!(f, "{host} is no name of a host"),
        }
    }
}

/// Asks one backend.
pub(crate) struct Client {
    http: legacy::Client<Connector, Full<Bytes>>,
    uri: Uri,
    signer: Signer,
}

impl Client {
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn new(config: &config::Backend) -> Result<Self, ClientError> {
        let (target, tls) = match &config.url {
            BackendUrl::Http { authority, is_secure, .. } => {
                let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
                let port = authority.port_u16().unwrap_or(if *is_secure { 443 } else { 80 });
                let tls = if *is_secure { Some(tls(&host)?) } else { None };
                (Target::Tcp { host, port }, tls)
            }
            BackendUrl::Unix { socket, .. } => (Target::Unix(socket.clone()), None),
        };
        let connector = Connector { target: Arc::new(target), tls, patience: config.connect_timeout };
        Ok(Self { http: connector.pool(), uri: config.url.uri(), signer: Signer::new(&config.secret.0) })
    }

    /// Asks, for this time at most.
    ///
    /// # Errors
    /// [`Failed`].
    pub(crate) async fn ask(
        &self,
        name: &'static str,
        id: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<Response, Failed> {
        let asked = tokio::time::timeout(patience, self.exchange(self.request(name, id, body)));
        asked.await.unwrap_or_else(|_| Err(Fault::Late.into()))
    }

    fn request(&self, name: &'static str, id: &str, body: Bytes) -> Request<Full<Bytes>> {
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let signature = self.signer.sign(id, timestamp, &body);
        let mut request = Request::new(Full::new(body));
        (*request.method_mut(), *request.uri_mut()) = (Method::POST, self.uri.clone());
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert("socketio-event", HeaderValue::from_static(name));
        headers.insert("webhook-id", HeaderValue::try_from(id).expect("an id of ours is ASCII"));
        headers.insert("webhook-timestamp", timestamp.into());
        if let Some(signature) = signature {
            headers.insert("webhook-signature", signature);
        }
        request
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Response, Failed> {
        let answer = self.http.request(request).await.map_err(|error| failed(&error, error.is_connect()))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await.map_err(|error| match error {
            error if error.is::<LengthLimitError>() => Fault::TooLarge.into(),
            error => failed(&*error, false),
        })?;
        Ok(Response { status, body: body.to_bytes() })
    }
}

const AGENT: &str = concat!("socketio-server/", env!("CARGO_PKG_VERSION"));

fn tls(host: &str) -> Result<Tls, ClientError> {
    let name = host.to_owned().try_into().map_err(|_| ClientError::Name(host.to_owned()))?;
    Ok(Tls { connector: trust::connector().map_err(ClientError::Trust)?, name })
}

/// What came of an error. A connection that took too long is one that could not be had in time.
fn failed(error: &(dyn Error + 'static), is_connect: bool) -> Failed {
    let cause = innermost(error);
    let is_late = cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut);
    let fault = match (is_connect, is_late) {
        (true, true) => Fault::Late,
        (true, false) => Fault::Unreachable,
        (false, _) => Fault::Broken,
    };
    Failed { fault, error: Some(cause.to_string()) }
}
