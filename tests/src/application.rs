//! What it is: an application behind the server's front proxy, whose answers are literal bytes of the test.
//! What it is not: an HTTP server: it reads heads of requests, and whatever else it is told to.
//! Who calls it: the tests of the proxy.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::{http::Connection, within};

/// Where the server connects.
#[derive(Debug)]
pub struct Application {
    listener: TcpListener,
    /// Its address.
    pub address: SocketAddr,
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
