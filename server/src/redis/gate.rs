//! What it is: a stream that is read no further than what was read has been handled.
//! What it is not: aware of what is read.
//! Who calls it: `listener`: the client library would read on, and keep all messages until somebody takes them.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
};

/// Tells a [`Gated`] stream to go on. Clones are the same.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Shared>);

struct Shared {
    /// Taken for a few steps.
    state: Mutex<State>,
    /// The reader waits.
    closed: Notify,
}

struct State {
    /// Bytes that may be read, or one read more.
    left: usize,
    /// Bytes that were read since a message was handled.
    read: usize,
    reader: Option<Waker>,
}

/// The stream.
pub(crate) struct Gated<S> {
    stream: S,
    gate: Gate,
}

impl Gate {
    /// Lets so many bytes through.
    pub(crate) fn over<S>(stream: S, bytes: usize) -> (Self, Gated<S>) {
        let state = Mutex::new(State { left: bytes, read: 0, reader: None });
        let gate = Self(Arc::new(Shared { state, closed: Notify::new() }));
        (gate.clone(), Gated { stream, gate })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("not poisoned: nobody panics while it is held")
    }

    /// Waits until the reader does.
    pub(crate) async fn closed(&self) {
        self.0.closed.notified().await;
    }

    /// Lets so many bytes through, and says how many were read since a message was handled.
    pub(crate) fn open(&self, bytes: usize) -> usize {
        let mut state = self.state();
        state.left = bytes;
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
        state.read
    }

    /// A message was handled.
    pub(crate) fn note(&self) {
        self.state().read = 0;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gated<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        {
            let mut state = self.gate.state();
            if state.left == 0 {
                state.reader = Some(cx.waker().clone());
                self.gate.0.closed.notify_one();
                return Poll::Pending;
            }
        }
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buf);
        let read = buf.filled().len() - before;
        let mut state = self.gate.state();
        state.left = state.left.saturating_sub(read);
        state.read += read;
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gated<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_comes_waits_until_the_gate_is_opened() {
        let (mut far, near) = tokio::io::duplex(64);
        let (gate, mut gated) = Gate::over(near, 4);
        far.write_all(b"twelve bytes").await.expect("open");
        let mut first = [0; 4];
        gated.read_exact(&mut first).await.expect("open");
        let mut rest = [0; 8];
        let mut reading = Box::pin(gated.read_exact(&mut rest));
        tokio::select! {
            biased;
            _ = &mut reading => panic!("the gate is closed"),
            () = gate.closed() => {}
        }
        assert_eq!(gate.open(100), 4);
        reading.await.expect("open");
        assert_eq!((&first, &rest), (b"twel", b"ve bytes"));
        gate.note();
        assert_eq!(gate.open(1), 0);
    }
}
