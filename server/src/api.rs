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
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use socketio::{Args, EmitError, SocketIo};

use crate::{keyring::Grant, metrics::Metrics};

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
    Json(serde_json::Error),
    Field(serde_json::Error),
    Argument {
        field: &'static str,
        message: &'static str,
    },
    UnknownNamespace,
}

/// The body of an emit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Emit<'a> {
    #[serde(default = "root")]
    namespace: String,
    room: Option<String>,
    event: String,
    /// The arguments as a list.
    #[serde(borrow)]
    args: Option<&'a RawValue>,
    /// Instead of `args`: the only argument.
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

fn root() -> String {
    "/".into()
}

/// What the API works on.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) io: SocketIo,
    pub(crate) metrics: Arc<Metrics>,
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
        let sockets = emit(&self.io, &body(request, self.max_body).await?, grant)?;
        self.metrics.emitted("api", sockets);
        Ok(answer(StatusCode::OK, &json!({ "sockets": sockets })))
    }

    /// `GET /api/v1/stats`.
    pub(crate) fn stats(&self, request: &Request<Incoming>) -> Answered {
        if request.method() != Method::GET {
            return Err(ApiError::Method("GET"));
        }
        Ok(answer(StatusCode::OK, &json!({ "connections": self.io.clients_count() })))
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

fn emit(io: &SocketIo, body: &[u8], grant: &Grant) -> Result<usize, ApiError> {
    let emit: Emit<'_> = serde_json::from_slice(body)
        .map_err(|error| if error.is_data() { ApiError::Field(error) } else { ApiError::Json(error) })?;
    if !grant.is_for(&emit.namespace) {
        return Err(ApiError::Forbidden);
    }
    let args = match (emit.args, emit.data) {
        (Some(_), Some(_)) => return Err(ApiError::Argument { field: "data", message: "either `args` or `data`" }),
        (Some(args), None) => Args::from_json(args.get()),
        (None, Some(data)) => Args::from_json(&format!("[{}]", data.get())),
        (None, None) => Ok(Args::default()),
    };
    let args = args.map_err(|_| ApiError::Argument {
        field: "args",
        message: "a list of at most 1024 arguments, nested 128 deep at most",
    })?;
    let everybody = io.of(&emit.namespace).ok_or(ApiError::UnknownNamespace)?;
    let target = match emit.room {
        Some(room) => everybody.to(room),
        None => everybody,
    };
    target.emit(&emit.event, &args).map_err(|error| match error {
        EmitError::ReservedEvent => ApiError::Argument { field: "event", message: "the name is reserved for clients" },
        _ => ApiError::Argument { field: "args", message: "the arguments cannot be encoded" },
    })
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
        ApiError::Json(error) => (StatusCode::BAD_REQUEST, "malformed_json", None, error.to_string()),
        ApiError::Field(error) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_argument", None, error.to_string()),
        ApiError::Argument { field: field @ "event", message } => {
            (StatusCode::BAD_REQUEST, "reserved_event", Some(*field), (*message).into())
        }
        ApiError::Argument { field, message } => {
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid_argument", Some(*field), (*message).into())
        }
        ApiError::UnknownNamespace => {
            (StatusCode::NOT_FOUND, "unknown_namespace", Some("namespace"), "there is no such namespace".into())
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

fn answer(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(format!("{body}\n")));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
