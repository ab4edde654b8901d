//! What it is: paths that are not passed on to the application, however they are written.
//! What it is not: a check of who asks: nobody's requests with these paths are passed on.
//! Who calls it: `upstream`, for what is configured; `front`, for its own paths; `reload`.

use crate::config::Config;

/// How often a path may be encoded. What is encoded more often hides something.
const MAX_DECODED: usize = 4;

/// Paths, and all below them.
#[derive(Debug)]
pub(crate) struct Deny(Vec<String>);

impl Deny {
    /// What is not passed on to the application by this configuration: hooks are the server's alone, too.
    pub(crate) fn of(config: &Config) -> Self {
        let of_backends = config.backend.0.iter().filter(|backend| backend.url.is_behind(&config.proxy.upstream));
        let listed = config.proxy.deny.iter().map(|path| &*path.0);
        Self::new(listed.chain(of_backends.map(|backend| backend.url.path())))
    }

    /// Whether all of these are denied, too.
    pub(crate) fn includes(&self, others: &Self) -> bool {
        others.0.iter().all(|path| self.has(path))
    }

    /// Denies these paths, which are as an application sees them.
    pub(crate) fn new<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        Self(paths.into_iter().map(|path| joined(&segments(&path.to_lowercase()))).collect())
    }

    /// Whether an application could take this path for one of these, or for one above its root. Applications differ in
    /// what they decode, and in which order they do it: each way counts.
    pub(crate) fn denies(&self, path: &str) -> bool {
        let mut bytes = path.as_bytes().to_vec();
        for _ in 0..=MAX_DECODED {
            let text = String::from_utf8_lossy(&bytes).to_lowercase();
            let segments = segments(&text);
            let Some(resolved) = resolved(&segments) else { return true };
            if self.has(&joined(&segments)) || self.has(&joined(&resolved)) {
                return true;
            }
            match decoded(&bytes) {
                Some(next) => bytes = next,
                None => return false,
            }
        }
        true
    }

    /// What follows may be a format (`/hook.json`) or anything else that is not a longer name (`/hooks`).
    fn has(&self, path: &str) -> bool {
        let is_longer = |rest: &str| rest.starts_with(|next: char| next.is_alphanumeric() || "-_".contains(next));
        self.0.iter().filter_map(|denied| path.strip_prefix(denied)).any(|rest| !is_longer(rest))
    }
}

/// The parts between slashes of either kind, without parameters and without those that say nothing.
fn segments(path: &str) -> Vec<&str> {
    let named = path.split(['/', '\\']).map(|segment| segment.split(';').next().unwrap_or_default());
    named.filter(|segment| !matches!(*segment, "" | ".")).collect()
}

/// Those that are left once each `..` has taken away the one before it; `None` when there is none before it.
fn resolved<'a>(segments: &[&'a str]) -> Option<Vec<&'a str>> {
    let mut resolved = Vec::new();
    for segment in segments {
        match *segment {
            ".." => drop(resolved.pop()?),
            name => resolved.push(name),
        }
    }
    Some(resolved)
}

fn joined(segments: &[&str]) -> String {
    segments.iter().flat_map(|segment| ["/", segment]).collect()
}

/// The same with each `%41` as the byte that it stands for; `None` when there is none.
fn decoded(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).filter(|hex| *byte == b'%' && hex.iter().all(u8::is_ascii_hexdigit));
        let escaped = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        decoded.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    (decoded.len() < bytes.len()).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spelling_gets_around_it() {
        let deny = Deny::new(["/_socketio/", "/app/Hook"]);
        for path in [
            "/_socketio",
            "/_socketio/",
            "/_socketio/x",
            "/_socketio.json",
            "/_socketio;v=1",
            "/;/_socketio",
            "/_SocketIO",
            "//_socketio",
            "/./_socketio",
            "/x/../_socketio",
            "/x/..;/_socketio",
            "/_socketio/../x",
            "/%5Fsocketio",
            "/%5fsocketio%2fx",
            "/%255fsocketio",
            "/x/%2e%2e/_socketio",
            "/x/..%2f_socketio",
            "/x/..%5c_socketio",
            "/x\\..\\_socketio",
            "/_socketio%00",
            "/_socketio%20",
            "/_socketio%3fx",
            "/_socketio%ff",
            "/APP//hook/",
            "/..",
            "/x/../../y",
            "/%2e%2e/x",
            "/%252525255fsocketio",
        ] {
            assert!(deny.denies(path), "{path}");
        }
        for path in
            ["/", "/_socketios", "/_socketio-x", "/app", "/app/hooks", "/x/..", "/x/_socketio", "/100%", "/%zz", ""]
        {
            assert!(!deny.denies(path), "{path}");
        }
        assert!(!Deny::new([]).denies("/_socketio"));
    }

    #[test]
    fn what_is_encoded_over_and_over_is_denied_soon() {
        let deny = Deny::new([]);
        assert!(!deny.denies("/%25252541"));
        assert!(deny.denies(&format!("/%{}41", "25".repeat(8000))));
    }
}
