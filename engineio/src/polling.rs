//! What it is: long-polling as a carrier: a GET parks until frames wait, a POST brings packets.
//! What it is not: routing; `service` found the session and checked the request.
//! Who calls it: `service`, once per request on a polling session.

use std::{
    borrow::Borrow,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use hyper::{HeaderMap, body::Body, header};
use tokio::time::Instant;

use crate::{
    config::Config,
    frame::Frame,
    jsonp,
    packet::{DecodeError, Message},
    payload::{self, Form},
    protocol::{Revision, Transport},
    reason::{CloseReason, HandshakeError, TransportFault},
    session::Session,
    socket::Socket,
};

/// Bytes set aside for a body before they have come.
const MAX_CAPACITY: usize = 64 * 1024;

/// Bytes, and time, for which a refused body is read on, and how long it may pause.
const MAX_DISCARDED: usize = 64 << 20;
const DISCARD_TIME: Duration = Duration::from_secs(30);
const DISCARD_PAUSE: Duration = Duration::from_secs(1);

/// Why a POST was not answered with `ok`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PostError {
    /// The request does not fit the session, or its body is no payload.
    Refused(HandshakeError),
    /// The body is larger than `max_payload`. The session lives on.
    TooLarge,
    /// The body did not come within `body_timeout`.
    Late,
    /// The body is compressed.
    Encoded,
}

/// What a GET is answered.
#[derive(Debug)]
pub(crate) struct Polled {
    /// Text, or for revision 3 perhaps bytes.
    pub(crate) body: Message,
    /// Whether it may be compressed.
    pub(crate) compress: bool,
}

/// A GET that the session took. Dropped before it is answered, as hyper does when the client goes away, it ends the
/// session.
pub(crate) struct Get(Guard<Socket>);

/// Hands a GET to the session.
///
/// # Errors
/// When the session does not take it.
pub(crate) fn get(socket: &Socket) -> Result<Get, HandshakeError> {
    socket.update(|inner| inner.session.handle_get())?;
    Ok(Get(Guard { socket: socket.clone(), fault: Some(TransportFault::PollAborted) }))
}

impl Get {
    /// Waits for frames; returns the answer that they make.
    pub(crate) async fn answered(mut self) -> Polled {
        let socket = &self.0.socket;
        let frames = std::future::poll_fn(|cx| {
            socket.update(|inner| match inner.session.poll_get() {
                Some(frames) => Poll::Ready(frames),
                None => {
                    inner.park_get(cx);
                    Poll::Pending
                }
            })
        })
        .await;
        self.0.fault = None;
        let socket = &self.0.socket;
        socket.notify_written();
        Polled { body: payload::encode(&frames, socket.encoding()), compress: frames.iter().any(Frame::compress) }
    }
}

/// Takes a body, reads it, and hands its packets to the session.
///
/// # Errors
/// [`PostError`]; what was decoded before an error has been handed over.
pub(crate) async fn post<B>(
    socket: &Socket,
    headers: &HeaderMap,
    body: &mut Option<B>,
    jsonp: bool,
    config: &Config,
) -> Result<(), PostError>
where
    B: Body + Unpin,
{
    socket.update(|inner| inner.session.handle_post()).map_err(PostError::Refused)?;
    let mut guard = Guard { socket, fault: Some(TransportFault::PostAborted) };
    let binary = headers.get(header::CONTENT_TYPE).is_some_and(|value| value == "application/octet-stream");
    let form = match (socket.encoding().revision, binary) {
        (Revision::V3, true) => Form::Binary,
        (Revision::V3, false) => Form::Counted,
        (Revision::V4, false) => Form::Separated,
        // engine.io-protocol v4 has no binary payloads.
        (Revision::V4, true) => {
            guard.fault = Some(TransportFault::ContentType);
            return Err(PostError::Refused(HandshakeError::BadRequest));
        }
    };
    if headers.contains_key(header::CONTENT_ENCODING) {
        guard.fault = Some(TransportFault::ContentEncoding);
        return Err(PostError::Encoded);
    }
    let read = match take(socket, body, config).await {
        Ok(body) => Ok(body),
        Err(BodyError::TooLarge) => Err(PostError::TooLarge),
        Err(BodyError::Late) => {
            guard.fault = Some(TransportFault::PostTimeout);
            return Err(PostError::Late);
        }
        // The guard ends the session; one that had ended before does not mind.
        Err(BodyError::Aborted) => return Err(PostError::Refused(HandshakeError::BadRequest)),
    };
    guard.fault = None;
    let now = Instant::now().into_std();
    socket.update(|inner| {
        let session = &mut inner.session;
        let decoded = read.map(|body| {
            let body = if jsonp { jsonp::unwrap(&body).ok_or(DecodeError::Empty)? } else { body };
            let mut packets = payload::decode(body, form)?;
            packets.try_for_each(|packet| {
                if let Some(event) = session.handle_packet(now, Transport::Polling, packet?) {
                    session.handle_polled(event);
                }
                Ok(())
            })
        });
        session.handle_posted();
        match decoded {
            Err(error) => Err(error),
            Ok(Ok(())) if broke_the_rules(session.closed()) => Err(PostError::Refused(HandshakeError::BadRequest)),
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                session.handle_error(Transport::Polling, error);
                Err(PostError::Refused(HandshakeError::BadRequest))
            }
        }
    })
}

/// A session that this very body ended: `1` does so in peace, a ping does not.
fn broke_the_rules(closed: Option<CloseReason>) -> bool {
    matches!(closed, Some(CloseReason::TransportError(_)))
}

enum BodyError {
    TooLarge,
    Late,
    /// The connection or the session ended before the body did.
    Aborted,
}

/// Takes a body, first waiting until the driver has room for more messages, which is not the client's time. One that is
/// not read to its end stays where it is.
async fn take<B>(socket: &Socket, body: &mut Option<B>, config: &Config) -> Result<Bytes, BodyError>
where
    B: Body + Unpin,
{
    let Some(reading) = body else { return Ok(Bytes::new()) };
    if reading.size_hint().lower() > config.max_payload as u64 {
        return Err(BodyError::TooLarge);
    }
    std::future::poll_fn(|cx| match check_or_park(socket, cx, Session::inbox_has_room) {
        Ok(false) => Poll::Pending,
        Ok(true) => Poll::Ready(Ok(())),
        Err(error) => Poll::Ready(Err(error)),
    })
    .await?;
    let collected = tokio::time::timeout(config.body_timeout, collect(socket, reading, config.max_payload)).await;
    let collected = collected.unwrap_or(Err(BodyError::Late))?;
    *body = None;
    Ok(collected)
}

/// Collects a body of at most `limit` bytes.
async fn collect<B>(socket: &Socket, body: &mut B, limit: usize) -> Result<Bytes, BodyError>
where
    B: Body + Unpin,
{
    // One copy: chunks may be as small as a byte, and a list of them would cost more than they do.
    let mut collected = Vec::with_capacity(MAX_CAPACITY.min(body.size_hint().lower() as usize));
    loop {
        let next = std::future::poll_fn(|cx| {
            let frame = Pin::new(&mut *body).poll_frame(cx);
            if frame.is_pending() {
                // The session may end before the body does.
                check_or_park(socket, cx, |_| false)?;
            }
            frame.map(Ok)
        });
        let Some(frame) = next.await? else { return Ok(collected.into()) };
        let Ok(mut data) = frame.map_err(|_| BodyError::Aborted)?.into_data() else { continue };
        if collected.len() + data.remaining() > limit {
            return Err(BodyError::TooLarge);
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            collected.extend_from_slice(chunk);
            let length = chunk.len();
            data.advance(length);
        }
    }
}

/// Reads the rest of a body that was refused, within bounds: a client that is still sending would otherwise lose its
/// connection, and with it the answer that says why.
pub(crate) async fn discard<B: Body + Unpin>(mut body: B) {
    let rest = async {
        let mut left = MAX_DISCARDED;
        loop {
            let next = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
            let Ok(Some(Ok(frame))) = tokio::time::timeout(DISCARD_PAUSE, next).await else { return };
            match left.checked_sub(frame.data_ref().map_or(0, Buf::remaining)) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // What takes longer is dropped, which ends the connection.
    let _late = tokio::time::timeout(DISCARD_TIME, rest).await;
}

/// Whether the session is ready for this POST, which is else woken by what changes the session; an error once it has
/// ended.
fn check_or_park(
    socket: &Socket,
    cx: &Context<'_>,
    is_ready: impl FnOnce(&Session) -> bool,
) -> Result<bool, BodyError> {
    let mut inner = socket.lock();
    if inner.session.closed().is_some() {
        return Err(BodyError::Aborted);
    }
    let is_ready = is_ready(&inner.session);
    if !is_ready {
        inner.park_post(cx);
    }
    Ok(is_ready)
}

/// Tells the session when a request ends before it was answered.
struct Guard<S: Borrow<Socket>> {
    socket: S,
    fault: Option<TransportFault>,
}

impl<S: Borrow<Socket>> Drop for Guard<S> {
    fn drop(&mut self) {
        if let Some(fault) = self.fault {
            self.socket.borrow().update(|inner| inner.session.handle_lost(Transport::Polling, Some(fault)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, iter, sync::mpsc};

    use hyper::body::Frame;

    use super::*;
    use crate::{
        driver::Driver,
        engine::{Arrival, Engine},
        event::Event,
        handshake::Handshake,
        id::Sid,
        protocol::Encoding,
    };

    /// A session that polls and whose driver does nothing.
    fn session() -> (Socket, Driver) {
        let (opened, sessions) = mpsc::channel();
        let engine = Engine::new(Config::default(), move |socket, driver| {
            opened.send((socket, driver)).expect("the test listens");
        });
        let handshake = Handshake::new("", Transport::Polling, None, iter::empty());
        let admitted = engine.admit(None).expect("there is no bound");
        engine.open(Arrival { sid: Sid::draw(), encoding: Encoding::V4, handshake, admitted, opening: None });
        sessions.recv().expect("a session")
    }

    /// A body that comes at once, or never.
    struct Given(Option<&'static [u8]>);

    impl Body for Given {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match &mut self.get_mut().0 {
                Some([]) => Poll::Ready(None),
                Some(data) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(std::mem::take(data)))))),
                None => Poll::Pending,
            }
        }
    }

    /// What a POST with this body comes to, and when, if there is room for its messages after twice `body_timeout`.
    async fn posted(body: Given) -> (Result<(), PostError>, Duration) {
        let (socket, _driver) = session();
        let config = Config::default();
        socket.update(|inner| {
            while inner.session.inbox_has_room() {
                inner.session.handle_polled(Event::Message(Message::Text("a".into())));
            }
        });
        let before = Instant::now();
        let clears = async {
            tokio::time::sleep(2 * config.body_timeout).await;
            socket.update(|inner| inner.session.poll_inbox());
        };
        let (headers, mut body) = (HeaderMap::new(), Some(body));
        let (posted, ()) = tokio::join!(post(&socket, &headers, &mut body, false, &config), clears);
        (posted, before.elapsed())
    }

    /// The wait is the application's doing.
    #[tokio::test(start_paused = true)]
    async fn c21_the_time_for_a_body_begins_once_there_is_room_for_it() {
        let timeout = Config::default().body_timeout;
        assert_eq!(posted(Given(Some(b"4b"))).await, (Ok(()), 2 * timeout));
        assert_eq!(posted(Given(None)).await, (Err(PostError::Late), 3 * timeout));
    }
}
