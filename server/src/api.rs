//! What it is: the HTTP API: programs in any language emit to clients.
//! What it is not: the judge of who may use it (`keyring`), nor the listener (`admin`).
//! Who calls it: `admin`.

use std::{error::Error, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
};
use serde_json::json;
use socketio::EmitError;

use crate::{
    auth::{
        Tokens,
        draft::{Draft, DraftError},
    },
    keyring::Grant,
    member::MemberError,
    op::{Op, OpError},
    perform::{Done, PerformError},
    sockets::Sockets,
};

/// What emits of the API count as.
const SOURCE: &str = "api";

/// What can be wrong with a request: status, code, and for the last ones the field.
#[derive(Debug)]
pub(crate) enum ApiError {
    Method(&'static str),
    /// No key, or none that is known.
    Unauthorized,
    /// The key is not good for this.
    Forbidden,
    Body,
    /// The body is larger than this, in bytes.
    TooLarge(usize),
    Op(OpError),
    Perform(PerformError),
    Draft(DraftError),
}

/// What the API works on.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) sockets: Arc<Sockets>,
    pub(crate) tokens: Tokens,
    /// Largest body of a request, in bytes.
    pub(crate) max_body: usize,
}

/// An answer, or what is wrong with the request.
pub(crate) type Answered = Result<Response<Full<Bytes>>, ApiError>;

impl Api {
    /// `POST /api/v1/emit`.
    pub(crate) async fn emit(&self, request: Request<Incoming>, grant: &Grant) -> Answered {
        if request.method() != Method::POST {
            return Err(ApiError::Method("POST"));
        }
        let op = Op::read(&body(request, self.max_body).await?, Some("emit")).map_err(ApiError::Op)?;
        if !grant.is_for(&op.namespace) {
            return Err(ApiError::Forbidden);
        }
        let done = match self.sockets.perform(&op, SOURCE).map_err(ApiError::Perform)? {
            Done::Sent(sockets) => json!({ "sockets": sockets }),
            Done::Changed(sockets) => json!({ "changed": sockets }),
        };
        Ok(answer(StatusCode::OK, &done))
    }

    /// `POST /api/v1/tokens`.
    pub(crate) async fn sign(&self, request: Request<Incoming>, grant: &Grant) -> Answered {
        if request.method() != Method::POST {
            return Err(ApiError::Method("POST"));
        }
        let draft = Draft::read(&body(request, self.max_body).await?).map_err(ApiError::Op)?;
        // A token is good for all namespaces, unless it says for which.
        let names = draft.permit.namespaces.as_deref();
        if !names.map_or_else(|| grant.is_for("*"), |names| names.iter().all(|name| grant.is_for(name))) {
            return Err(ApiError::Forbidden);
        }
        let signed = self.tokens.sign(&draft).map_err(ApiError::Draft)?;
        Ok(answer(StatusCode::OK, &json!({ "token": signed.token, "expires_at": signed.expires_at })))
    }

    /// `GET /api/v1/stats`.
    pub(crate) fn stats(&self, request: &Request<Incoming>) -> Answered {
        if request.method() != Method::GET {
            return Err(ApiError::Method("GET"));
        }
        Ok(answer(StatusCode::OK, &json!({ "connections": self.sockets.io().clients_count() })))
    }
}

async fn body(request: Request<Incoming>, max: usize) -> Result<Bytes, ApiError> {
    let collected = Limited::new(request.into_body(), max).collect().await;
    let error = |error: Box<dyn Error + Send + Sync>| match error.is::<LengthLimitError>() {
        true => ApiError::TooLarge(max),
        false => ApiError::Body,
    };
    Ok(collected.map_err(error)?.to_bytes())
}

/// The error table of the API.
pub(crate) fn refuse(error: &ApiError) -> Response<Full<Bytes>> {
    let (status, code, field, message) = match error {
        ApiError::Method(method) => {
            (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", None, format!("use {method}"))
        }
        ApiError::Unauthorized => {
            let message = "say `Authorization: Bearer KEY` or `X-API-Key: KEY`, with a key of api.keys";
            (StatusCode::UNAUTHORIZED, "unauthorized", None, message.into())
        }
        ApiError::Forbidden => (StatusCode::FORBIDDEN, "forbidden", None, "the key is not good for this".into()),
        ApiError::Body => (StatusCode::BAD_REQUEST, "bad_request", None, "the body did not arrive whole".into()),
        ApiError::TooLarge(max) => {
            (StatusCode::PAYLOAD_TOO_LARGE, "too_large", None, format!("a body has {max} bytes at most"))
        }
        ApiError::Op(OpError::Syntax(error)) => (StatusCode::BAD_REQUEST, "malformed_json", None, error.to_string()),
        ApiError::Op(error @ OpError::Reserved(_)) => {
            (StatusCode::BAD_REQUEST, "reserved_event", Some("event"), error.to_string())
        }
        ApiError::Op(error @ OpError::Field { field, .. }) => {
            let field = Some(&**field).filter(|field| !field.is_empty());
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid_argument", field, error.to_string())
        }
        ApiError::Draft(DraftError::NoSecret) => {
            (StatusCode::CONFLICT, "no_secret", None, DraftError::NoSecret.to_string())
        }
        ApiError::Draft(error) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid_argument", error.field(), error.to_string())
        }
        ApiError::Perform(error) => {
            let (status, code, field) = of_op(error);
            (status, code, Some(field), error.to_string())
        }
    };
    let mut body = json!({ "code": code, "message": message });
    if let Some(field) = field {
        body["field"] = field.into();
    }
    let mut answer = answer(status, &json!({ "error": body }));
    match error {
        ApiError::Method(method) => {
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(method));
        }
        ApiError::Unauthorized => {
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ => {}
    }
    answer
}

/// What keeps an op from being carried out: status, code and field.
fn of_op(error: &PerformError) -> (StatusCode, &'static str, &'static str) {
    match error {
        PerformError::UnknownNamespace => (StatusCode::NOT_FOUND, "unknown_namespace", "namespace"),
        PerformError::UnknownSocket | PerformError::Member(MemberError::Gone) => {
            (StatusCode::NOT_FOUND, "unknown_socket", "sid")
        }
        PerformError::Emit(EmitError::ReservedEvent) => (StatusCode::BAD_REQUEST, "reserved_event", "event"),
        PerformError::Emit(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_argument", "args"),
        PerformError::Member(MemberError::Session) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_argument", "set"),
        PerformError::Member(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_argument", "user"),
    }
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(format!("{body}\n")));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
