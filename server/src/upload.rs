//! What it is: the body of a request on its way to the application, and when something of it last went by.
//! What it is not: kept: it is read no faster than the application takes it.
//! Who calls it: `upstream` makes one of each request and watches it; the HTTP client reads it.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep_until, timeout},
};

use crate::proxies;

/// What is read of a body that the application does not want: a client that is still sending would otherwise lose its
/// connection, and with it the answer that says why.
const MAX_DISCARDED: usize = 1 << 20;

/// Time that a client has to send it.
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// The body of a request.
#[derive(Debug)]
pub(crate) struct Upload {
    /// `None` when there is none.
    body: Option<Incoming>,
    pulse: Pulse,
}

/// When something of a request last went by. Clones are the same. The lock is taken for each part of a body.
#[derive(Debug, Clone)]
pub(crate) struct Pulse(Arc<Mutex<Instant>>);

impl Upload {
    pub(crate) fn new(body: Incoming, pulse: Pulse) -> Self {
        Self { body: Some(body).filter(|body| !body.is_end_stream()), pulse }
    }

    /// The same request once more, which has no body.
    pub(crate) fn empty(pulse: Pulse) -> Self {
        Self { body: None, pulse }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        self.pulse.beat();
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame.map(|frame| frame.map(without_lies)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

/// Some applications take trailers for headers.
fn without_lies(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            proxies::strike(&mut trailers, false);
            Frame::trailers(trailers)
        }
        Err(data) => data,
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let rest = self.body.take().filter(|body| !body.is_end_stream());
        // At the end of the process nobody reads any more.
        if let (Some(rest), Ok(runtime)) = (rest, Handle::try_current()) {
            runtime.spawn(timeout(DISCARD_TIME, discard(rest)));
        }
    }
}

async fn discard(mut body: Incoming) {
    let mut left = MAX_DISCARDED;
    while let Some(Ok(frame)) = body.frame().await {
        match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn beat(&self) {
        *self.0.lock().expect("not poisoned: nobody panics while it is held") = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().expect("not poisoned: nobody panics while it is held")
    }

    /// Waits until nothing has gone by for this long.
    pub(crate) async fn stops(&self, patience: Duration) {
        loop {
            let last = self.last();
            sleep_until(last + patience).await;
            if self.last() == last {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_stops_when_nothing_of_it_went_by_for_long() {
        let (pulse, start) = (Pulse::new(), Instant::now());
        let beating = pulse.clone();
        tokio::spawn(async move {
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_secs(4)).await;
                beating.beat();
            }
        });
        pulse.stops(Duration::from_secs(5)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(17));
    }
}
