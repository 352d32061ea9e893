//! The listening socket: opened with its bounds, and closed without cutting anybody off.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// A second handle on a listening socket, to close it with.
#[derive(Clone, Debug)]
pub(crate) struct Door(std::sync::Arc<TcpListener>);

/// Opens a listening socket and a door to it.
pub(crate) fn open(address: SocketAddr, backlog: u32) -> io::Result<(TcpListener, Door)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the last run's connections to time out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    let listener = TcpListener::from(socket);
    let door = Door(listener.try_clone()?.into());
    Ok((listener, door))
}

impl Door {
    /// From now on nobody new gets in, while those who already have are accepted as before.
    ///
    /// Closing a listening socket resets every connection that is made but not accepted yet, so a server under load
    /// fails some requests whenever it closes one. On Linux a filter that drops every packet to the listening socket
    /// comes first: who knocks now repeats the knock a second later and is refused by then, as the socket is closed.
    pub(crate) fn close(&self) -> io::Result<()> {
        filter(SockRef::from(self.0.as_ref()))
    }
}

#[cfg(target_os = "linux")]
fn filter(socket: SockRef<'_>) -> io::Result<()> {
    /// `BPF_RET | BPF_K` of the classic Berkeley Packet Filter: keep this many bytes of the packet.
    const RETURN: u16 = 0x06;
    socket.attach_filter(&[socket2::SockFilter::new(RETURN, 0, 0, 0)])
}

#[cfg(not(target_os = "linux"))]
fn filter(_: SockRef<'_>) -> io::Result<()> {
    Ok(())
}
