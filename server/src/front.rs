//! What it is: the map of the port of clients: which path leads where.
//! What it is not: the answers themselves.
//! Who calls it: `serve`, for every request.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{self, HeaderValue},
    http::uri::PathAndQuery,
};
use socketio::SocketIo;

use crate::{
    admin::Admin,
    answer::{Answer, text, whole},
    bundle::Bundle,
    config::UrlPath,
    guard, page,
    proxies::Proxies,
};

/// Everything on the port. Clones are the same.
#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) io: SocketIo,
    pub(crate) bundle: Option<Bundle>,
    /// The path of Socket.IO, and others that mean the same.
    pub(crate) paths: Arc<[UrlPath]>,
    pub(crate) proxies: Arc<Proxies>,
    /// Where the port is shared.
    pub(crate) admin: Option<Admin>,
    /// Whether there is a page, for this machine only.
    pub(crate) is_playground: bool,
}

impl Front {
    /// Answers one request.
    pub(crate) async fn answer(&self, mut request: Request<Incoming>) -> Answer {
        if self.is_playground && !guard::is_local(request.uri(), request.headers()) {
            return whole(text(
                StatusCode::FORBIDDEN,
                "The playground is for pages and programs of this machine only.\n",
            ));
        }
        self.proxies.apply(&mut request);
        let path = request.uri().path();
        if self.io.matches(path) {
            return whole(self.io.answer(request).await);
        }
        if let Some(admin) = self.admin.as_ref().filter(|admin| admin.matches(path)) {
            return admin.answer(request).await;
        }
        if self.paths[1..].iter().any(|alias| alias.0.trim_end_matches('/') == path.trim_end_matches('/')) {
            *request.uri_mut() = moved(request.uri(), &self.paths[0].0);
            return whole(self.io.answer(request).await);
        }
        if matches!(*request.method(), Method::GET | Method::HEAD)
            && let Some(file) = self.file(path, &request)
        {
            return whole(file);
        }
        let hint = if self.is_playground { "There is nothing here. The playground is at /\n" } else { NOTHING };
        whole(text(StatusCode::NOT_FOUND, hint))
    }

    fn file(&self, path: &str, request: &Request<Incoming>) -> Option<Response<Full<Bytes>>> {
        let page = self.is_playground.then(|| page::find(path)).flatten();
        if let Some((content_type, content)) = page {
            let mut answer = Response::new(Full::from(content));
            answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            return Some(answer);
        }
        let name = self.paths.iter().find_map(|folder| path.strip_prefix(&folder.0))?;
        self.bundle.as_ref()?.answer(name, request.headers())
    }
}

const NOTHING: &str = "There is nothing here.\n";

/// The same with another path.
fn moved(uri: &Uri, path: &str) -> Uri {
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let mut parts = uri.clone().into_parts();
    // Both came out of such values.
    parts.path_and_query = PathAndQuery::try_from(format!("{path}{query}")).ok();
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}
