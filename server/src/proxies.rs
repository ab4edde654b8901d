//! What it is: what proxies say of a request that came through them, believed of those that are trusted.
//! What it is not: a proxy.
//! Who calls it: `front`, before anything else looks at the request.

use std::net::{IpAddr, SocketAddr};

use engineio::RemoteAddr;
use hyper::{Request, header};
use ipnet::IpNet;

/// The networks of proxies that are believed; none by default.
#[derive(Debug)]
pub(crate) struct Proxies(pub(crate) Vec<IpNet>);

impl Proxies {
    /// Puts the client's address and the host that it asked for in place of the proxy's, if the proxy is trusted. A
    /// peer by Unix socket is, once any is.
    pub(crate) fn apply<B>(&self, request: &mut Request<B>) {
        let peer = request.extensions().get::<RemoteAddr>().map(|remote| remote.0.ip());
        if self.0.is_empty() || peer.is_some_and(|peer| !self.trusts(peer)) {
            return;
        }
        if let Some(client) = self.client(request) {
            request.extensions_mut().insert(RemoteAddr(SocketAddr::new(client, 0)));
        }
        let mut hosts = request.headers().get_all("x-forwarded-host").iter();
        if let (Some(host), None) = (hosts.next().cloned(), hosts.next()) {
            request.headers_mut().insert(header::HOST, host);
        }
    }

    /// The last address in `X-Forwarded-For` that is no proxy of ours: those before it are whatever the client said.
    fn client<B>(&self, request: &Request<B>) -> Option<IpAddr> {
        let lists = request.headers().get_all("x-forwarded-for");
        let lists: Vec<_> = lists.iter().filter_map(|list| list.to_str().ok()).collect();
        let hops = lists.iter().flat_map(|list| list.split(',')).collect::<Vec<_>>();
        let hops = hops.into_iter().rev().map(|hop| hop.trim().parse::<IpAddr>());
        hops.map_while(Result::ok).find(|hop| !self.trusts(*hop))
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The client's address and host, of a request from this peer with this header.
    fn seen(peer: &str, forwarded: &[&str]) -> (String, String) {
        let proxies = Proxies(vec!["10.0.0.0/8".parse().expect("a network"), "::1/128".parse().expect("a network")]);
        let mut request = Request::builder().header("host", "inner").header("x-forwarded-host", "outer");
        for value in forwarded {
            request = request.header("x-forwarded-for", *value);
        }
        let mut request = request.body(()).expect("valid");
        request.extensions_mut().insert(RemoteAddr(SocketAddr::new(peer.parse().expect("an address"), 9)));
        proxies.apply(&mut request);
        let remote = request.extensions().get::<RemoteAddr>().expect("still there").0.ip();
        (remote.to_string(), request.headers()["host"].to_str().expect("ASCII").to_owned())
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        for (peer, forwarded, remote, host) in [
            ("192.0.2.1", &["198.51.100.7"][..], "192.0.2.1", "inner"),
            ("10.1.2.3", &["198.51.100.7"], "198.51.100.7", "outer"),
            ("::ffff:10.1.2.3", &["198.51.100.7"], "198.51.100.7", "outer"),
            ("::1", &["198.51.100.7, 10.9.9.9"], "198.51.100.7", "outer"),
            ("10.1.2.3", &["1.1.1.1, 198.51.100.7"], "198.51.100.7", "outer"),
            ("10.1.2.3", &["1.1.1.1", "198.51.100.7"], "198.51.100.7", "outer"),
            ("10.1.2.3", &["198.51.100.7, unknown"], "10.1.2.3", "outer"),
            ("10.1.2.3", &[], "10.1.2.3", "outer"),
        ] {
            assert_eq!(seen(peer, forwarded), (remote.to_owned(), host.to_owned()), "{peer} {forwarded:?}");
        }
    }
}
