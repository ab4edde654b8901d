//! What it is: a connection that counts as one for as long as it is open, as a WebSocket, too.
//! What it is not: the accept loop (`serve`), which decides how many there may be.
//! Who calls it: `serve` wraps what it accepts; `handover` knows it again behind hyper.

use std::{
    cell::Cell,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::OwnedSemaphorePermit,
};

/// Bytes up to which slices are copied together before they are written: to the kernel a slice costs more than that.
const MAX_FLAT: usize = 2048;

thread_local! {
    static FLAT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A stream, and the permit that goes back when it is dropped.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    stream: S,
    /// What was read of it and given back. In a box, as it is rare and soon over.
    unread: Option<Box<Bytes>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl<S> Connection<S> {
    pub(crate) fn new(stream: S, permit: Option<OwnedSemaphorePermit>) -> Self {
        Self { stream, unread: None, _permit: permit }
    }

    /// Gives back what was read of it, which is read first then.
    pub(crate) fn unread(mut self, bytes: Bytes) -> Self {
        self.unread = (!bytes.is_empty()).then(|| bytes.into());
        self
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
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        if slices.iter().map(|slice| slice.len()).sum::<usize>() > MAX_FLAT {
            return stream.poll_write_vectored(cx, slices);
        }
        let mut flat = FLAT.take();
        slices.iter().for_each(|slice| flat.extend_from_slice(slice));
        let written = stream.poll_write(cx, &flat);
        flat.clear();
        FLAT.set(flat);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
