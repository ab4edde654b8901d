//! What it is: where Redis is and how to log in there, out of its URL.
//! What it is not: a connection (`stream`).
//! Who calls it: `config` checks URLs with it; `redis` connects by it.

use std::{fmt, net::IpAddr, path::PathBuf};

use redis::{ConnectionAddr, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo};

/// Where sentinels listen if nothing else is said.
const SENTINEL_PORT: u16 = 26379;

/// Where Redis is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Tcp {
        host: String,
        port: u16,
        tls: bool,
    },
    Unix(PathBuf),
    /// Wherever these say that the service of this name is.
    Sentinels(Vec<(String, u16)>, String),
}

/// Where Redis is, and what to say there first.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) place: Place,
    pub(crate) login: RedisConnectionInfo,
}

impl Address {
    /// Reads a URL as `redis-py` has it: `redis://`, `rediss://` with TLS, `unix://` and `redis+sentinel://`, or the
    /// same with `valkey`.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (place, info) = match scheme {
            "redis" | "valkey" => tcp(rest, false)?,
            // The library is not asked to speak TLS.
            "rediss" | "valkeys" => tcp(rest, true)?,
            "unix" | "redis+unix" | "valkey+unix" => {
                let info = format!("unix://{rest}").into_connection_info().ok()?;
                let ConnectionAddr::Unix(path) = info.addr() else { return None };
                (Place::Unix(path.clone()), info)
            }
            "redis+sentinel" | "valkey+sentinel" => sentinels(rest)?,
            _ => return None,
        };
        let login = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
        Some(Self { place, login })
    }
}

impl Address {
    /// Whether others can listen or speak on the way there, or once they are there: on another machine, and without TLS
    /// or without a password.
    pub(crate) fn is_open(&self) -> bool {
        match &self.place {
            Place::Unix(_) => false,
            Place::Tcp { host, tls, .. } => {
                let address = host.parse::<IpAddr>();
                let is_local = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
                !is_local && (!tls || self.login.password().is_none())
            }
            Place::Sentinels(..) => true,
        }
    }
}

fn tcp(rest: &str, tls: bool) -> Option<(Place, redis::ConnectionInfo)> {
    // Without a host, as in `redis://` and `redis:///1`, it is this machine.
    let (login, host) = rest.split_at(rest.rfind('@').map_or(0, |at| at + 1));
    let host =
        if host.is_empty() || host.starts_with(['/', ':', '?']) { format!("localhost{host}") } else { host.into() };
    let info = format!("redis://{login}{host}").into_connection_info().ok()?;
    let ConnectionAddr::Tcp(host, port) = info.addr().clone() else { return None };
    Some((Place::Tcp { host, port, tls }, info))
}

/// `[user:password@]host[:port],host[:port]/db/service`.
fn sentinels(rest: &str) -> Option<(Place, redis::ConnectionInfo)> {
    let (login, rest) = rest.split_at(rest.rfind('@').map_or(0, |at| at + 1));
    let (hosts, path) = rest.split_once('/')?;
    let (db, service) = path.split_once('/')?;
    let host = |host: &str| -> Option<(String, u16)> {
        let (host, port) = host.rsplit_once(':').map_or((host, None), |(host, port)| (host, Some(port)));
        let port = port.map_or(Some(SENTINEL_PORT), |port| port.parse().ok())?;
        (!host.is_empty()).then(|| (host.to_owned(), port))
    };
    let hosts = hosts.split(',').map(host).collect::<Option<Vec<_>>>()?;
    let info = format!("redis://{login}localhost/{db}").into_connection_info().ok()?;
    (!service.is_empty()).then(|| (Place::Sentinels(hosts, service.to_owned()), info))
}

/// Without the password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Tcp { host, port, tls: false } => write!(f, "{host}:{port}"),
            Place::Tcp { host, port, tls: true } => write!(f, "{host}:{port} with TLS"),
            Place::Unix(path) => write!(f, "{}", path.display()),
            Place::Sentinels(hosts, service) => write!(f, "{service} of {} sentinels", hosts.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16, tls: bool) -> Place {
        Place::Tcp { host: host.into(), port, tls }
    }

    #[test]
    fn urls_of_all_forms_are_read() {
        for (url, place, user, password, db) in [
            ("redis://", tcp("localhost", 6379, false), None, None, 0),
            ("redis:///2", tcp("localhost", 6379, false), None, None, 2),
            ("redis://cache:7000/3", tcp("cache", 7000, false), None, None, 3),
            ("redis://:p%40ss@10.0.0.1", tcp("10.0.0.1", 6379, false), None, Some("p@ss"), 0),
            (
                "rediss://ann:secret@cache.example:7000/",
                tcp("cache.example", 7000, true),
                Some("ann"),
                Some("secret"),
                0,
            ),
            ("valkey://[::1]:7000", tcp("::1", 7000, false), None, None, 0),
            ("unix:///run/redis.sock?db=4&pass=x", Place::Unix("/run/redis.sock".into()), None, Some("x"), 4),
            (
                "redis+sentinel://:x@a:1,b/5/main",
                Place::Sentinels(vec![("a".into(), 1), ("b".into(), 26379)], "main".into()),
                None,
                Some("x"),
                5,
            ),
        ] {
            let address = Address::parse(url).unwrap_or_else(|| panic!("{url}"));
            assert_eq!(address.place, place, "{url}");
            let login = (address.login.username(), address.login.password(), address.login.db());
            assert_eq!(login, (user, password, db), "{url}");
            assert_eq!(
                address.is_open(),
                url.contains("cache:") || url.contains("10.0") || url.contains("sentinel"),
                "{url}"
            );
            assert!(password.is_none_or(|password| !address.to_string().contains(password)), "{url}");
        }
        for url in ["", "redis", "http://a", "redis://a:b", "redis://a/b", "redis+sentinel://a/0", "unix://"] {
            assert!(Address::parse(url).is_none(), "{url}");
        }
    }
}
