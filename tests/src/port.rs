//! What it is: addresses that are known before anybody listens there, and one where nobody does.
//! What it is not: for who can listen on port 0 and say which one it got.
//! Who calls it: the tests of the binary, and `backend`.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use tokio::net::TcpSocket;

/// Tells the ports of one test process apart.
static GIVEN: AtomicU32 = AtomicU32::new(0);

/// An address that nobody listens on. Its port is below those that the system gives to whoever wants any: nobody has it
/// by the time that it is listened on, or listened on again.
pub fn free() -> SocketAddr {
    loop {
        let number = process::id().wrapping_mul(64).wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + u16::try_from(number % 20_000).expect("below 20,000");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// Refuses connections; nobody can listen in its place.
#[derive(Debug)]
pub struct Refusing {
    /// Its address.
    pub address: SocketAddr,
    _bound: TcpSocket,
}

impl Refusing {
    /// On any free port.
    pub fn bind() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        Self { address: socket.local_addr().expect("bound"), _bound: socket }
    }
}
