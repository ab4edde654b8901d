//! What it is: what proxies say of a request that came through them, believed of those that are trusted.
//! What it is not: a proxy, which is `upstream`; it has the application told the same in its turn.
//! Who calls it: `front`, before the server looks at a request; `upstream`, before the application does.

use std::net::{IpAddr, SocketAddr};

use engineio::RemoteAddr;
use hyper::{
    HeaderMap, Request,
    header::{self, Entry, HeaderName, HeaderValue},
};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// How headers begin that proxies set.
const OF_PROXIES: [&str; 3] = ["x-forwarded-", "x-real-ip", "forwarded"];

/// How headers begin that only the server sets, and one that programs behind CGI take for an order (httpoxy).
const OF_SERVER: [&str; 3] = ["socketio-", "webhook-", "proxy"];

/// The networks of proxies that are believed; none by default.
#[derive(Debug)]
pub(crate) struct Proxies(pub(crate) Vec<IpNet>);

impl Proxies {
    /// Puts the client's address and the host that it asked for in place of the proxy's, if the proxy is trusted. A
    /// peer by Unix socket is, once any is. Says in a header whether the client came by TLS, as the proxy does or as
    /// it is.
    pub(crate) fn apply<B>(&self, request: &mut Request<B>, is_secure: bool) {
        let is_believed = self.believes(peer(request));
        let scheme = HeaderValue::from_static(if is_secure { "https" } else { "http" });
        match request.headers_mut().entry(FORWARDED_PROTO) {
            Entry::Occupied(_) if is_believed => {}
            Entry::Occupied(mut entry) => drop(entry.insert_mult(scheme)),
            Entry::Vacant(entry) => drop(entry.insert(scheme)),
        }
        if !is_believed {
            return;
        }
        if let Some(client) = self.client(request) {
            request.extensions_mut().insert(RemoteAddr(SocketAddr::new(client, 0)));
        }
        let mut hosts = request.headers().get_all(FORWARDED_HOST).iter();
        if let (Some(host), None) = (hosts.next().cloned(), hosts.next()) {
            request.headers_mut().insert(header::HOST, host);
        }
    }

    /// Has the headers say to the application who asks, for which host, and whether by TLS. What a trusted proxy has
    /// said of that stays, and is added to; what anybody else has said goes, and so does what only the server says.
    pub(crate) fn forward<B>(&self, request: &mut Request<B>, is_secure: bool) {
        let peer = peer(request);
        let is_believed = self.believes(peer);
        let headers = request.headers_mut();
        strike(headers, is_believed);
        let before = headers.get_all(FORWARDED_FOR).iter().filter_map(|list| list.to_str().ok());
        let hops = before.map(str::to_owned).chain(peer.map(|peer| peer.to_canonical().to_string()));
        // Both are of characters that headers may have.
        if let Ok(hops) = HeaderValue::try_from(hops.collect::<Vec<_>>().join(", "))
            && !hops.is_empty()
        {
            headers.insert(FORWARDED_FOR, hops);
        }
        if let Some(host) = headers.get(header::HOST).cloned() {
            headers.entry(FORWARDED_HOST).or_insert(host);
        }
        let scheme = HeaderValue::from_static(if is_secure { "https" } else { "http" });
        headers.entry(FORWARDED_PROTO).or_insert(scheme);
    }

    /// Whether what this peer says of others is believed.
    fn believes(&self, peer: Option<IpAddr>) -> bool {
        !self.0.is_empty() && peer.is_none_or(|peer| self.trusts(peer))
    }

    /// The last address in `X-Forwarded-For` that is no proxy of ours: those before it are whatever the client said.
    fn client<B>(&self, request: &Request<B>) -> Option<IpAddr> {
        let lists = request.headers().get_all(FORWARDED_FOR);
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

fn peer<B>(request: &Request<B>) -> Option<IpAddr> {
    request.extensions().get::<RemoteAddr>().map(|remote| remote.0.ip())
}

/// Takes out what clients must not say to the application. To many of those `_` and `-` are the same.
pub(crate) fn strike(headers: &mut HeaderMap, is_believed: bool) {
    let is_struck = |name: &&HeaderName| {
        let meant = name.as_str().replace('_', "-");
        let is_of = |starts: [&str; 3]| starts.iter().any(|start| meant.starts_with(start));
        is_of(OF_SERVER) || is_of(OF_PROXIES) && (!is_believed || meant != name.as_str())
    };
    let struck: Vec<_> = headers.keys().filter(is_struck).cloned().collect();
    for name in struck {
        headers.remove(name);
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
        proxies.apply(&mut request, false);
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
