//! What it is: a connection that counts as one for as long as it is open, as a WebSocket, too, and ends when its client
//! takes nothing.
//! What it is not: the accept loop (`serve`), which decides how many there may be.
//! Who calls it: `serve` wraps what it accepts; `handover` knows it again behind hyper.

use std::{
    cell::Cell,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::OwnedSemaphorePermit,
    time::Sleep,
};

/// Bytes up to which slices are copied together before they are written: to the kernel a slice costs more than that.
const MAX_FLAT: usize = 2048;

/// How long a client may take nothing of what is written. With default options pings give up on a WebSocket before, but
/// a session that polls is kept by its POSTs, and may have many answers that nobody reads.
const MAX_STALL: Duration = Duration::from_secs(60);

thread_local! {
    static FLAT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A stream, and the permit that goes back when it is dropped.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    stream: S,
    /// What was read of it and given back. In a box, as it is rare and soon over.
    unread: Option<Box<Bytes>>,
    /// When a write that waits fails; there while one does.
    deadline: Option<Pin<Box<Sleep>>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl<S> Connection<S> {
    pub(crate) fn new(stream: S, permit: Option<OwnedSemaphorePermit>) -> Self {
        Self { stream, unread: None, deadline: None, _permit: permit }
    }

    /// Gives back what was read of it, which is read first then.
    pub(crate) fn unread(mut self, bytes: Bytes) -> Self {
        self.unread = (!bytes.is_empty()).then(|| bytes.into());
        self
    }

    /// What a write came to, or that it has waited for too long.
    fn within_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_pending() {
            ready!(self.poll_deadline(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if self.deadline.is_some() {
            self.deadline = None;
        }
        written
    }

    /// Apart from what is done for each write.
    #[cold]
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(MAX_STALL)));
        deadline.as_mut().poll(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(unread) = &mut self.unread {
            let length = unread.len().min(buffer.remaining());
            buffer.put_slice(&unread.split_to(length));
            self.unread.take_if(|unread| unread.is_empty());
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.within_time(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        if slices.iter().map(|slice| slice.len()).sum::<usize>() > MAX_FLAT {
            let written = stream.poll_write_vectored(cx, slices);
            return self.within_time(cx, written);
        }
        let mut flat = FLAT.take();
        slices.iter().for_each(|slice| flat.extend_from_slice(slice));
        let written = stream.poll_write(cx, &flat);
        flat.clear();
        FLAT.set(flat);
        self.within_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.within_time(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut_down = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.within_time(cx, shut_down)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        time::Instant,
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn m3_a_client_that_takes_nothing_for_a_minute_is_cut_off() {
        let (mut client, served) = tokio::io::duplex(4);
        let mut connection = Connection::new(served, None);
        let before = Instant::now();
        let reads = async {
            tokio::time::sleep(Duration::from_secs(59)).await;
            client.read_exact(&mut [0; 4]).await.expect("what was written");
        };
        let writes = tokio::time::timeout(Duration::from_secs(600), connection.write_all(&[7; 12]));
        let (written, ()) = tokio::join!(writes, reads);
        let error = written.expect("it does not wait for ever").expect_err("there is no room");
        assert_eq!((error.kind(), before.elapsed().as_secs()), (io::ErrorKind::TimedOut, 59 + 60));
    }
}
