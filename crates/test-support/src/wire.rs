//! A wire that can be cut.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::{Doing as _, Outcome};

/// A TCP proxy on a free loopback port. When it is dropped nobody listens there any more, and its connections are ended.
pub struct Wire {
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
    /// How long what the server says is held.
    delay: Duration,
    /// The next request is the last one of its connection.
    resets_after_request: bool,
    /// What is connected.
    open: Vec<Arc<Joined>>,
}

/// A connection from a client, and the one to the server that belongs to it.
struct Joined {
    client: TcpStream,
    server: TcpStream,
    /// A request has passed, and no reply to it will.
    loses_reply: AtomicBool,
}

const CHUNK: usize = 16 * 1024;

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
        let (mode, delay, open) = (Mode::Whole, Duration::ZERO, Vec::new());
        let state = Mutex::new(State { target, mode, delay, resets_after_request: false, open });
        let shared = Arc::new(Shared { state });
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

    /// From now on new connections go there, as after a failover. Those that are open stay where they are.
    pub fn retarget(&self, target: SocketAddr) {
        self.shared.state().target = target;
    }

    /// From now on everything the server says is held for that long before it passes, on each connection one thing after
    /// the other.
    pub fn delay(&self, delay: Duration) {
        self.shared.state().delay = delay;
    }

    /// The next time a client says something it reaches the server, and the connection is ended when the server has done
    /// what it was told; from then on nothing the server says passes. So a request is executed and its reply is lost.
    /// This happens to one connection, once.
    pub fn reset_after_request(&self) {
        self.shared.state().resets_after_request = true;
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
        state.open.drain(..).for_each(|joined| joined.end());
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            let mode = self.state().mode;
            match mode {
                Mode::Over => return,
                // Dropped, and so closed.
                Mode::Cut => {}
                Mode::Whole | Mode::Blocked => drop(client.and_then(|client| self.join(client))),
            }
        }
    }

    /// Connects both ends, unless the wire was cut meanwhile.
    fn join(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        let target = self.state().target;
        let server = TcpStream::connect(target)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let mut state = self.state();
        if matches!(state.mode, Mode::Cut | Mode::Over) {
            return Ok(());
        }
        // Those nobody carries anything for any more have ended.
        state.open.retain(|joined| Arc::strong_count(joined) > 1);
        let joined = Arc::new(Joined { client, server, loses_reply: AtomicBool::new(false) });
        state.open.push(Arc::clone(&joined));
        for carry in [Self::carry_requests, Self::carry_replies] {
            let (carrying, joined) = (Arc::clone(self), Arc::clone(&joined));
            thread::spawn(move || carry(&carrying, &joined));
        }
        Ok(())
    }

    /// Moves bytes to the server until either end closes, which the end of the wire makes both do.
    fn carry_requests(&self, joined: &Joined) {
        let mut buffer = [0; CHUNK];
        while let Ok(read @ 1..) = (&joined.client).read(&mut buffer) {
            if self.is_blocked() {
                continue;
            }
            // Before the server has it: its reply may be here at once.
            if std::mem::take(&mut self.state().resets_after_request) {
                joined.loses_reply.store(true, Ordering::SeqCst);
            }
            if (&joined.server).write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        if joined.loses_reply.load(Ordering::SeqCst) {
            // The client must not learn of its loss before the server has done what it was told.
            let _ = joined.server.shutdown(Shutdown::Write);
        } else {
            joined.end();
        }
    }

    /// The same to the client.
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

/// What was said by then may be about something earlier. The server closes its end when it has read all it was sent, and
/// done it.
fn lose_the_rest(mut server: &TcpStream) {
    let _ = server.shutdown(Shutdown::Write);
    let _ = io::copy(&mut server, &mut io::sink());
}
