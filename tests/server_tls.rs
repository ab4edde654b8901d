//! The binary with TLS: what it presents, and when that changes.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tests::{
    application::Application,
    frames::{HANDSHAKE, TEXT, masked},
    port,
    process::{Process, command, run},
    within,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
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

/// A connection of a client that trusts this certificate only.
async fn connect(
    server: &Process,
    trusted: &CertificateDer<'static>,
    socket: TcpSocket,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = socket.connect(server.address).await?;
    let name = "localhost".try_into().expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// A handshake of such a client, and its answer.
async fn open(server: &Process, trusted: &CertificateDer<'static>) -> std::io::Result<String> {
    let mut stream = connect(server, trusted, TcpSocket::new_v4()?).await?;
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

/// The next frame of a WebSocket, which is a text message.
async fn text(stream: &mut TlsStream<TcpStream>) -> String {
    let mut header = [0; 2];
    stream.read_exact(&mut header).await.expect("a frame");
    assert_eq!(header[0], TEXT);
    let length = match header[1] {
        126 => usize::from(stream.read_u16().await.expect("a length")),
        127 => stream.read_u64().await.expect("a length") as usize,
        short => usize::from(short),
    };
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await.expect("a payload");
    String::from_utf8(payload).expect("UTF-8")
}

/// Bytes of the server's that the system keeps for this client.
fn kept(server: &Process, stream: &TlsStream<TcpStream>) -> usize {
    let client = stream.get_ref().0.local_addr().expect("connected").port();
    let ends = [format!(":{:04X}", server.address.port()), format!(":{client:04X}")];
    let table = fs::read_to_string("/proc/net/tcp").expect("Linux");
    let mut rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row[1].ends_with(&ends[0]) && row[2].ends_with(&ends[1])).expect("open");
    let (kept, _received) = row[4].split_once(':').expect("two numbers");
    usize::from_str_radix(kept, 16).expect("a number")
}

/// Behind TLS there are two places where what was written may wait: that of the system, and that of TLS, which is to
/// be emptied when the system takes something again, though nothing else is written.
#[tokio::test]
async fn what_tls_keeps_for_a_client_that_did_not_read_reaches_it() {
    const MESSAGE: usize = 16 << 10;
    let folder = temporary("tls_slow");
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let trusted = renew(&cert, &key);
    let options = [
        format!("server.tls_cert={}", cert.display()),
        format!("server.tls_key={}", key.display()),
        format!("limits.send_queue_bytes={}", 64 << 20),
        "engine.ping_interval=300".to_owned(),
    ];
    let server = Process::with_options(BINARY, &options.each_ref().map(String::as_str)).await;
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(64 << 10).expect("a small buffer");
    let mut stream = within(connect(&server, &trusted, socket)).await.expect("trusted");
    let request = format!("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: localhost\r\n{HANDSHAKE}\r\n");
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(stream.read_u8()).await.expect("an answer"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    assert!(within(text(&mut stream)).await.starts_with("0{"));
    stream.write_all(&masked(TEXT, b"40")).await.expect("written");
    assert!(within(text(&mut stream)).await.starts_with("40{"));

    // Until one is not taken by the system as a whole.
    let data = "x".repeat(MESSAGE);
    let mut messages = 0;
    loop {
        let before = kept(&server, &stream);
        let answer = server.emit("", &format!(r#"{{"event":"m","args":[{messages},"{data}"]}}"#)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        messages += 1;
        let taken = async {
            while kept(&server, &stream) < before + MESSAGE {
                tokio::task::yield_now().await;
            }
        };
        // The first few go to the client's own buffer.
        if tokio::time::timeout(Duration::from_millis(300), taken).await.is_err() && before > 4 * MESSAGE {
            break;
        }
    }
    for number in 0..messages {
        assert!(within(text(&mut stream)).await == format!(r#"42["m",{number},"{data}"]"#), "message {number}");
    }
}

#[tokio::test]
async fn subcommands_speak_tls_where_operators_share_the_port_of_clients() {
    let folder = temporary("tls_shared");
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    renew(&cert, &key);
    let free = port::free();
    let file = folder.join("server.toml");
    let text = format!(
        "[server]\nlisten = '{free}'\ntls_cert = {cert:?}\ntls_key = {key:?}\n\
         [admin]\nlisten = '{free}'\nprefix = '/_ops'\n[api]\nkeys = 'k'\n"
    );
    fs::write(&file, text).expect("writable");
    let flags = ["--config", &file.display().to_string()];
    let _server = Process::start(command(BINARY, &flags)).await;
    for (asked, answer) in [(&["healthcheck"][..], "ready\n"), (&["emit", "news"], "{\"sockets\":0}\n")] {
        let output = run(BINARY, &[asked, &flags].concat()).await;
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!((said.as_ref(), output.status.code()), (answer, Some(0)), "{output:?}");
    }
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
