//! The binary with TLS: what it presents, and when that changes.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tests::{
    application::Application,
    process::{Process, command, run},
    within,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer},
};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

/// A folder of its own for a test, below the one cargo gives for that.
fn temporary(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("writable");
    folder
}

/// Puts a new certificate and its key into these files. The key comes first: what belongs to no certificate is not
/// taken.
fn renew(cert: &Path, key: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert: new, signing_key } = generate_simple_self_signed(["localhost".into()]).expect("drawn");
    fs::write(key, signing_key.serialize_pem()).expect("writable");
    fs::write(cert, new.pem()).expect("writable");
    new.der().clone()
}

/// A handshake of a client that trusts this certificate only, and its answer.
async fn open(server: &Process, trusted: &CertificateDer<'static>) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(server.address).await?;
    let name = "localhost".try_into().expect("a name");
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let request = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn the_application_behind_is_told_of_tls() {
    let folder = temporary("tls_proxy");
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let trusted = renew(&cert, &key);
    let application = Application::listen().await;
    let set = |name: &str, value: String| format!("{name}={value}");
    let (of_cert, of_key) =
        (set("server.tls_cert", cert.display().to_string()), set("server.tls_key", key.display().to_string()));
    let upstream = format!("http://{}", application.address);
    // The path of Socket.IO is another one, so that this goes to the application.
    let path = "server.path=/sockets/";
    let flags = ["--listen", "127.0.0.1:0", "--admin-listen", "", "--upstream", &upstream];
    let set = ["--set", &of_cert, "--set", &of_key, "--set", path];
    let server = Process::start(command(BINARY, &[&flags[..], &set].concat())).await;
    let (answer, ()) = tokio::join!(within(open(&server, &trusted)), async {
        let (mut asked, head) = application.asked().await;
        assert_eq!((head.header("x-forwarded-proto"), head.header("host")), ("https", "localhost"));
        asked.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    });
    assert!(answer.expect("trusted").ends_with("\r\n\r\nok"));
}

#[tokio::test]
async fn a_certificate_is_presented_and_read_again_when_it_changes() {
    let folder = temporary("tls");
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let first = renew(&cert, &key);
    let set = |name: &str, path: &Path| format!("server.tls_{name}={}", path.display());
    let (of_cert, of_key) = (set("cert", &cert), set("key", &key));
    let flags = ["--listen", "127.0.0.1:0", "--admin-listen", "", "--set", &of_cert, "--set", &of_key];
    let mut server = Process::start(command(BINARY, &flags)).await;
    assert!(server.announced.contains("listening on https://"), "{}", server.announced);
    assert!(within(open(&server, &first)).await.expect("trusted").starts_with("HTTP/1.1 200 OK\r\n"));

    // A client that says nothing holds up nobody.
    let _silent = TcpStream::connect(server.address).await.expect("the server listens");
    // Without a word it takes up to two seconds.
    for signal in [None, Some("HUP")] {
        let second = renew(&cert, &key);
        if let Some(signal) = signal {
            server.signal(signal);
        }
        server.logged("certificate read again").await;
        assert!(within(open(&server, &second)).await.expect("trusted").starts_with("HTTP/1.1 200 OK\r\n"));
        assert!(within(open(&server, &first)).await.is_err(), "the first one is presented no more");
    }
    fs::write(&cert, "nonsense").expect("writable");
    let output = run(BINARY, &flags).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("cert.pem holds no certificate") && !output.status.success(), "{error}");
}
