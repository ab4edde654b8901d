//! What it is: the server as a tower service, and as a layer in front of an application's own service.
//! What it is not: needed for plain hyper, whose service `SocketIo` is anyway.
//! Who calls it: axum, and others that stack tower services.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use engineio::Answer;
use http_body_util::Either;
use hyper::{
    Request, Response,
    body::{Body, Bytes},
};
use tower_layer::Layer;
use tower_service::Service;

use crate::server::SocketIo;

/// Answers every request; one that does not belong to Socket.IO with 404.
impl<B> Service<Request<B>> for SocketIo
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
{
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        hyper::service::Service::call(self, request)
    }
}

/// Puts the server in front of another service: requests to its path come here, all others go there.
///
/// ```
/// use axum::{Router, routing::get};
/// use socketio::{Config, Namespace, SocketIo};
///
/// let io = SocketIo::new(Config::default(), [Namespace::new("/")]);
/// let router: Router = Router::new().route("/", get(|| async { "hello" })).layer(io.clone());
/// ```
impl<S> Layer<S> for SocketIo {
    type Service = Layered<S>;

    fn layer(&self, inner: S) -> Layered<S> {
        Layered { io: self.clone(), inner }
    }
}

/// A service with Socket.IO in front of it, made by [`SocketIo`] as a layer. The bodies of its answers are of either
/// side, so frameworks take them as they are.
#[derive(Debug, Clone)]
pub struct Layered<S> {
    io: SocketIo,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Layered<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    R: Body<Data = Bytes>,
{
    type Response = Response<Either<Answered, R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.io.matches(request.uri().path()) {
            let answer = self.io.answer(request);
            Box::pin(async move { Ok(answer.await.map(Either::Left)) })
        } else {
            let answer = self.inner.call(request);
            Box::pin(async move { Ok(answer.await?.map(Either::Right)) })
        }
    }
}

/// The body of an [`Answer`].
pub type Answered = http_body_util::Full<Bytes>;
