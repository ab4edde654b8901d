//! What it is: what is done with each message of Redis, in the order in which they come.
//! What it is not: the connection (`listener`), nor the forms of messages (`pubsub`, `node`).
//! Who calls it: `listener`, with one message after the other.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use socketio::ClusterError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::debug;

use super::{
    channels::{Channels, Source},
    complaints::Complaints,
    node::{self, Asked, NodeError, Request},
    publisher::Publisher,
    reply,
};
use crate::{
    ask::Questions,
    emitted::Source as From,
    member,
    metrics::Metrics,
    op::{Action, Op},
    perform::PerformError,
    pubsub::Message,
    sockets::{Audience, Sockets},
};

/// How long answers of clients are waited for, if nothing else is said, and at most.
const ANSWER: Duration = Duration::from_secs(60);
const LONGEST_ANSWER: Duration = Duration::from_secs(600);

/// Questions of others that may wait for answers of clients, and requests that may be answered at a time.
const MAX_QUESTIONS: usize = 10_000;
const MAX_REQUESTS: usize = 16;

/// Handles messages.
pub(crate) struct Inbox {
    sockets: Arc<Sockets>,
    metrics: Arc<Metrics>,
    publisher: Publisher,
    complaints: Complaints,
    /// Largest message, in bytes.
    max_message: usize,
    /// The path of clients' requests.
    path: Arc<str>,
    questions: Arc<Semaphore>,
    requests: Arc<Semaphore>,
}

impl Inbox {
    pub(crate) fn new(
        sockets: Arc<Sockets>,
        publisher: Publisher,
        complaints: Complaints,
        max_message: usize,
        path: &str,
    ) -> Self {
        let metrics = sockets.metrics.clone();
        let (questions, requests) = (Arc::new(Semaphore::new(MAX_QUESTIONS)), Arc::new(Semaphore::new(MAX_REQUESTS)));
        Self { sockets, metrics, publisher, complaints, max_message, path: path.into(), questions, requests }
    }

    /// Does what a message wants. It waits for nothing: what takes time goes on beside it.
    pub(crate) fn handle(&self, channels: &Channels, channel: &str, by_pattern: bool, message: &[u8]) {
        let Some(source) = channels.source(channel, by_pattern) else { return };
        if message.len() > self.max_message {
            self.complaints.note("too_large", channel, format_args!("{} bytes", message.len()));
            return;
        }
        match source {
            Source::Python => self.python(channel, message),
            Source::NodeEvents(beginning) => {
                let place = &channel[beginning.len()..];
                let is_in = |namespace: &str| place.strip_prefix(namespace).is_some_and(|rest| rest.starts_with('#'));
                match node::emitted(&Bytes::copy_from_slice(message), is_in) {
                    Ok(None) => self.metrics.redis_message("none"),
                    Ok(Some(op)) => self.perform(channel, &op, From::Node),
                    Err(error) => self.refuse(channel, error),
                }
            }
            Source::NodeRequests(namespace) => match node::request(&Bytes::copy_from_slice(message), namespace) {
                Ok(request) => self.answer(channel, namespace, &channels.answers(namespace), request),
                Err(error) => self.refuse(channel, error),
            },
            Source::Cluster => self.of_cluster(channel, message),
        }
    }

    /// It is listened to: whoever was not heard meanwhile may say so again.
    pub(crate) fn greet(&self) {
        self.sockets.io().greet_cluster();
    }

    fn of_cluster(&self, channel: &str, message: &[u8]) {
        self.metrics.redis_message("cluster");
        if let Err(error) = self.sockets.io().receive(Bytes::copy_from_slice(message)) {
            let reason = if error == ClusterError::Version { "other_version" } else { "malformed" };
            self.complaints.note(reason, channel, error);
        }
    }

    fn python(&self, channel: &str, message: &[u8]) {
        match Message::read(message) {
            Ok(Message::Do(op)) => self.perform(channel, &op, From::Python),
            Ok(Message::Ask(op, callback)) => {
                let Some((questions, permit)) = self.ask(channel, &op, ANSWER, From::Python) else { return };
                let (publisher, complaints, channel) =
                    (self.publisher.clone(), self.complaints.clone(), channel.to_owned());
                tokio::spawn(async move {
                    let (mut questions, _permit) = (questions, permit);
                    while let Some((_, answer)) = questions.next().await {
                        // Who does not answer is never told of.
                        let Ok(answer) = answer else { continue };
                        match callback.message(&answer) {
                            Some(message) => publisher.publish(&channel, message.into_bytes()),
                            None => complaints.note("unpublished", &channel, "the answer of a client has binary in it"),
                        }
                    }
                });
            }
            Ok(Message::Nothing) => self.metrics.redis_message("none"),
            Err(error) => self.complaints.note(error.reason(), channel, error),
        }
    }

    fn refuse(&self, channel: &str, error: NodeError) {
        match error {
            NodeError::Malformed => self.complaints.note("malformed", channel, "it has not the form of an adapter's"),
            NodeError::UnknownRequest => self.complaints.note("unknown_request", channel, "its type is not known"),
            // Rooms may be named so that a channel seems to be that of another namespace.
            NodeError::OtherNamespace => self.metrics.redis_message("none"),
        }
    }

    fn perform(&self, channel: &str, op: &Op, source: From) {
        self.metrics.redis_message(match op.action {
            Action::Emit(_) => "emit",
            Action::Join { .. } => "join",
            Action::Leave { .. } => "leave",
            Action::CloseRoom { .. } => "close_room",
            Action::Disconnect { .. } => "disconnect",
            Action::Session { .. } | Action::User { .. } => "none",
        });
        if let Err(error) = self.sockets.perform(op, source) {
            self.complain(channel, &error);
        }
    }

    fn complain(&self, channel: &str, error: &PerformError) {
        let reason = match error {
            PerformError::UnknownNamespace => "unknown_namespace",
            _ => "refused",
        };
        self.complaints.note(reason, channel, error);
    }

    /// Asks clients by an emit.
    fn ask(
        &self,
        channel: &str,
        op: &Op,
        timeout: Duration,
        source: From,
    ) -> Option<(Questions, OwnedSemaphorePermit)> {
        self.metrics.redis_message("ask");
        let Action::Emit(emit) = &op.action else { return None };
        let Ok(permit) = self.questions.clone().try_acquire_owned() else {
            self.complaints.note("busy", channel, "too many questions wait for answers of clients");
            return None;
        };
        match self.sockets.ask(&op.namespace, emit, timeout, source) {
            Ok(questions) => Some((questions, permit)),
            Err(error) => {
                self.complain(channel, &error);
                None
            }
        }
    }

    /// Answers a request of a server in Node.
    fn answer(&self, channel: &str, namespace: &str, answers: &str, Request { id, asked }: Request) {
        let everybody = || self.sockets.of(namespace).ok().flatten();
        match asked {
            Asked::Do(op) => self.perform(channel, &op, From::Node),
            Asked::DoFor(sid, op) => {
                let is_here = self.sockets.get(&sid).is_some_and(|socket| socket.namespace_name() == namespace);
                self.perform(channel, &op, From::Node);
                if is_here {
                    self.publisher.publish(answers, reply::done(&id));
                }
            }
            Asked::Ids(target) => {
                self.metrics.redis_message("sockets");
                let sockets = self.sockets.select(namespace, &target, &Audience::default()).unwrap_or_default();
                let ids: Vec<_> = sockets.iter().map(socketio::Socket::id).collect();
                self.publisher.publish(answers, reply::ids(&id, ids.iter().map(|id| id.as_str())));
            }
            Asked::AllRooms => {
                self.metrics.redis_message("rooms");
                let (rooms, ids) = everybody().map(|all| (all.rooms(), all.ids())).unwrap_or_default();
                let rooms = rooms.iter().map(|(room, _)| room.as_str()).filter(|room| !member::is_of_user(room));
                let rooms = rooms.chain(ids.iter().map(|id| id.as_str()));
                self.publisher.publish(answers, reply::rooms(&id, rooms));
            }
            Asked::Sockets(to, except) => {
                self.metrics.redis_message("fetch");
                let Ok(permit) = self.requests.clone().try_acquire_owned() else {
                    self.complaints.note("busy", channel, "too many requests at a time");
                    return;
                };
                let sockets = self.sockets.select(namespace, &to, &except).unwrap_or_default();
                let (publisher, answers, path) = (self.publisher.clone(), answers.to_owned(), self.path.clone());
                tokio::spawn(async move {
                    let _permit = permit;
                    publisher.publish(&answers, reply::sockets(&id, &sockets, &path).await);
                });
            }
            Asked::Emit(op, timeout) => {
                let timeout = timeout.map_or(ANSWER, |timeout| timeout.min(LONGEST_ANSWER));
                let Some((questions, permit)) = self.ask(channel, &op, timeout, From::Node) else { return };
                self.publisher.publish(answers, reply::client_count(&id, questions.len()));
                let (publisher, answers) = (self.publisher.clone(), answers.to_owned());
                tokio::spawn(async move {
                    let (mut questions, _permit) = (questions, permit);
                    while let Some((_, answer)) = questions.next().await {
                        let Ok(answer) = answer else { continue };
                        publisher.publish(&answers, reply::ack(&id, &answer));
                    }
                });
            }
            Asked::ServerSideEmit => {
                self.metrics.redis_message("server_side_emit");
                debug!(channel, "a message to servers, which this one does not know");
            }
        }
    }
}
