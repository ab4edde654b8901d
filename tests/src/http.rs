//! What it is: one TCP connection on which a test writes literal bytes and reads HTTP answers.
//! What it is not: an HTTP client; it reads answers with a `content-length`, in chunks, or with no body at all.
//! Who calls it: the tests; `polling` and `frames` are built on it, and `application` has its other end.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::{application::Head, within};

/// One connection, and what was read from it but not asked for yet.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names in lower case and values, in the order of arrival.
    pub headers: Vec<(String, String)>,
    /// The body; empty when there is none.
    pub body: String,
}

impl Answer {
    /// The value of a header, by its name in lower case; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("connected");
        Self { stream, unread: Vec::new() }
    }

    /// A connection that was accepted.
    pub fn over(stream: TcpStream) -> Self {
        Self { stream, unread: Vec::new() }
    }

    /// The connection below; nothing that was read may be left.
    pub fn into_stream(self) -> TcpStream {
        assert!(self.unread.is_empty(), "there is more");
        self.stream
    }

    /// Connects with a receive buffer that is full soon.
    pub async fn open_narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("not connected yet");
        Self { stream: socket.connect(address).await.expect("the server listens"), unread: Vec::new() }
    }

    /// Writes these bytes.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("the server reads");
    }

    /// Writes a request line, `host`, these headers (each ended by CRLF), and an empty line.
    pub async fn request(&mut self, line: &str, headers: &str) {
        self.send(format!("{line} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n")).await;
    }

    /// Reads one answer.
    #[track_caller]
    pub fn answer(&mut self) -> impl Future<Output = Answer> {
        let binary = self.binary_answer();
        async move {
            let (answer, body) = binary.await;
            Answer { body: String::from_utf8(body).expect("UTF-8"), ..answer }
        }
    }

    /// Reads one answer whose body, returned beside it, need not be text.
    #[track_caller]
    pub fn binary_answer(&mut self) -> impl Future<Output = (Answer, Vec<u8>)> {
        within(async {
            let answer = self.read_head().await;
            if answer.header("transfer-encoding") != "chunked" {
                let length = answer.header("content-length").parse().unwrap_or(0);
                return (answer, self.read(length).await);
            }
            let mut body = Vec::new();
            loop {
                let chunk = self.read_chunk().await;
                if chunk.is_empty() {
                    return (answer, body);
                }
                body.extend(chunk);
            }
        })
    }

    /// Reads one chunk of an answer that comes in such; the last one is empty.
    #[track_caller]
    pub fn chunk(&mut self) -> impl Future<Output = Vec<u8>> {
        within(self.read_chunk())
    }

    /// Reads one answer to a HEAD request, whose length is that of a body not sent.
    #[track_caller]
    pub fn head(&mut self) -> impl Future<Output = Answer> {
        within(self.read_head())
    }

    /// Reads the head of a request, which this is the other end of.
    #[track_caller]
    pub fn asked(&mut self) -> impl Future<Output = Head> {
        within(async {
            let (line, headers) = self.read_lines().await;
            Head { line, headers }
        })
    }

    /// Reads the head of the next request, if there is one before the connection ends, for as long as it takes.
    pub async fn next_asked(&mut self) -> Option<Head> {
        if self.unread.is_empty() && !self.fill().await {
            return None;
        }
        let (line, headers) = self.read_lines().await;
        Some(Head { line, headers })
    }

    /// Writes these bytes, to who may have gone. Says whether it has not.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Reads so many bytes.
    #[track_caller]
    pub fn bytes(&mut self, count: usize) -> impl Future<Output = Vec<u8>> {
        within(self.read(count))
    }

    /// Reads text until it ends like this.
    #[track_caller]
    pub fn until(&mut self, end: &str) -> impl Future<Output = String> {
        within(async move { self.read_until(end).await })
    }

    /// Reads what comes until the server ends the connection.
    #[track_caller]
    pub fn rest(&mut self) -> impl Future<Output = Vec<u8>> {
        within(async {
            while self.fill().await {}
            std::mem::take(&mut self.unread)
        })
    }

    async fn read_head(&mut self) -> Answer {
        let (line, headers) = self.read_lines().await;
        let status = line.split(' ').nth(1).expect("a status line");
        Answer { status: status.parse().expect("a number"), headers, body: String::new() }
    }

    /// The first line of a head, and its headers.
    async fn read_lines(&mut self) -> (String, Vec<(String, String)>) {
        let length = loop {
            match self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                Some(at) => break at + 4,
                None => assert!(self.fill().await, "the connection ended within {:?}", self.unread),
            }
        };
        let head = String::from_utf8(self.read(length).await).expect("UTF-8");
        let mut lines = head.lines();
        let first = lines.next().unwrap_or_default().to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        (first, headers)
    }

    async fn read_until(&mut self, end: &str) -> String {
        loop {
            let found = self.unread.windows(end.len()).position(|bytes| bytes == end.as_bytes());
            if let Some(at) = found {
                return String::from_utf8(self.read(at + end.len()).await).expect("UTF-8");
            }
            assert!(self.fill().await, "the connection ended within {:?}", self.unread);
        }
    }

    async fn read_chunk(&mut self) -> Vec<u8> {
        let length = self.read_until("\r\n").await;
        let length = usize::from_str_radix(length.trim_end(), 16).expect("a length");
        let mut chunk = self.read(length + 2).await;
        assert_eq!(chunk.split_off(length), b"\r\n");
        chunk
    }

    async fn read(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count {
            assert!(self.fill().await, "the connection ended after {} of {count} bytes", self.unread.len());
        }
        self.unread.drain(..count).collect()
    }

    /// Reads more. Says whether there was more; a connection that the server cut off has none.
    pub(crate) async fn fill(&mut self) -> bool {
        match self.stream.read_buf(&mut self.unread).await {
            Ok(count) => count > 0,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("reading failed: {error}"),
        }
    }

    /// What was read from the connection but not asked for yet.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// Drops bytes that were looked at.
    pub(crate) fn skip(&mut self, count: usize) {
        self.unread.drain(..count);
    }
}
