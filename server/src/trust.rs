//! What it is: whom the server trusts when it connects to others by TLS: those whom the system trusts.
//! What it is not: the server's own certificate (`tls`).
//! Who calls it: `backend`, `redis` and `doctor`, for URLs that begin with `https` or `rediss`.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring},
};

/// Trusts whom the system trusts, or what `SSL_CERT_FILE` names; read once.
///
/// # Errors
/// When that is nobody.
pub(crate) fn connector() -> io::Result<TlsConnector> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone().into());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots()?)
        .with_no_client_auth();
    Ok(CONFIG.get_or_init(|| Arc::new(config)).clone().into())
}

/// Those whom the system trusts, or whom `SSL_CERT_FILE` names.
///
/// # Errors
/// When that is nobody.
pub(crate) fn roots() -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let unread = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        let text = format!("there are no certificates to trust{unread}; SSL_CERT_FILE may name a file with some");
        return Err(io::Error::other(text));
    }
    Ok(roots)
}
