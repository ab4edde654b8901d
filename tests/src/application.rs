//! What it is: an application behind the server's front proxy, whose answers are literal bytes of the test.
//! What it is not: an HTTP server: it reads heads of requests, and whatever else it is told to.
//! Who calls it: the tests of the proxy.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};

use crate::{http::Connection, within};

/// Where the server connects.
#[derive(Debug)]
pub struct Application {
    listener: TcpListener,
    /// Its address.
    pub address: SocketAddr,
}

/// An application that accepts nobody any more: once its queue is full the system does not answer for it.
#[derive(Debug)]
pub struct Full {
    /// Its address.
    pub address: SocketAddr,
    _listener: TcpListener,
    _waiting: Vec<io::Result<TcpStream>>,
}

impl Full {
    /// Listens, and has its queue filled.
    pub async fn listen() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let listener = socket.listen(1).expect("bound");
        let address = listener.local_addr().expect("bound");
        let mut waiting = Vec::new();
        while let Ok(stream) = timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
            waiting.push(stream);
            assert!(waiting.len() < 100, "the queue has an end");
        }
        Self { address, _listener: listener, _waiting: waiting }
    }
}

/// The head of a request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its first line.
    pub line: String,
    /// Names in lower case and values, in the order of arrival.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The value of a header, by its name in lower case; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// How many headers of this name there are.
    pub fn count(&self, name: &str) -> usize {
        self.headers.iter().filter(|(found, _)| found == name).count()
    }
}

impl Application {
    /// Listens on any free port.
    pub async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        Self { listener, address }
    }

    /// The next connection of the server.
    #[track_caller]
    pub fn accept(&self) -> impl Future<Output = Connection> {
        within(async { Connection::over(self.listener.accept().await.expect("it listens").0) })
    }

    /// The next connection, and the head of the request on it.
    #[track_caller]
    pub fn asked(&self) -> impl Future<Output = (Connection, Head)> {
        let accepted = self.accept();
        within(async {
            let mut connection = accepted.await;
            let head = connection.asked().await;
            (connection, head)
        })
    }
}
