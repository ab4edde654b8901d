//! What it is: the channels that are subscribed, and what comes on each.
//! What it is not: the subscribing (`listener`).
//! Who calls it: `redis` makes them of the configuration; `inbox` asks what a channel is for.

use std::collections::HashMap;

/// What comes on a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source<'a> {
    /// Messages of python-socketio, for all namespaces.
    Python,
    /// Events of the reference's emitter and its servers; the channel begins like this, then comes the namespace.
    NodeEvents(&'a str),
    /// Requests of the same, in this namespace.
    NodeRequests(&'a str),
    /// Messages of other servers of the cluster.
    Cluster,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    python: Vec<String>,
    node: Option<Node>,
    /// The channel of all servers of the cluster, and that of this one.
    cluster: Option<[String; 2]>,
}

#[derive(Debug)]
struct Node {
    /// What channels of events begin with.
    events: String,
    /// What channels of requests begin with.
    requests: String,
    /// What channels of answers begin with.
    answers: String,
    /// Namespaces that are always there, by the channels of their requests.
    fixed: HashMap<String, String>,
    patterns: Vec<String>,
}

impl Channels {
    /// `namespaces` are names, or beginnings of names with a `*` behind.
    pub(crate) fn new(python: &[String], node_key: Option<&str>, namespaces: &[&str]) -> Self {
        Self { python: python.to_vec(), node: node_key.map(|key| Node::new(key, namespaces)), cluster: None }
    }

    /// The same with those of a cluster, if there is one.
    pub(crate) fn with_cluster(self, cluster: Option<[String; 2]>) -> Self {
        Self { cluster, ..self }
    }

    /// The channels that are subscribed by their names.
    pub(crate) fn names(&self) -> Vec<&str> {
        let of_node = self.node.iter().flat_map(|node| node.fixed.keys());
        let of_cluster = self.cluster.iter().flatten();
        self.python.iter().chain(of_node).chain(of_cluster).map(String::as_str).collect()
    }

    /// Those that are subscribed by patterns.
    pub(crate) fn patterns(&self) -> &[String] {
        self.node.as_ref().map(|node| &node.patterns[..]).unwrap_or_default()
    }

    /// What comes on a channel, by its name or by a pattern. `None` is what comes twice, or was not asked for.
    pub(crate) fn source<'a>(&'a self, channel: &'a str, by_pattern: bool) -> Option<Source<'a>> {
        if !by_pattern && self.python.iter().any(|name| name == channel) {
            return Some(Source::Python);
        }
        if !by_pattern && self.cluster.iter().flatten().any(|name| name == channel) {
            return Some(Source::Cluster);
        }
        let node = self.node.as_ref()?;
        if let Some(namespace) = node.fixed.get(channel) {
            return (!by_pattern).then_some(Source::NodeRequests(namespace));
        }
        if let Some(namespace) = channel.strip_prefix(&node.requests) {
            return namespace.strip_suffix('#').map(Source::NodeRequests);
        }
        channel.starts_with(&node.events).then_some(Source::NodeEvents(&node.events))
    }

    /// The channel of answers in a namespace.
    pub(crate) fn answers(&self, namespace: &str) -> String {
        let beginning = self.node.as_ref().map(|node| node.answers.as_str()).unwrap_or_default();
        format!("{beginning}{namespace}#")
    }
}

impl Node {
    fn new(key: &str, namespaces: &[&str]) -> Self {
        let [events, requests, answers] = ["", "-request", "-response"].map(|kind| format!("{key}{kind}#"));
        let beginnings: Vec<&str> = namespaces.iter().filter_map(|name| name.strip_suffix('*')).collect();
        // `*` means `/` too, which is always there.
        let all = beginnings.contains(&"").then_some("/");
        let fixed: Vec<&str> = namespaces.iter().copied().filter(|name| !name.ends_with('*')).chain(all).collect();
        // What two patterns match comes twice.
        let is_in_other = |name: &str, own: Option<&str>| {
            beginnings.iter().any(|other| name.starts_with(other) && own.is_none_or(|own| own != *other))
        };
        let mut patterns = Vec::new();
        for name in fixed.iter().filter(|name| !is_in_other(name, None)) {
            patterns.push(format!("{}#*", escaped(&format!("{events}{name}"))));
        }
        for name in beginnings.iter().filter(|name| !is_in_other(name, Some(name))) {
            patterns.push(format!("{}*", escaped(&format!("{events}{name}"))));
            // Those of namespaces that come and go, which others do not wait for.
            patterns.push(format!("{}*", escaped(&format!("{requests}{name}"))));
        }
        let fixed = fixed.into_iter().map(|name| (format!("{requests}{name}#"), name.to_owned())).collect();
        Self { events, requests, answers, fixed, patterns }
    }
}

/// The pattern that means this text.
fn escaped(text: &str) -> String {
    let is_special = |c: &char| ['*', '?', '[', ']', '\\', '^'].contains(c);
    text.chars().flat_map(|c| is_special(&c).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_comes_once() {
        for (namespaces, names, patterns) in [
            (&["/", "/chat"][..], &["k-request#/#", "k-request#/chat#"][..], &["k#/#*", "k#/chat#*"][..]),
            (&["/", "/chat*"], &["k-request#/#"], &["k#/#*", "k#/chat*", "k-request#/chat*"]),
            (&["/chat*", "/chat-1", "/chat-2*"], &["k-request#/chat-1#"], &["k#/chat*", "k-request#/chat*"]),
            (&["*"], &["k-request#/#"], &["k#*", "k-request#*"]),
            (&["/[a]?"], &["k-request#/[a]?#"], &["k#/\\[a\\]\\?#*"]),
        ] {
            let channels = Channels::new(&[], Some("k"), namespaces);
            let mut found = channels.names();
            found.sort_unstable();
            assert_eq!(found, names, "{namespaces:?}");
            assert_eq!(channels.patterns(), patterns, "{namespaces:?}");
        }
    }

    #[test]
    fn channels_say_what_comes_on_them() {
        let of_cluster = ["c".into(), "c:me".into()];
        let channels = Channels::new(&["socketio".into()], Some("socket.io"), &["*"]).with_cluster(Some(of_cluster));
        let events = Source::NodeEvents("socket.io#");
        for (channel, by_pattern, source) in [
            ("socketio", false, Some(Source::Python)),
            ("socket.io#/#", true, Some(events.clone())),
            ("socket.io#/chat#room#1#", true, Some(events)),
            ("socket.io-request#/#", false, Some(Source::NodeRequests("/"))),
            ("socket.io-request#/#", true, None),
            ("socket.io-request#/chat#", true, Some(Source::NodeRequests("/chat"))),
            ("socket.io-request#/chat", true, None),
            ("other", true, None),
            ("c", false, Some(Source::Cluster)),
            ("c:me", false, Some(Source::Cluster)),
            ("c:other", false, None),
            ("c", true, None),
        ] {
            assert_eq!(channels.source(channel, by_pattern), source, "{channel}");
        }
        assert_eq!(channels.answers("/chat"), "socket.io-response#/chat#");
        assert_eq!(Channels::new(&["socketio".into()], None, &["/"]).names(), ["socketio"]);
    }
}
