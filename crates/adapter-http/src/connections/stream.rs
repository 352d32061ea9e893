//! The stream that the HTTP library reads from: it delivers at most one head at a time, and ends
//! when its time is up.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use bytes::{Buf as _, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::address::Peer;
use super::counts::{Reason, Refusal};
use super::state::{Connection, Wanted};
use super::worker::Worker;

/// Maximum number of bytes read ahead of their turn; the rest waits in the kernel and then at the
/// client.
const MAX_AHEAD: usize = 4_096;

/// The response to an incomplete head, the same as the HTTP library sends.
const TOO_LATE: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A stream with its state. Dropping it closes the connection and updates the counters.
pub(crate) struct Guarded {
    stream: TcpStream,
    connection: Rc<Connection>,
    /// Bytes read ahead of their turn.
    ahead: BytesMut,
    /// Whether the HTTP library polled for input while bytes were held back.
    withheld: bool,
    worker: Rc<Worker>,
    /// The account of its address.
    peer: Option<Peer>,
}

impl Guarded {
    /// Accepts a connection.
    ///
    /// # Errors
    /// If its address may not have another one, or the client has already disconnected.
    pub(crate) fn accept(stream: TcpStream, worker: &Rc<Worker>) -> io::Result<Self> {
        let (connection, peer) = worker.open(stream.peer_addr()?.ip())?;
        let worker = Rc::clone(worker);
        Ok(Self { stream, connection, ahead: BytesMut::new(), withheld: false, worker, peer })
    }

    /// The state that its requests report to.
    pub(crate) fn connection(&self) -> &Rc<Connection> {
        &self.connection
    }

    /// Buffers input that may not be handed over yet, and registers for more if there is none.
    fn poll_read_ahead(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Uses the caller's buffer to avoid an allocation. It is not marked as filled.
        let mut room = buf.take(MAX_AHEAD);
        let polled = Pin::new(&mut self.stream).poll_read(cx, &mut room);
        if !matches!(polled, Poll::Ready(Ok(()))) || room.filled().is_empty() {
            // No input, or its end, which the caller may see at any time.
            return polled;
        }
        self.ahead.extend_from_slice(room.filled());
        self.withheld = true;
        Poll::Pending
    }

    /// Hands over buffered input.
    fn hand_over(&mut self, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let there = self.ahead.len().min(buf.remaining());
        let count = self.connection.take(&self.ahead[..there], self.connection.now());
        if count == 0 {
            self.withheld = true;
            return Poll::Pending;
        }
        buf.put_slice(&self.ahead[..count]);
        self.ahead.advance(count);
        if self.ahead.is_empty() {
            self.ahead = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Hands over new input, and buffers what is beyond the limit.
    fn poll_read_now(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let came = &buf.filled()[before..];
        if let Poll::Ready(Ok(())) = polled
            && !came.is_empty()
        {
            let count = self.connection.take(came, self.connection.now());
            self.ahead.extend_from_slice(&came[count..]);
            buf.set_filled(before + count);
        }
        polled
    }

    /// Reports the end of input to the HTTP library, which then closes the connection.
    fn report_end(&self) -> Poll<io::Result<()>> {
        if self.connection.owes_a_head() && self.connection.ending() == Some(Reason::Request) {
            // The connection ends whether or not the write succeeds.
            if self.stream.try_write(TOO_LATE).is_ok() {
                self.worker.refused(&self.connection, Refusal::TimedOut, self.peer);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.connection.remember(cx);
        if this.connection.ending().is_some() {
            return this.report_end();
        }
        if !this.ahead.is_empty() {
            return this.hand_over(buf);
        }
        match this.connection.wanted() {
            Wanted::Nothing => this.poll_read_ahead(cx, buf),
            Wanted::UpToBlankLine | Wanted::Body => this.poll_read_now(cx, buf),
        }
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.connection.ending().is_some() && this.connection.is_blocked() {
            // The client does not read: a reset makes the kernel drop its send buffer too.
            let _ = SockRef::from(&this.stream).set_linger(Some(Duration::ZERO));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if !this.connection.answers()
            && let Some(refusal) = Refusal::of(bytes)
        {
            this.worker.refused(&this.connection, refusal, this.peer);
        }
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        if written.is_pending() {
            this.connection.block(this.connection.now());
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.connection.flushed(this.connection.now());
        if this.withheld && this.connection.wanted() != Wanted::Nothing {
            this.withheld = false;
            cx.waker().wake_by_ref();
        }
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.worker.closed(&self.connection, self.peer);
    }
}
