//! The connections of one worker, which looks through them twice a second.

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval};

use super::address::Peer;
use super::clock::Clock;
use super::counts::{Reason, Refusal};
use super::state::Connection;
use super::stream::Guarded;
use super::{Limits, Shared};

/// How often connections are looked through, in milliseconds. A limit is kept to within twice this.
const SWEEP_MS: u64 = 500;

/// When a worker is full, one connection in so many is ended at once, and one at least: looking for
/// the idlest of them costs a look at each.
const SHED_SHARE: usize = 64;

/// The connections of one worker. Lives on its thread.
#[derive(Debug)]
pub(crate) struct Worker {
    limits: Limits,
    shared: Shared,
    clock: Rc<Clock>,
    connections: RefCell<Vec<Rc<Connection>>>,
}

impl Worker {
    /// A worker without connections, and the loop that looks through those it will have. Must be
    /// called on the thread of the worker.
    pub(crate) fn start(limits: Limits, shared: Shared) -> Rc<Self> {
        let worker = Rc::new(Self::new(limits, shared));
        actix_web::rt::spawn(Rc::clone(&worker).look_now_and_then());
        worker
    }

    fn new(limits: Limits, shared: Shared) -> Self {
        let clock = Rc::new(Clock::new(shared.began));
        clock.look();
        Self { limits, shared, clock, connections: RefCell::default() }
    }

    async fn look_now_and_then(self: Rc<Self>) {
        let mut looks = interval(Duration::from_millis(SWEEP_MS));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            self.look();
        }
    }

    /// Ends what is overdue, and what is idlest where there is no room.
    fn look(&self) {
        let now = self.clock.look();
        for connection in self.connections.borrow().iter() {
            let overdue = || connection.overdue(&self.limits, SWEEP_MS, now);
            // One that is still here although it was to end is woken once more.
            if let Some(reason) = connection.ending().or_else(overdue) {
                connection.finish(reason);
            }
        }
        self.shed(now);
        self.shared.look(now);
    }

    /// A new connection.
    ///
    /// # Errors
    /// When its address may not have another one, or is not known any more.
    pub(crate) fn accept(self: &Rc<Self>, stream: TcpStream) -> io::Result<Guarded> {
        let now = self.clock.look();
        let address = stream.peer_addr()?.ip();
        let peer = self.admit(address, now)?;
        let connection = self.opened();
        self.shed(now);
        Ok(Guarded::new(stream, connection, Rc::clone(self), peer))
    }

    fn admit(&self, address: IpAddr, now: u64) -> io::Result<Option<Peer>> {
        self.shared.addresses.open(address, now).map_err(|_| {
            self.shared.counts.turned_away();
            io::ErrorKind::ConnectionRefused.into()
        })
    }

    fn opened(&self) -> Rc<Connection> {
        let connection = Rc::new(Connection::new(Rc::clone(&self.clock)));
        let mut connections = self.connections.borrow_mut();
        connection.index.set(connections.len());
        connections.push(Rc::clone(&connection));
        self.shared.counts.opened();
        connection
    }

    /// A connection is gone.
    pub(super) fn closed(&self, connection: &Rc<Connection>, peer: Option<Peer>) {
        let mut connections = self.connections.borrow_mut();
        let index = connection.index.get();
        connections.swap_remove(index);
        if let Some(moved) = connections.get(index) {
            moved.index.set(index);
        }
        let now = self.clock.look();
        self.shared.counts.closed(connection.ended(&self.limits, SWEEP_MS, now));
        if let Some(peer) = peer {
            self.shared.addresses.close(peer, now);
        }
    }

    /// The HTTP library refused what came over a connection.
    pub(super) fn refused(&self, connection: &Connection, refusal: Refusal, peer: Option<Peer>) {
        self.shared.counts.refused(refusal);
        let is_garbage = refusal != Refusal::TimedOut;
        connection.has_fault(if is_garbage { Reason::Malformed } else { Reason::Request });
        if let Some(peer) = peer.filter(|_| is_garbage) {
            self.shared.addresses.malformed(peer, self.clock.now());
        }
    }

    /// Where as many connections are open as may be, ends the idlest, so that there is room for
    /// newcomers. Connections with a complete request in progress stay.
    fn shed(&self, now: u64) {
        let connections = self.connections.borrow();
        if connections.len() < self.limits.max_open {
            return;
        }
        let ending = connections.iter().filter(|connection| connection.ending().is_some()).count();
        let room = (self.limits.max_open / SHED_SHARE).max(1);
        let Some(count) = room.checked_sub(ending).filter(|count| *count > 0) else { return };
        let mut candidates: Vec<(u64, &Rc<Connection>)> = connections
            .iter()
            .filter_map(|connection| Some((connection.idleness(now)?, connection)))
            .collect();
        if candidates.len() > count {
            candidates.select_nth_unstable_by_key(count - 1, |(idleness, _)| u64::MAX - idleness);
        }
        for (_, connection) in candidates.iter().take(count) {
            connection.finish(Reason::Shed);
        }
    }
}
