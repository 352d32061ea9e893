//! A wire that can be cut.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::error::{Doing as _, Outcome};

/// A TCP proxy on a free loopback port. When it is dropped nobody listens there any more, and its connections are ended.
pub struct Wire {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    target: SocketAddr,
    state: Mutex<State>,
}

struct State {
    mode: Mode,
    /// Both ends of what is connected.
    open: Vec<TcpStream>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Mode {
    /// Bytes flow.
    Whole,
    /// Connections are accepted and bytes taken, and nothing comes out: a firewall that drops, a host that hangs.
    Blocked,
    /// Connections are closed at once: a host without the service.
    Cut,
    /// The proxy is gone.
    Over,
}

impl Wire {
    /// A wire to this address.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn to(target: SocketAddr) -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing("binding a proxy")?;
        let address = listener.local_addr().doing("binding a proxy")?;
        let state = Mutex::new(State { mode: Mode::Whole, open: Vec::new() });
        let shared = Arc::new(Shared { target, state });
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
        self.shared.state().mode = Mode::Blocked;
    }

    /// Ends all connections and lets no new one through.
    pub fn cut(&self) {
        self.shared.end(Mode::Cut);
    }

    /// Lets new connections through again. Those that were blocked are ended, as a host that comes back would.
    pub fn mend(&self) {
        self.shared.end(Mode::Whole);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.end(Mode::Over);
        // Wakes the one who waits for connections.
        let _ = TcpStream::connect(self.address);
        // From here on nobody listens.
        drop(self.accepting.take().map(JoinHandle::join));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, then: Mode) {
        let mut state = self.state();
        state.mode = then;
        for stream in state.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            let mode = self.state().mode;
            match mode {
                Mode::Over => return,
                // Dropped, and so closed.
                Mode::Cut => {}
                Mode::Whole | Mode::Blocked => drop(client.and_then(|client| self.join(&client))),
            }
        }
    }

    /// Connects both ends, unless the wire was cut meanwhile.
    fn join(self: &Arc<Self>, client: &TcpStream) -> io::Result<()> {
        let server = TcpStream::connect(self.target)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let mut state = self.state();
        if matches!(state.mode, Mode::Cut | Mode::Over) {
            return Ok(());
        }
        state.open.extend([client.try_clone()?, server.try_clone()?]);
        for (from, to) in [(client, &server), (&server, client)] {
            let (pumping, from, to) = (Arc::clone(self), from.try_clone()?, to.try_clone()?);
            thread::spawn(move || pumping.pump(from, to));
        }
        Ok(())
    }

    /// Moves bytes one way until either end closes, which the end of the wire makes both do.
    fn pump(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let is_blocked = self.state().mode == Mode::Blocked;
            if !is_blocked && to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}
