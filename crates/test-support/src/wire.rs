//! A wire that can be cut.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::{Doing as _, Outcome};

/// A TCP proxy on a free loopback port. When it is dropped nobody listens there any more, and its connections are ended.
pub struct Wire {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    target: SocketAddr,
    state: AtomicU8,
    open: Mutex<Vec<TcpStream>>,
}

/// Bytes flow.
const WHOLE: u8 = 0;
/// Connections are accepted and bytes taken, and nothing comes out: a firewall that drops, a host that hangs.
const BLOCKED: u8 = 1;
/// Connections are closed at once: a host without the service.
const CUT: u8 = 2;
/// The proxy is gone.
const OVER: u8 = 3;

/// How often a quiet connection looks whether the wire was cut.
const LOOK: Duration = Duration::from_millis(20);

impl Wire {
    /// A wire to this address.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn to(target: SocketAddr) -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing("binding a proxy")?;
        let address = listener.local_addr().doing("binding a proxy")?;
        let shared = Arc::new(Shared { target, state: AtomicU8::new(WHOLE), open: Mutex::default() });
        let by_thread = Arc::clone(&shared);
        let accepting = Some(thread::spawn(move || by_thread.accept(&listener)));
        Ok(Self { address, shared, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on connections stay open and nothing passes.
    pub fn block(&self) {
        self.shared.state.store(BLOCKED, Ordering::SeqCst);
    }

    /// Ends all connections and lets no new one through.
    pub fn cut(&self) {
        self.shared.end(CUT);
    }

    /// Lets new connections through again. Those that were blocked are ended, as a host that comes back would.
    pub fn mend(&self) {
        self.shared.end(WHOLE);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.end(OVER);
        // Wakes the one who waits for connections.
        let _ = TcpStream::connect(self.address);
        // From here on nobody listens.
        drop(self.accepting.take().map(JoinHandle::join));
    }
}

impl Shared {
    fn state(&self) -> u8 {
        self.state.load(Ordering::SeqCst)
    }

    fn end(&self, then: u8) {
        self.state.store(then, Ordering::SeqCst);
        for stream in self.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            match self.state() {
                OVER => return,
                CUT => {}
                _ => {
                    let shared = Arc::clone(self);
                    thread::spawn(move || client.and_then(|client| shared.join(&client)));
                }
            }
        }
    }

    fn join(self: &Arc<Self>, client: &TcpStream) -> io::Result<()> {
        let server = TcpStream::connect(self.target)?;
        for end in [client, &server] {
            end.set_nodelay(true)?;
            end.set_read_timeout(Some(LOOK))?;
            self.open.lock().unwrap_or_else(PoisonError::into_inner).push(end.try_clone()?);
        }
        let (back, to_server) = (Arc::clone(self), client.try_clone()?);
        let from_server = server.try_clone()?;
        thread::spawn(move || back.pump(from_server, to_server));
        self.pump(client.try_clone()?, server);
        Ok(())
    }

    /// Moves bytes one way until either end closes.
    fn pump(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 16 * 1024];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(_) if self.state() == BLOCKED => {}
                Ok(read) if to.write_all(&buffer[..read]).is_err() => break,
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                }
                Err(_) => break,
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}
