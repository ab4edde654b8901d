//! What it is: a request to other servers of a cluster, from the asking until all have answered, or the time is over.
//! What it is not: the table in which answers are looked up when they come (`requests`), nor what they say.
//! Who calls it: handles, that ask others; `answer` and `replies` wait.

use std::{
    future,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use crate::{
    cluster::ServerId,
    cluster_message::Body,
    requests::{Heard, Missing},
    servers::Servers,
    timer::Timer,
};

/// What other servers were asked. Dropped, nobody waits for them any more, and they are told so.
pub(crate) struct Request {
    servers: Arc<Servers>,
    number: u64,
    timer: Timer,
}

impl Request {
    /// Asks these, or all who are there, with what `body` makes of the number of the request. All may answer until
    /// `timeout`.
    pub(crate) fn new<'a>(
        servers: &Arc<Servers>,
        to: Option<&[ServerId]>,
        timeout: Option<Duration>,
        body: impl FnOnce(u64) -> Body,
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let timer = Timer::new(timeout);
        let number = servers.ask(to, body, parts);
        Self { servers: servers.clone(), number, timer }
    }

    /// The next answer that comes; `None` when none will: all have answered or gone, or the time is over.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Heard>> {
        match self.servers.requests.poll_next(self.number, cx.waker()) {
            Poll::Pending if self.timer.is_over(cx) => Poll::Ready(None),
            polled => polled,
        }
    }

    /// The same, to be awaited.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Who gave no answer, in order.
    pub(crate) fn missing(&self) -> Missing {
        self.servers.requests.missing(self.number)
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if self.servers.requests.end(self.number) {
            self.servers.tell(&Body::Forget(self.number), []);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    use tokio::time::Instant;

    use crate::{cluster::ClusterTimes, servers::Noted};

    #[tokio::test(start_paused = true)]
    async fn nobody_is_waited_for_longer_than_was_asked_for() {
        let (servers, other) = (Arc::new(Servers::default()), ServerId::draw());
        assert!(servers.join(Box::new(|_| {}), ClusterTimes::default(), HashMap::new()));
        assert_eq!(servers.note(&other, Instant::now().into_std()), Some(Noted::New));
        let (start, time) = (Instant::now(), Duration::from_secs(3));
        let mut request = Request::new(&servers, None, Some(time), |number| Body::Call(Some(number)), []);
        assert!(request.next().await.is_none());
        assert_eq!((start.elapsed(), request.missing().late), (time, vec![other]));
    }
}
