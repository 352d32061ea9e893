//! The listening socket: opened with its bounds, and closed without cutting anybody off.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// A second handle on a listening socket, to close it with. The socket lives until the server's own handle and this one
/// are gone.
#[derive(Clone, Debug)]
pub(crate) struct Door(Arc<Mutex<Option<TcpListener>>>);

/// What the kernel keeps of answers that a client does not read, in bytes of a connection; it allows
/// itself as much again for its own. Left to itself it would keep megabytes. No answer to visitors is
/// larger, and a longer one takes a few more writes.
const SEND_BUFFER: usize = 128 * 1024;

/// The same for what a client sends ahead. A head and a body fit several times.
const RECEIVE_BUFFER: usize = 64 * 1024;

/// Opens a listening socket and a door to it.
pub(crate) fn open(address: SocketAddr, backlog: u32) -> io::Result<(TcpListener, Door)> {
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
    let door = Door(Arc::new(Mutex::new(Some(listener.try_clone()?))));
    Ok((listener, door))
}

impl Door {
    /// From now on nobody new gets in, while those who already have are accepted as before.
    ///
    /// Closing a listening socket resets every connection that is made but not accepted yet, so a server under load
    /// fails some requests whenever it closes one. On Linux a filter that drops every new knock (a TCP segment with SYN)
    /// comes first: who knocks now repeats it a second later, and is refused once the socket is closed.
    pub(crate) fn shut(&self) -> io::Result<()> {
        match self.handle().as_ref() {
            Some(listener) => drop_knocks(SockRef::from(listener)),
            None => Ok(()),
        }
    }

    /// Lets go of the socket; it is closed as soon as the server does too.
    pub(crate) fn let_go(&self) {
        drop(self.handle().take());
    }

    fn handle(&self) -> std::sync::MutexGuard<'_, Option<TcpListener>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A program of the classic Berkeley Packet Filter; a socket's filter sees each segment from its TCP header on.
#[cfg(target_os = "linux")]
fn drop_knocks(socket: SockRef<'_>) -> io::Result<()> {
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
fn drop_knocks(_: SockRef<'_>) -> io::Result<()> {
    Ok(())
}
