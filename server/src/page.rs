//! What it is: the playground's page and its files, which are part of the binary.
//! What it is not: a file server; nothing is read from disk.
//! Who calls it: `front`.

/// A file of the page: path, content type, content.
type File = (&'static str, &'static str, &'static str);

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

const FILES: &[File] = &[
    ("/", HTML, include_str!("playground/page.html")),
    ("/playground/chat.js", SCRIPT, include_str!("playground/chat.js")),
    ("/playground/connection.js", SCRIPT, include_str!("playground/connection.js")),
    ("/playground/dom.js", SCRIPT, include_str!("playground/dom.js")),
    ("/playground/engine.js", SCRIPT, include_str!("playground/engine.js")),
    ("/playground/events.js", SCRIPT, include_str!("playground/events.js")),
    ("/playground/explain.js", SCRIPT, include_str!("playground/explain.js")),
    ("/playground/format.js", SCRIPT, include_str!("playground/format.js")),
    ("/playground/log.js", SCRIPT, include_str!("playground/log.js")),
    ("/playground/packets.js", SCRIPT, include_str!("playground/packets.js")),
    ("/playground/page.css", CSS, include_str!("playground/page.css")),
    ("/playground/page.js", SCRIPT, include_str!("playground/page.js")),
    ("/playground/socket.js", SCRIPT, include_str!("playground/socket.js")),
    ("/playground/terminal.js", SCRIPT, include_str!("playground/terminal.js")),
];

/// Content type and content of the file at this path.
pub(crate) fn find(path: &str) -> Option<(&'static str, &'static str)> {
    FILES.iter().find(|(at, ..)| *at == path).map(|(_, content_type, content)| (*content_type, *content))
}
