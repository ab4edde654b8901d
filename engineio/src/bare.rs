//! What it is: a WebSocket without a session: the carrier on its own, whose messages are whatever the client sends.
//! What it is not: part of Engine.IO. It is for tools beside it, such as the Autobahn suite.
//! Who calls it: applications, with a request that asks for a WebSocket.

use std::{fmt, io, sync::Arc};

use hyper::Request;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use crate::{
    answer::{self, Answer},
    config::Config,
    frame::Frame,
    handover,
    packet::Message,
    reason::{CloseReason, TransportFault},
    refusal::Context,
    socket::Opening,
    websocket::{self, Io, Received},
};

/// A WebSocket that carries plain messages.
pub struct BareWebSocket {
    config: Config,
    opening: Opening,
}

impl BareWebSocket {
    /// The answer to a request, and a WebSocket if it asked for one and the answer is a 101. Of the options those
    /// of WebSockets count: `max_payload`, `max_fragments`, `message_timeout`, `max_pings_per_second` and
    /// `per_message_deflate`, of which `max_contexts` says only whether this one keeps its context: none or some.
    pub fn accept<B>(request: Request<B>, config: Config) -> (Answer, Option<Self>) {
        Self::open(request, config).unwrap_or_else(|context| (answer::refuse(&context.into()), None))
    }

    fn open<B>(request: Request<B>, config: Config) -> Result<(Answer, Option<Self>), Context> {
        let (mut parts, _) = request.into_parts();
        if !websocket::is_upgrade(&parts.headers) {
            return Err(Context::TransportHandshake);
        }
        let contexts = config.per_message_deflate.as_ref().map_or(0, |options| options.max_contexts.min(1));
        let compression = websocket::agree(&parts.headers, &config, &Arc::new(Semaphore::new(contexts)));
        let answer = answer::switch(&parts.headers, compression.as_ref().map(|agreed| &agreed.agreed))?;
        let opening = handover::opening(&mut parts, compression)?;
        let accepted = answer.status() == hyper::StatusCode::SWITCHING_PROTOCOLS;
        Ok((answer, accepted.then_some(Self { config, opening })))
    }

    /// Gives each message to `answer`, and sends what that gives back, until the client closes the WebSocket.
    ///
    /// # Errors
    /// What the client did wrong, or what broke.
    pub async fn run(self, mut answer: impl FnMut(Message) -> Option<Message>) -> Result<(), TransportFault> {
        let broken = |error: io::Error| TransportFault::Io(error.kind());
        let upgraded = self.opening.await.map_err(broken)?;
        let mut io = Io::new(upgraded, &self.config, Instant::now());
        let fault = loop {
            let mut answers = Vec::new();
            let deadline = io.deadline(false);
            let read = std::future::poll_fn(|cx| {
                io.poll_read(cx, |_, message| {
                    answers.extend(answer(message));
                    true
                })
            });
            let received = match deadline {
                Some(deadline) => timeout_at(deadline, read).await,
                None => Ok(read.await),
            };
            let received = received.map(|(_, received)| received);
            io.queue.extend(answers.iter().map(Frame::websocket_message));
            match received {
                Ok(Received::Messages) => std::future::poll_fn(|cx| io.poll_write(cx)).await.map_err(broken)?,
                Ok(Received::Lost(fault)) => break fault,
                Ok(Received::Gone(fault)) => return fault.map_or(Ok(()), Err),
                Err(_) => break Some(TransportFault::MessageTimeout),
            }
        };
        io.close(fault.and_then(|fault| CloseReason::TransportError(fault).close_code()));
        io.finish(()).await;
        fault.map_or(Ok(()), Err)
    }
}

impl fmt::Debug for BareWebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BareWebSocket").field("config", &self.config).finish_non_exhaustive()
    }
}
