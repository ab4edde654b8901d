//! What it is: whether there is a connection at all, and by which certificate.
//! What it is not: HTTP.
//! Who calls it: `doctor`, first.

use std::io;

use tokio_rustls::rustls::{CertificateError, Error};

use super::{advice, exchange::Client, report::Report, target::Unreachable};

/// Whether it is worth while to go on.
pub(super) async fn check(client: &Client, report: &mut Report) -> bool {
    let target = &client.target;
    match target.connect().await {
        Ok(connected) => {
            report.ok(format_args!("connection to {} in {:.1?}", target.authority(), connected.tcp));
            if let Some(tls) = connected.tls {
                if target.is_unchecked {
                    report.warn("TLS: the certificate was not looked at", advice::UNCHECKED);
                } else {
                    report.ok(format_args!("TLS with a certificate that is trusted, in {tls:.1?}"));
                }
            }
            true
        }
        Err(error) => {
            let (what, change) = told(&error);
            report.fail(format_args!("{}: {what}", target.authority()), change);
            false
        }
    }
}

/// What is wrong, and what is to be changed.
pub(super) fn told(error: &Unreachable) -> (String, &'static str) {
    match error {
        Unreachable::Name(error) => (format!("no address for this name: {error}"), advice::NAME),
        Unreachable::Tcp(error) => (format!("cannot be reached: {error}"), advice::START),
        Unreachable::TcpLate => ("cannot be reached: nobody answers".into(), advice::START),
        Unreachable::TlsLate => ("no TLS: nobody answers".into(), advice::PLAIN),
        Unreachable::Tls(error) => of_tls(error),
    }
}

fn of_tls(error: &io::Error) -> (String, &'static str) {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let change = match inner {
        Some(Error::InvalidCertificate(wrong)) => match wrong {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => advice::EXPIRED,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => advice::OTHER_NAME,
            _ => advice::CHAIN,
        },
        _ => advice::PLAIN,
    };
    (format!("TLS fails: {error}"), change)
}
