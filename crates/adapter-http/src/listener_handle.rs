//! The listening socket: opened with fixed buffer sizes, and closed without resetting connections.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// A second handle to a listening socket, to close it with. The socket stays open until the
/// server's own handle and this one are dropped.
#[derive(Clone, Debug)]
pub(crate) struct ListenerHandle(Arc<Mutex<Option<TcpListener>>>);

/// Kernel buffer for responses that a client does not read, in bytes per connection; the kernel
/// allows itself as much again for overhead. By default it would buffer megabytes. No response to
/// visitors is larger, and a longer one only takes more writes.
const SEND_BUFFER: usize = 128 * 1024;

/// Kernel buffer for input. It holds a head and a body several times over.
const RECEIVE_BUFFER: usize = 64 * 1024;

/// Opens a listening socket and a [`ListenerHandle`] to it.
pub(crate) fn open(address: SocketAddr, backlog: u32) -> io::Result<(TcpListener, ListenerHandle)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the last run's connections to time out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Accepted connections inherit both.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    let listener = TcpListener::from(socket);
    let handle = ListenerHandle(Arc::new(Mutex::new(Some(listener.try_clone()?))));
    Ok((listener, handle))
}

impl ListenerHandle {
    /// Drops new connections, while established ones are still accepted.
    ///
    /// Closing a listening socket resets every connection that is established but not yet accepted,
    /// so a server under load fails some requests whenever it closes one. On Linux a packet filter
    /// that drops every segment with SYN is attached first: a client that connects now retries a
    /// second later, and is refused once the socket is closed.
    pub(crate) fn stop_accepting(&self) -> io::Result<()> {
        match self.handle().as_ref() {
            Some(listener) => drop_syn(SockRef::from(listener)),
            None => Ok(()),
        }
    }

    /// Drops this handle; the socket closes once the server drops its own.
    pub(crate) fn close(&self) {
        drop(self.handle().take());
    }

    fn handle(&self) -> std::sync::MutexGuard<'_, Option<TcpListener>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A classic Berkeley Packet Filter program. A socket's filter sees each segment from its TCP
/// header on.
#[cfg(target_os = "linux")]
fn drop_syn(socket: SockRef<'_>) -> io::Result<()> {
    use socket2::SockFilter;
    const LOAD_BYTE: u16 = 0x30;
    const JUMP_IF_SET: u16 = 0x45;
    const RETURN: u16 = 0x06;
    const FLAGS_OFFSET: u32 = 13;
    const SYN: u32 = 0x02;
    const WHOLE_SEGMENT: u32 = u32::MAX;
    socket.attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS_OFFSET),
        SockFilter::new(JUMP_IF_SET, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, WHOLE_SEGMENT),
    ])
}

#[cfg(not(target_os = "linux"))]
fn drop_syn(_: SockRef<'_>) -> io::Result<()> {
    Ok(())
}
