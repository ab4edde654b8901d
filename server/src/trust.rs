//! What it is: whom the server trusts when it connects to others by TLS: those whom the system trusts, or everybody.
//! What it is not: the server's own certificate (`tls`).
//! Who calls it: `backend`, `redis` and `doctor`, for URLs that begin with `https` or `rediss`; `request`, for a port
//! of this server.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme, WantsVerifier,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, ServerName, UnixTime},
    },
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
    let config = system()?;
    Ok(CONFIG.get_or_init(|| Arc::new(config)).clone().into())
}

/// The same, read anew, as options that may be changed.
///
/// # Errors
/// When that is nobody.
pub(crate) fn system() -> io::Result<ClientConfig> {
    Ok(builder().with_root_certificates(roots()?).with_no_client_auth())
}

/// Trusts everybody, for who says `--insecure`, and for ports of this server.
pub(crate) fn everybody() -> ClientConfig {
    let everybody = Arc::new(Everybody(ring::default_provider()));
    builder().dangerous().with_custom_certificate_verifier(everybody).with_no_client_auth()
}

fn builder() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has those versions")
}

fn roots() -> io::Result<RootCertStore> {
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

/// Takes every certificate; signatures by its key are checked.
#[derive(Debug)]
struct Everybody(CryptoProvider);

impl ServerCertVerifier for Everybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
