//! What it is: a naive reading of origins, of those that are let in, and of hosts.
//! What it is not: lenient: what no browser writes is no origin.
//! Who calls it: `headers`.

use std::net::Ipv6Addr;

use engineio::{Origin, Origins};

/// Compares what is let in with the naive reading.
pub(crate) fn check(listed: &str, origin: &str, host: &str) {
    assert!(Origins::Any.allow(origin, host));
    let page = whole(origin);
    let here = origin.split_once("://").and_then(|(scheme, _)| whole(&format!("{scheme}://{host}")));
    let same = page.is_some() && page == here;
    assert_eq!(Origins::Same.allow(origin, host), same, "{origin:?} on {host:?}");
    let (allowed, well_formed) = if listed == "null" {
        (origin == "null", true)
    } else if let Some((scheme, domain)) = listed.split_once("://*.") {
        let below = whole(&format!("{scheme}://{domain}")).filter(|below| !below.contains(['*', '[']));
        let well_formed = below.is_some();
        (below.zip(page).is_some_and(|(below, page)| is_below(&page, &below)), well_formed)
    } else {
        let exact = whole(listed).filter(|exact| !exact.contains('*'));
        let well_formed = exact.is_some();
        (exact.is_some() && exact == page, well_formed)
    };
    let parsed = Origin::parse(listed);
    assert_eq!(parsed.is_ok(), well_formed, "{listed:?}");
    if let Ok(parsed) = parsed {
        assert_eq!(Origins::List(vec![parsed]).allow(origin, host), allowed, "{listed:?} and {origin:?}");
    }
}

/// `https://a.b.c:443` is below `https://c:443`, at a dot.
fn is_below(page: &str, domain: &str) -> bool {
    let (Some((page_scheme, page)), Some((scheme, domain))) = (page.split_once("://"), domain.split_once("://")) else {
        return false;
    };
    page_scheme == scheme && page.len() > domain.len() + 1 && page.ends_with(&format!(".{domain}"))
}

/// The origin in lower case and with its port, if it is one.
fn whole(origin: &str) -> Option<String> {
    let lower = origin.to_ascii_lowercase();
    let (scheme, authority) = lower.split_once("://")?;
    let default = [("http", "80"), ("ws", "80"), ("https", "443"), ("wss", "443")];
    let (_, default) = default.into_iter().find(|(known, _)| *known == scheme)?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, default),
    };
    let is_name =
        !host.is_empty() && host.chars().all(|letter| letter.is_ascii_alphanumeric() || "-._*".contains(letter));
    let is_address =
        host.starts_with('[') && host.ends_with(']') && host[1..host.len() - 1].parse::<Ipv6Addr>().is_ok();
    let port: u16 = port.parse().ok().filter(|_| port.bytes().all(|digit| digit.is_ascii_digit()))?;
    (is_name || is_address).then(|| format!("{scheme}://{host}:{port}"))
}
