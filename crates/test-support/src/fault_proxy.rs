//! A TCP proxy that injects faults.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::{Doing as _, Outcome};

/// A TCP proxy on a free loopback port. Dropping it closes the port and its connections.
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
}

struct State {
    target: SocketAddr,
    mode: Mode,
    /// The delay of bytes from the server.
    delay: Duration,
    /// Whether the next request is the last one of its connection.
    resets_after_request: bool,
    /// The open connections.
    open: Vec<Arc<Joined>>,
}

/// A connection from a client, and the corresponding one to the server.
struct Joined {
    client: TcpStream,
    server: TcpStream,
    /// A request has passed, and its reply must not.
    loses_reply: AtomicBool,
}

const CHUNK: usize = 16 * 1024;

#[derive(Clone, Copy, Eq, PartialEq)]
enum Mode {
    /// Bytes flow.
    Whole,
    /// The proxy accepts connections and bytes but forwards nothing, like a firewall that drops
    /// packets or a host that hangs.
    Blocked,
    /// The proxy closes connections at once, like a host without the service.
    Cut,
    /// The proxy has stopped.
    Over,
}

impl FaultProxy {
    /// Starts a proxy for this address.
    ///
    /// # Errors
    /// If no port can be bound.
    pub fn to(target: SocketAddr) -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing("binding a proxy")?;
        let address = listener.local_addr().doing("binding a proxy")?;
        let (mode, delay, open) = (Mode::Whole, Duration::ZERO, Vec::new());
        let state = Mutex::new(State { target, mode, delay, resets_after_request: false, open });
        let shared = Arc::new(Shared { state });
        let by_thread = Arc::clone(&shared);
        let accepting = Some(thread::spawn(move || by_thread.accept(&listener)));
        Ok(Self { address, shared, accepting })
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Keeps connections open from now on, but forwards nothing.
    pub fn block(&self) {
        self.shared.state().mode = Mode::Blocked;
    }

    /// Closes all connections, and each new one.
    pub fn cut(&self) {
        self.shared.end(Mode::Cut);
    }

    /// Forwards new connections again. Closes blocked ones, as a host that comes back does.
    pub fn mend(&self) {
        self.shared.end(Mode::Whole);
    }

    /// Sends new connections to this address from now on, as after a failover. Open connections
    /// stay.
    pub fn retarget(&self, target: SocketAddr) {
        self.shared.state().target = target;
    }

    /// Delays all bytes from the server by this long from now on, in order on each connection.
    pub fn delay(&self, delay: Duration) {
        self.shared.state().delay = delay;
    }

    /// Forwards the next request of any client, lets the server execute it, and closes the
    /// connection without its reply. This happens to one connection, once.
    pub fn reset_after_request(&self) {
        self.shared.state().resets_after_request = true;
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.end(Mode::Over);
        // Wakes the thread that accepts connections.
        let _ = TcpStream::connect(self.address);
        // After this the port is closed.
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
        state.open.drain(..).for_each(|joined| joined.end());
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            let mode = self.state().mode;
            match mode {
                Mode::Over => return,
                // Dropping the connection closes it.
                Mode::Cut => {}
                Mode::Whole | Mode::Blocked => drop(client.and_then(|client| self.join(client))),
            }
        }
    }

    /// Connects both ends, unless the proxy was cut meanwhile.
    fn join(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        let target = self.state().target;
        let server = TcpStream::connect(target)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let mut state = self.state();
        if matches!(state.mode, Mode::Cut | Mode::Over) {
            return Ok(());
        }
        // Connections without a forwarding thread have ended.
        state.open.retain(|joined| Arc::strong_count(joined) > 1);
        let joined = Arc::new(Joined { client, server, loses_reply: AtomicBool::new(false) });
        state.open.push(Arc::clone(&joined));
        for carry in [Self::carry_requests, Self::carry_replies] {
            let (carrying, joined) = (Arc::clone(self), Arc::clone(&joined));
            thread::spawn(move || carry(&carrying, &joined));
        }
        Ok(())
    }

    /// Forwards bytes to the server until either end closes; ending the proxy closes both.
    fn carry_requests(&self, joined: &Joined) {
        let mut buffer = [0; CHUNK];
        while let Ok(read @ 1..) = (&joined.client).read(&mut buffer) {
            if self.is_blocked() {
                continue;
            }
            // Set before the server gets the request, because its reply may follow at once.
            if std::mem::take(&mut self.state().resets_after_request) {
                joined.loses_reply.store(true, Ordering::SeqCst);
            }
            if (&joined.server).write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        if joined.loses_reply.load(Ordering::SeqCst) {
            // The client must not see the connection close before the server has executed the
            // request.
            let _ = joined.server.shutdown(Shutdown::Write);
        } else {
            joined.end();
        }
    }

    /// Forwards bytes to the client.
    fn carry_replies(&self, joined: &Joined) {
        let mut buffer = [0; CHUNK];
        while let Ok(read @ 1..) = (&joined.server).read(&mut buffer) {
            if joined.loses_reply.load(Ordering::SeqCst) {
                lose_the_rest(&joined.server);
                break;
            }
            self.hold();
            if !self.is_blocked() && (&joined.client).write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        joined.end();
    }

    fn is_blocked(&self) -> bool {
        self.state().mode == Mode::Blocked
    }

    fn hold(&self) {
        let until = Instant::now() + self.state().delay;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            thread::park_timeout(left);
        }
    }
}

impl Joined {
    fn end(&self) {
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

/// The bytes read so far may answer an earlier request. The server closes its end after it has read
/// and executed everything.
fn lose_the_rest(mut server: &TcpStream) {
    let _ = server.shutdown(Shutdown::Write);
    let _ = io::copy(&mut server, &mut io::sink());
}
