//! What it is: the binary `socketio-server` as a running process.
//! What it is not: a server in the test's own process (`server`).
//! Who calls it: the tests of the binary.

use std::{
    net::SocketAddr,
    process::{Output, Stdio},
};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command},
};

use crate::{
    http::{Answer, Connection},
    server::Endpoint,
    within,
};

/// A running server; killed when the test is over, if it has not ended by itself.
#[derive(Debug)]
pub struct Process {
    /// The process.
    pub child: Child,
    /// Where clients connect; of several TCP addresses, the first one.
    pub address: SocketAddr,
    /// Where operators connect.
    pub admin: Option<SocketAddr>,
    /// What it printed while it started.
    pub announced: String,
    /// What it says afterwards.
    pub output: Lines<BufReader<ChildStdout>>,
    /// What it logs.
    pub log: Lines<BufReader<ChildStderr>>,
}

/// A command of the binary, with nothing of ours in its environment.
pub fn command(binary: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary);
    let ours = std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("SOCKETIO_"));
    for name in ours {
        command.env_remove(name);
    }
    command.args(arguments).kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the binary to its end.
pub async fn run(binary: &str, arguments: &[&str]) -> Output {
    within(command(binary, arguments).output()).await.expect("the binary runs")
}

impl Process {
    /// Starts it with a configuration, which is written to this file, on any free ports.
    pub async fn configured(binary: &str, file: &str, text: &str) -> Self {
        std::fs::write(file, text).expect("writable");
        Self::with(binary, &["--config", file]).await
    }

    /// Starts it with these keys and values, on any free ports.
    pub async fn with_options(binary: &str, options: &[&str]) -> Self {
        Self::with(binary, &options.iter().flat_map(|option| ["--set", option]).collect::<Vec<_>>()).await
    }

    /// Starts it with these arguments, on any free ports.
    pub async fn with(binary: &str, arguments: &[&str]) -> Self {
        let ports = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        Self::start(command(binary, &[&ports, arguments].concat())).await
    }

    /// Starts it; waits until it listens on a TCP address.
    pub async fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the binary runs");
        let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut log = BufReader::new(child.stderr.take().expect("piped")).lines();
        let (mut address, mut admin, mut announced) = (None, None, String::new());
        within(async {
            while let Some(line) = output.next_line().await.expect("UTF-8") {
                let found = |words: &str| {
                    let (_, url) = line.split_once(words)?;
                    url.split_once("://")?.1.split('/').next()?.parse::<SocketAddr>().ok()
                };
                address = address.or(found("listening on "));
                admin = admin.or(found("admin on "));
                announced.push_str(&line);
                announced.push('\n');
                // The last line of a server, and of a playground.
                if line.trim_start().starts_with("open files ") || line.contains("Ctrl-C ends it") {
                    return;
                }
            }
            let why = log.next_line().await.expect("UTF-8").unwrap_or_default();
            panic!("the server ended before it listened: {why}");
        })
        .await;
        let address = address.or(admin).expect("a TCP address");
        Self { child, address, admin, announced, output, log }
    }

    /// Where clients connect.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint { address: self.address, path: "/socket.io/", query: "EIO=4" }
    }

    /// The answer to a GET of clients.
    pub async fn get(&self, path: &str, headers: &str) -> Answer {
        get(self.address, path, headers).await
    }

    /// The answer to a POST of clients.
    pub async fn post(&self, path: &str, body: &str) -> Answer {
        post(self.address, path, "", body).await
    }

    /// The answer to a GET of operators.
    pub async fn ask(&self, path: &str) -> Answer {
        get(self.admin.expect("an admin listener"), path, "").await
    }

    /// The answer to an emit by the API of operators.
    pub async fn emit(&self, headers: &str, body: &str) -> Answer {
        post(self.admin.expect("an admin listener"), "/api/v1/emit", headers, body).await
    }

    /// The answer to a request of operators, of whatever method.
    pub async fn call(&self, line: &str, headers: &str, body: &str) -> Answer {
        request(self.admin.expect("an admin listener"), line, headers, body).await
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// The next line of the log with these words.
    #[track_caller]
    pub fn logged(&mut self, words: &str) -> impl Future<Output = String> {
        within(async move {
            while let Some(line) = self.log.next_line().await.expect("UTF-8") {
                if line.contains(words) {
                    return line;
                }
            }
            panic!("the log ended before {words:?}");
        })
    }
}

/// Sends a signal by its name.
pub fn signal(child: &Child, name: &str) {
    let pid = child.id().expect("it runs").to_string();
    let sent = std::process::Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill runs");
    assert!(sent.success());
}

/// The answer to a request of whatever method.
pub async fn request(address: SocketAddr, line: &str, headers: &str, body: &str) -> Answer {
    let mut connection = Connection::open(address).await;
    connection.request(line, &format!("{headers}content-length: {}\r\n", body.len())).await;
    connection.send(body).await;
    if line.starts_with("HEAD ") { connection.head().await } else { connection.answer().await }
}

/// The answer to a GET.
pub async fn get(address: SocketAddr, path: &str, headers: &str) -> Answer {
    let mut connection = Connection::open(address).await;
    connection.request(&format!("GET {path}"), headers).await;
    connection.answer().await
}

/// The answer to a POST.
pub async fn post(address: SocketAddr, path: &str, headers: &str, body: &str) -> Answer {
    request(address, &format!("POST {path}"), headers, body).await
}
