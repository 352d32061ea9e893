//! An accepted stream as the HTTP library sees it: no more at once than one head, and an end when
//! its time is over.

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

/// Bytes read from a client that is ahead, at most; the rest waits in the kernel, and then at the
/// client.
const MAX_AHEAD: usize = 4_096;

/// The answer to a head that stays incomplete, the same as the HTTP library sends.
const TOO_LATE: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A stream with its state. Dropping it closes the connection and ends what is counted of it.
pub(crate) struct Guarded {
    stream: TcpStream,
    connection: Rc<Connection>,
    /// What came ahead of its turn.
    ahead: BytesMut,
    /// Whether the HTTP library asked for more and did not get what is there.
    withheld: bool,
    worker: Rc<Worker>,
    /// The account of its address.
    peer: Option<Peer>,
}

impl Guarded {
    pub(super) fn new(
        stream: TcpStream,
        connection: Rc<Connection>,
        worker: Rc<Worker>,
        peer: Option<Peer>,
    ) -> Self {
        Self { stream, connection, ahead: BytesMut::new(), withheld: false, worker, peer }
    }

    /// What the requests over it report to.
    pub(crate) fn connection(&self) -> &Rc<Connection> {
        &self.connection
    }

    /// Reads aside what may not be handed over yet, and waits for it if nothing is there.
    fn poll_read_ahead(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // The caller's own room, so that none has to be made. It is not marked as filled.
        let mut room = buf.take(MAX_AHEAD);
        let polled = Pin::new(&mut self.stream).poll_read(cx, &mut room);
        if !matches!(polled, Poll::Ready(Ok(()))) || room.filled().is_empty() {
            // Nothing there, or the end of input, which is for the caller whenever it comes.
            return polled;
        }
        self.ahead.extend_from_slice(room.filled());
        self.withheld = true;
        Poll::Pending
    }

    /// Hands over what came ahead.
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

    /// Hands over what comes now.
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
            // Whether it gets through or not, the connection ends.
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
            // The client does not read: the kernel drops what it still holds, too.
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
