//! What it is: the server that is asked, and connections to it, by TLS or without.
//! What it is not: what is asked (`exchange`, `websocket`).
//! Who calls it: `reach`, `exchange` and `websocket`, for each connection.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::Uri;
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

use super::DoctorError;
use crate::{command, connector::Stream, trust};

/// Where a server is.
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    /// Begins and ends with a slash.
    pub(super) path: String,
    /// Begins with a slash.
    pub(super) namespace: String,
    pub(super) is_unchecked: bool,
    /// An answer that is not there by then will not come.
    pub(super) patience: Duration,
    tls: Option<TlsConnector>,
}

/// A connection, and how long it took.
pub(super) struct Connected {
    pub(super) stream: Box<dyn Stream>,
    pub(super) tcp: Duration,
    /// `None` without TLS.
    pub(super) tls: Option<Duration>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Unreachable {
    Name(io::Error),
    Tcp(io::Error),
    Tls(io::Error),
    /// Nothing came of it in time.
    TcpLate,
    TlsLate,
}

impl Target {
    pub(super) fn of(asked: &command::Doctor) -> Result<Self, DoctorError> {
        let wrong = || DoctorError::Url(asked.url.clone());
        // Addresses of ours have no scheme where they are configured.
        let scheme = if asked.url.contains("://") { "" } else { "http://" };
        let url: Uri = format!("{scheme}{}", asked.url).parse().map_err(|_| wrong())?;
        let is_secure = match url.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(wrong()),
        };
        let host = url.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        let port = url.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        // To clients, what stands behind the host is a namespace.
        let (mut path, mut namespace) = (asked.path.clone(), url.path().trim_end_matches('/').to_owned());
        if namespace.ends_with("/socket.io") {
            path = std::mem::take(&mut namespace);
        }
        if let Some(named) = &asked.namespace {
            namespace = named.clone();
        }
        if namespace.is_empty() {
            namespace.push('/');
        }
        if !namespace.starts_with('/') || namespace.contains([',', '?']) {
            return Err(DoctorError::Namespace(namespace));
        }
        let path = format!("/{}/", path.trim_matches('/'));
        path.parse::<hyper::http::uri::PathAndQuery>().map_err(|_| DoctorError::Url(path.clone()))?;
        let tls = if is_secure { Some(connector(asked.insecure)?) } else { None };
        Ok(Self {
            host: host.to_owned(),
            port,
            path,
            namespace,
            is_unchecked: asked.insecure,
            patience: asked.timeout,
            tls,
        })
    }

    /// What takes longer than this, and than it should, was held back.
    pub(super) fn late(&self) -> Duration {
        (self.patience / 10).max(Duration::from_secs(1))
    }

    /// The host, and the port where it is not the usual one.
    pub(super) fn authority(&self) -> String {
        let usual = if self.is_secure() { 443 } else { 80 };
        if self.port == usual { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// The origin of pages that this host serves.
    pub(super) fn origin(&self) -> String {
        format!("{}://{}", if self.is_secure() { "https" } else { "http" }, self.authority())
    }

    pub(super) fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<Connected, Unreachable> {
        let start = Instant::now();
        let name = self.host.trim_start_matches('[').trim_end_matches(']');
        let addresses =
            timeout(self.patience, lookup_host((name, self.port))).await.map_err(|_| Unreachable::TcpLate)?;
        let addresses: Vec<_> = addresses.map_err(Unreachable::Name)?.collect();
        let stream =
            timeout(self.patience, TcpStream::connect(&addresses[..])).await.map_err(|_| Unreachable::TcpLate)?;
        let stream = stream.map_err(Unreachable::Tcp)?;
        // It would only be slower without.
        let _slower = stream.set_nodelay(true);
        let tcp = start.elapsed();
        let Some(tls) = &self.tls else { return Ok(Connected { stream: Box::new(stream), tcp, tls: None }) };
        let invalid = |_| Unreachable::Name(io::ErrorKind::InvalidInput.into());
        let name = ServerName::try_from(name.to_owned()).map_err(invalid)?;
        let stream = timeout(self.patience, tls.connect(name, stream)).await.map_err(|_| Unreachable::TlsLate)?;
        let stream = Box::new(stream.map_err(Unreachable::Tls)?);
        Ok(Connected { stream, tcp, tls: Some(start.elapsed() - tcp) })
    }
}

/// TLS that trusts whom the system trusts, or everybody.
fn connector(is_unchecked: bool) -> Result<TlsConnector, DoctorError> {
    let mut config = if is_unchecked { trust::everybody() } else { trust::system().map_err(DoctorError::Roots)? };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config).into())
}
