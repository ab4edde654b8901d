//! What it is: the connection on which messages come, opened again whenever it is lost.
//! What it is not: the meaning of messages (`inbox`).
//! Who calls it: `redis` starts it.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt;
use redis::aio::{PubSub, PubSubSink, PubSubStream};
use tokio::{
    task::{unconstrained, yield_now},
    time::{sleep, timeout},
};
use tracing::error;

use super::{
    address::Address,
    backoff::Backoff,
    channels::Channels,
    gate::Gate,
    inbox::Inbox,
    standing::{Absence, Standing},
    stream,
};

/// Time to connect, to log in and to subscribe.
const PATIENCE: Duration = Duration::from_secs(5);

/// So often Redis is asked whether it is there, if it says nothing by itself: a connection that died without a word
/// would else be waited on for ever.
const PING: Duration = Duration::from_secs(15);

/// Time that it has for the answer.
const PONG: Duration = Duration::from_secs(10);

/// Bytes that are read before what was read is handled.
const WINDOW: usize = 256 << 10;

/// The same while channels are subscribed, when nothing is handled yet.
const FIRST_WINDOW: usize = 64 << 20;

/// After so many messages others have a turn.
const TURN: usize = 32;

/// Listens.
pub(crate) struct Listener {
    pub(crate) address: Address,
    pub(crate) channels: Channels,
    /// Bytes of a message that is much too large.
    pub(crate) max_bytes: usize,
    pub(crate) inbox: Inbox,
    pub(crate) standing: Arc<Standing>,
}

/// A connection that is subscribed.
struct Subscribed {
    gate: Gate,
    sink: PubSubSink,
    messages: PubSubStream,
}

impl Listener {
    /// Listens for as long as the process runs.
    pub(crate) async fn run(self) {
        let listener = Arc::new(self);
        loop {
            let listening = listener.clone();
            // A mistake of ours must not end it for good.
            let Err(panicked) = tokio::spawn(async move { listening.listen().await }).await;
            error!("handling a message of Redis failed, which is a mistake of this server: {panicked}");
            sleep(Backoff::default().next()).await;
        }
    }

    async fn listen(&self) -> std::convert::Infallible {
        let mut backoff = Backoff::default();
        loop {
            let absence = match timeout(PATIENCE, self.subscribe()).await {
                Ok(Ok(subscribed)) => {
                    self.standing.note_there();
                    self.inbox.greet();
                    backoff.reset();
                    self.receive(subscribed).await
                }
                Ok(Err(absence)) => absence,
                Err(_late) => Absence::Silent,
            };
            self.standing.note_away(absence);
            sleep(backoff.next()).await;
        }
    }

    async fn subscribe(&self) -> Result<Subscribed, Absence> {
        let (gate, stream) = Gate::over(stream::open(&self.address).await?, FIRST_WINDOW);
        let (mut sink, messages) = PubSub::new(&self.address.login, stream).await?.split();
        let (names, patterns) = (self.channels.names(), self.channels.patterns());
        if !names.is_empty() {
            sink.subscribe(names).await?;
        }
        if !patterns.is_empty() {
            sink.psubscribe(patterns).await?;
        }
        gate.open(WINDOW);
        Ok(Subscribed { gate, sink, messages })
    }

    /// Receives messages until Redis is away.
    async fn receive(&self, Subscribed { gate, sink, mut messages }: Subscribed) -> Absence {
        let heard = AtomicBool::new(true);
        let mut silence = pin!(silence(sink, &heard));
        let mut handled = 0;
        loop {
            // All that was read is handled before more is read.
            tokio::select! {
                biased;
                message = unconstrained(messages.next()) => {
                    let Some(message) = message else { return Absence::Lost("the connection was closed".into()) };
                    heard.store(true, Ordering::Relaxed);
                    gate.note();
                    let (channel, by_pattern) = (message.get_channel_name(), message.from_pattern());
                    self.inbox.handle(&self.channels, channel, by_pattern, message.get_payload_bytes());
                    handled += 1;
                    if handled % TURN == 0 {
                        yield_now().await;
                    }
                }
                () = gate.closed() => {
                    if gate.open(WINDOW) > self.max_bytes {
                        return Absence::TooLarge;
                    }
                }
                absence = &mut silence => return absence,
            }
        }
    }
}

/// Waits until nothing is heard any more.
async fn silence(mut sink: PubSubSink, heard: &AtomicBool) -> Absence {
    loop {
        sleep(PING).await;
        if heard.swap(false, Ordering::Relaxed) {
            continue;
        }
        match timeout(PONG, sink.ping::<redis::Value>()).await {
            Ok(Ok(_pong)) => {}
            Ok(Err(error)) => return error.into(),
            // It may be behind messages that are being handled.
            Err(_late) if heard.load(Ordering::Relaxed) => {}
            Err(_late) => return Absence::Silent,
        }
    }
}

#[cfg(test)]
mod tests {
    use redis::RedisConnectionInfo;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        time::Instant,
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_says_nothing_any_more_is_given_up() {
        let (near, mut far) = tokio::io::duplex(1024);
        let login = RedisConnectionInfo::default().set_skip_set_lib_name();
        let (sink, _messages) = PubSub::new(&login, near).await.expect("nothing is asked").split();
        let (heard, start) = (AtomicBool::new(true), Instant::now());
        let mut ping = [0; 14];
        let answers = async {
            far.read_exact(&mut ping).await.expect("open");
            assert_eq!(&ping, b"*1\r\n$4\r\nPING\r\n");
            far.write_all(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n").await.expect("open");
            std::future::pending::<()>().await;
        };
        let absence = tokio::select! {
            absence = silence(sink, &heard) => absence,
            () = answers => unreachable!(),
        };
        assert_eq!(absence, Absence::Silent);
        // Something was heard, it is asked and answers, it is asked again and does not.
        assert_eq!(start.elapsed(), 3 * PING + PONG);
    }
}
