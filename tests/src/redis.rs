//! What it is: a Redis of its own for a test, and a connection to it that says what it is told.
//! What it is not: a client library: what is published are literal bytes.
//! Who calls it: the tests of the binary.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    process::{Child, Command},
};

use crate::within;

/// Tells the servers of one test process apart.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// A running Redis on a Unix socket; killed when the test is over.
#[derive(Debug)]
pub struct Redis {
    child: Child,
    folder: PathBuf,
    options: Vec<String>,
}

impl Redis {
    /// Starts it with these options of `redis-server`; waits until it takes connections.
    pub async fn start(options: &[&str]) -> Self {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("socketio-redis-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).expect("writable");
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let child = run(&folder, &options).await;
        Self { child, folder, options }
    }

    /// Ends it, as a crash would.
    pub async fn kill(&mut self) {
        within(self.child.kill()).await.expect("it runs");
    }

    /// Starts it again, where it was.
    pub async fn restart(&mut self) {
        self.child = run(&self.folder, &self.options).await;
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("redis.sock")
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// A connection to it.
    pub async fn connect(&self) -> Wire {
        let stream = within(UnixStream::connect(self.socket())).await.expect("it takes connections");
        Wire { stream: BufReader::new(stream) }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _left_behind = fs::remove_dir_all(&self.folder);
    }
}

async fn run(folder: &Path, options: &[String]) -> Child {
    let socket = folder.join("redis.sock").display().to_string();
    let folder = folder.display().to_string();
    let base = ["--port", "0", "--unixsocket", &socket, "--dir", &folder, "--save", "", "--appendonly", "no"];
    let mut command = Command::new("redis-server");
    command.args(base).args(options).kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| {
        panic!("redis-server: {error}; on Debian: sudo apt-get install redis-server. As root, `tests/run rust` does so")
    });
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    within(async {
        let mut said = String::new();
        while let Some(line) = lines.next_line().await.expect("UTF-8") {
            if line.to_ascii_lowercase().contains("ready to accept connections") {
                return;
            }
            said.push_str(&line);
        }
        panic!("redis-server ended before it took connections: {said}");
    })
    .await;
    // What it says later must not fill the pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    child
}

/// What Redis says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A word, or an error.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Bytes, or nothing.
    Bytes(Option<Vec<u8>>),
    /// Several of these.
    List(Vec<Reply>),
}

impl Reply {
    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Bytes(Some(bytes)) => bytes,
            other => panic!("no bytes: {other:?}"),
        }
    }
}

/// A connection.
#[derive(Debug)]
pub struct Wire {
    stream: BufReader<UnixStream>,
}

impl Wire {
    /// Sends a command and returns the answer.
    #[track_caller]
    pub fn call<'a>(&'a mut self, words: &[&[u8]]) -> impl Future<Output = Reply> + use<'a> {
        let mut command = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            command.extend(format!("${}\r\n", word.len()).bytes().chain(word.iter().copied()).chain(*b"\r\n"));
        }
        within(async move {
            self.stream.write_all(&command).await.expect("open");
            self.reply().await
        })
    }

    /// Publishes bytes, and returns how many connections got them.
    pub async fn publish(&mut self, channel: &str, message: impl AsRef<[u8]>) -> i64 {
        match self.call(&[b"PUBLISH", channel.as_bytes(), message.as_ref()]).await {
            Reply::Number(receivers) => receivers,
            other => panic!("not published: {other:?}"),
        }
    }

    /// Hears what is published on a channel from now on.
    pub async fn subscribe(&mut self, channel: &str) {
        self.call(&[b"SUBSCRIBE", channel.as_bytes()]).await;
    }

    /// The next message on that channel.
    #[track_caller]
    pub fn message(&mut self) -> impl Future<Output = Vec<u8>> {
        within(async move {
            match self.reply().await {
                Reply::List(mut items) if items.len() == 3 => items.remove(2).bytes(),
                other => panic!("no message: {other:?}"),
            }
        })
    }

    async fn reply(&mut self) -> Reply {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.expect("open");
        let (kind, rest) = line.trim_end().split_at_checked(1).expect("the connection is open");
        match kind {
            "+" | "-" => Reply::Text(rest.to_owned()),
            ":" => Reply::Number(rest.parse().expect("a number")),
            "$" if rest == "-1" => Reply::Bytes(None),
            "$" => {
                let mut bytes = vec![0; rest.parse::<usize>().expect("a length") + 2];
                self.stream.read_exact(&mut bytes).await.expect("open");
                bytes.truncate(bytes.len() - 2);
                Reply::Bytes(Some(bytes))
            }
            "*" => {
                let mut items = Vec::new();
                for _ in 0..rest.parse::<usize>().expect("a length") {
                    items.push(Box::pin(self.reply()).await);
                }
                Reply::List(items)
            }
            other => panic!("no reply begins with {other:?}"),
        }
    }
}
