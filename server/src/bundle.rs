//! What it is: the official client's bundle, read from a folder and served as the reference server does.
//! What it is not: a file server: only the names that the reference serves are looked for, once, at the start.
//! Who calls it: `serve` loads it; `front` asks it.

use std::{
    collections::HashMap,
    fmt, fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use engineio::compress::{accepts, deflate, gzip};
use http_body_util::Full;
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{self, HeaderValue},
};
use serde::Deserialize;

const FILES: [&str; 4] = ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"];

const SCRIPT: &str = "application/javascript; charset=utf-8";
const SOURCE_MAP: &str = "application/json; charset=utf-8";

/// Content codings in the reference's order of preference.
const CODINGS: [&str; 3] = ["br", "gzip", "deflate"];

/// Strength of brotli: near its best for scripts, at a fraction of the time. A file is compressed once.
const BROTLI_QUALITY: u32 = 9;
const BROTLI_WINDOW: u32 = 22;
const BUFFER_BYTES: usize = 4096;

/// The files, by name.
#[derive(Debug, Clone)]
pub(crate) struct Bundle(Arc<HashMap<String, File>>);

#[derive(Debug)]
struct File {
    content: Bytes,
    content_type: &'static str,
    etag: HeaderValue,
    /// Compressed when first asked for, in the order of `CODINGS`.
    compressed: [OnceLock<Bytes>; 3],
}

/// Why the folder is not the client's.
#[derive(Debug)]
pub(crate) enum BundleError {
    Read(PathBuf, io::Error),
    Package(PathBuf),
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => write!(
                f,
                "cannot read {}: {error}; serve_client is the dist folder of the npm package socket.io-client",
                path.display()
            ),
            Self::Package(path) => write!(f, "{} names no version", path.display()),
        }
    }
}

/// What is read of the package's description.
#[derive(Deserialize)]
struct Package {
    version: String,
}

impl Bundle {
    /// Reads the bundle. `socket.io.js` must be there, and the package's `package.json` beside the folder.
    pub(crate) fn load(folder: &Path) -> Result<Self, BundleError> {
        let read = |path: PathBuf| fs::read(&path).map_err(|error| BundleError::Read(path, error));
        let description = folder.join("..").join("package.json");
        let package: Option<Package> = serde_json::from_slice(&read(description.clone())?).ok();
        let etag = package.and_then(|package| HeaderValue::try_from(format!("\"{}\"", package.version)).ok());
        let etag = etag.ok_or(BundleError::Package(description))?;
        let mut files = HashMap::new();
        for script in FILES {
            for (name, content_type) in [(script.to_owned(), SCRIPT), (format!("{script}.map"), SOURCE_MAP)] {
                let content = match read(folder.join(&name)) {
                    Ok(content) => content.into(),
                    // Older clients have fewer files.
                    Err(_) if name != FILES[0] => continue,
                    Err(error) => return Err(error),
                };
                let file = File { content, content_type, etag: etag.clone(), compressed: Default::default() };
                files.insert(name, file);
            }
        }
        Ok(Self(Arc::new(files)))
    }

    /// Whether the reference serves a file of this name.
    pub(crate) fn has_name(name: &str) -> bool {
        FILES.contains(&name.strip_suffix(".map").unwrap_or(name))
    }

    /// The answer for a file of this name; `None` when there is none.
    pub(crate) fn answer(&self, name: &str, headers: &HeaderMap) -> Option<Response<Full<Bytes>>> {
        let file = self.0.get(name)?;
        let mut answer = Response::new(Full::default());
        let coding = CODINGS.iter().position(|coding| accepts(headers, coding));
        if is_current(headers, &file.etag) {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            *answer.body_mut() =
                Full::new(coding.map_or_else(|| file.content.clone(), |coding| file.compressed(coding)));
            answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
            if let Some(coding) = coding {
                answer.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(CODINGS[coding]));
            }
        }
        let headers = answer.headers_mut();
        headers.insert(header::ETAG, file.etag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=0"));
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        Some(answer)
    }
}

impl File {
    fn compressed(&self, coding: usize) -> Bytes {
        let compressed = self.compressed[coding].get_or_init(|| {
            compress(CODINGS[coding], &self.content).expect("compressing from memory to memory does not fail").into()
        });
        compressed.clone()
    }
}

fn compress(coding: &str, content: &[u8]) -> io::Result<Vec<u8>> {
    match coding {
        "br" => {
            let mut encoder = brotli::CompressorWriter::new(Vec::new(), BUFFER_BYTES, BROTLI_QUALITY, BROTLI_WINDOW);
            encoder.write_all(content)?;
            Ok(encoder.into_inner())
        }
        "gzip" => gzip(content),
        _ => deflate(content),
    }
}

/// Whether the client has this version already.
fn is_current(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let etag = etag.as_bytes();
    headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|value| value.as_bytes().strip_prefix(b"W/").unwrap_or(value.as_bytes()) == etag)
}
