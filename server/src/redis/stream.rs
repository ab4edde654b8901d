//! What it is: streams of bytes to Redis: TCP, TLS, Unix sockets, and where sentinels point to.
//! What it is not: what is said on them; that is the client library's.
//! Who calls it: `listener` and `publisher`, for each connection.

use std::{io, time::Duration};

use redis::{RedisConnectionInfo, aio::MultiplexedConnection, io::tcp::socket2};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::rustls::pki_types::ServerName;

use super::address::{Address, Place};
use crate::trust;

/// After this time without traffic the kernel asks whether the other side is there, and then again and again.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Time for the answer of one sentinel.
const SENTINEL: Duration = Duration::from_secs(1);

/// Bytes both ways.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

pub(crate) type Stream = Box<dyn Duplex>;

/// Opens a stream to where Redis is.
pub(crate) async fn open(address: &Address) -> io::Result<Stream> {
    match &address.place {
        Place::Tcp { host, port, tls: false } => Ok(Box::new(tcp(host, *port).await?)),
        Place::Tcp { host, port, tls: true } => {
            let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
            Ok(Box::new(trust::connector()?.connect(name, tcp(host, *port).await?).await?))
        }
        Place::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        Place::Sentinels(hosts, service) => {
            let mut error = io::Error::other("no sentinel answers");
            for (host, port) in hosts {
                match tokio::time::timeout(SENTINEL, ask(host, *port, service)).await {
                    Ok(Ok((host, port))) => return Ok(Box::new(tcp(&host, port).await?)),
                    Ok(Err(why)) => error = why,
                    Err(_late) => {}
                }
            }
            Err(error)
        }
    }
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE_INTERVAL);
    socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(stream)
}

/// Where a sentinel says that a service is.
async fn ask(host: &str, port: u16, service: &str) -> io::Result<(String, u16)> {
    let stream = tcp(host, port).await?;
    let login = RedisConnectionInfo::default();
    let (mut connection, driver) = MultiplexedConnection::new(&login, stream).await.map_err(io::Error::other)?;
    let mut question = redis::cmd("SENTINEL");
    question.arg("get-master-addr-by-name").arg(service);
    let answer = async { question.query_async::<Option<(String, u16)>>(&mut connection).await };
    let answer = tokio::select! {
        answer = answer => answer.map_err(io::Error::other)?,
        () = driver => None,
    };
    answer.ok_or_else(|| io::Error::other(format!("a sentinel knows no {service}")))
}
