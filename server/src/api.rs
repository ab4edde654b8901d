//! What it is: the HTTP API: programs in any language emit to clients.
//! What it is not: authenticated; in the playground only this machine reaches it (`guard`).
//! Who calls it: `front`.

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

/// Largest body of a request, in bytes.
const MAX_BODY: usize = 1 << 20;

/// What can be wrong with a request: status, code, and for the last ones the field.
#[derive(Debug)]
enum ApiError {
    Method,
    Body,
    TooLarge,
    Json(serde_json::Error),
    Field(serde_json::Error),
    Argument { field: &'static str, message: &'static str },
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

/// `POST /api/v1/emit`.
pub(crate) async fn emit(io: &SocketIo, request: Request<Incoming>) -> Response<Full<Bytes>> {
    match try_emit(io, request).await {
        Ok(sockets) => answer(StatusCode::OK, &json!({ "sockets": sockets })),
        Err(error) => refuse(&error),
    }
}

async fn try_emit(io: &SocketIo, request: Request<Incoming>) -> Result<usize, ApiError> {
    if request.method() != Method::POST {
        return Err(ApiError::Method);
    }
    let body = Limited::new(request.into_body(), MAX_BODY)
        .collect()
        .await
        .map_err(|error| if error.is::<LengthLimitError>() { ApiError::TooLarge } else { ApiError::Body })?;
    let body = body.to_bytes();
    let emit: Emit<'_> = serde_json::from_slice(&body)
        .map_err(|error| if error.is_data() { ApiError::Field(error) } else { ApiError::Json(error) })?;
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
fn refuse(error: &ApiError) -> Response<Full<Bytes>> {
    let (status, code, field, message) = match error {
        ApiError::Method => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", None, "use POST".into()),
        ApiError::Body => (StatusCode::BAD_REQUEST, "bad_request", None, "the body did not arrive whole".into()),
        ApiError::TooLarge => {
            (StatusCode::PAYLOAD_TOO_LARGE, "too_large", None, format!("a body has {MAX_BODY} bytes at most"))
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
    let mut error = json!({ "code": code, "message": message });
    if let Some(field) = field {
        error["field"] = field.into();
    }
    let mut answer = answer(status, &json!({ "error": error }));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    answer
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(format!("{body}\n")));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
