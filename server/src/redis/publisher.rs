//! What it is: what is published by this server: answers to others, and what it tells those of its cluster, each sent
//! as soon as Redis takes it, or dropped.
//! What it is not: a queue for when Redis is away; what cannot be published then is late for whoever waits for it.
//! Who calls it: `inbox` and `carrier`; `redis`, when the server ends.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use redis::{AsyncConnectionConfig, aio::MultiplexedConnection};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
    time::{Sleep, sleep, timeout},
};

use super::{
    address::Address,
    backoff::Backoff,
    complaints::Complaints,
    standing::{Absence, Standing},
    stream,
};

/// Time to connect and to log in, and for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// So often the connection is tried when there is nothing to publish.
const PING: Duration = Duration::from_secs(15);

/// Messages, and bytes of them, that may wait for Redis to take them.
const MAX_WAITING: usize = 1 << 16;
const MAX_WAITING_BYTES: usize = 64 << 20;

/// Messages that are sent together.
const BATCH: usize = 64;

/// Publishes. Clones are the same.
#[derive(Clone)]
pub(crate) struct Publisher {
    queue: mpsc::Sender<Publication>,
    room: Arc<Semaphore>,
    complaints: Complaints,
}

struct Publication {
    channel: String,
    body: Bytes,
    _room: OwnedSemaphorePermit,
}

impl Publisher {
    /// One with a connection of its own, in a task of its own, which calls `on_there` whenever that is there again.
    pub(crate) fn start(
        address: Address,
        standing: Standing,
        complaints: Complaints,
        on_there: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let (sender, queue) = mpsc::channel(MAX_WAITING);
        let on_there = Box::new(on_there);
        let batch = Vec::with_capacity(BATCH);
        tokio::spawn(Connection { address, standing, complaints: complaints.clone(), on_there, queue, batch }.run());
        Self { queue: sender, room: Arc::new(Semaphore::new(MAX_WAITING_BYTES)), complaints }
    }

    /// Publishes a message soon, or not at all.
    pub(crate) fn publish(&self, channel: &str, body: impl Into<Bytes>) {
        let body = body.into();
        let permits = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let room = self.room.clone().try_acquire_many_owned(permits).ok();
        let publication = room.map(|room| Publication { channel: channel.to_owned(), body, _room: room });
        if publication.is_none_or(|publication| self.queue.try_send(publication).is_err()) {
            self.complaints.note("unpublished", channel, "more messages wait for Redis than there is room for");
        }
    }

    /// Waits until nothing is waiting any more.
    pub(crate) async fn flushed(&self) {
        // All room is there once Redis has taken what was in it, or it was dropped.
        let _all = self.room.acquire_many(MAX_WAITING_BYTES as u32).await;
    }
}

/// The task behind it.
struct Connection {
    address: Address,
    standing: Standing,
    complaints: Complaints,
    on_there: Box<dyn Fn() + Send + Sync>,
    queue: mpsc::Receiver<Publication>,
    /// What is under way.
    batch: Vec<Publication>,
}

impl Connection {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        while !self.queue.is_closed() {
            let absence = match timeout(PATIENCE, connect(&self.address)).await {
                Ok(Ok((connection, mut driver))) => {
                    self.standing.note_there();
                    (self.on_there)();
                    backoff.reset();
                    tokio::select! {
                        absence = self.publish(connection) => absence,
                        _ended = driver.join_next() => Absence::Lost("the connection was closed".into()),
                    }
                }
                Ok(Err(absence)) => absence,
                Err(_late) => Absence::Silent,
            };
            self.standing.note_away(absence);
            for Publication { channel, .. } in std::mem::take(&mut self.batch) {
                self.complaints.note("unpublished", &channel, "Redis went away before it took it");
            }
            self.drop_for(sleep(backoff.next())).await;
        }
    }

    /// Publishes until Redis is away.
    async fn publish(&mut self, mut connection: MultiplexedConnection) -> Absence {
        loop {
            let mut commands = redis::pipe();
            tokio::select! {
                count = self.queue.recv_many(&mut self.batch, BATCH) => {
                    if count == 0 {
                        return Absence::Lost("the server ends".into());
                    }
                    for Publication { channel, body, .. } in &self.batch {
                        commands.publish(channel, &body[..]).ignore();
                    }
                }
                () = sleep(PING) => {
                    commands.cmd("PING").ignore();
                }
            }
            let outcome = commands.query_async::<()>(&mut connection).await;
            match outcome.map_err(Absence::from) {
                Ok(()) => {}
                // The connection is as good as before.
                Err(Absence::Refused(why)) => {
                    let channel = self.batch.first().map_or("", |publication| &publication.channel);
                    self.complaints.note("unpublished", channel, why);
                }
                Err(absence) => return absence,
            }
            self.batch.clear();
        }
    }

    /// Drops what is to be published in this time.
    async fn drop_for(&mut self, time: Sleep) {
        tokio::pin!(time);
        loop {
            tokio::select! {
                () = &mut time => return,
                dropped = self.queue.recv() => match dropped {
                    Some(Publication { channel, .. }) => {
                        self.complaints.note("unpublished", &channel, "Redis is away");
                    }
                    None => return,
                },
            }
        }
    }
}

/// A connection that is logged in, and the task that serves it, which ends with the set.
async fn connect(address: &Address) -> Result<(MultiplexedConnection, JoinSet<()>), Absence> {
    let stream = stream::open(address).await?;
    let options = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
    let (connection, driver) = MultiplexedConnection::new_with_config(&address.login, stream, options).await?;
    let mut task = JoinSet::new();
    task.spawn(driver);
    Ok((connection, task))
}
