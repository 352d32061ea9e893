//! The connections of one worker, which sweeps them twice a second.

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::address::Peer;
use super::clock::Clock;
use super::counts::{Reason, Refusal};
use super::state::Connection;
use super::{Limits, Shared};

/// Time between two sweeps, in milliseconds. A limit holds to within twice this.
const SWEEP_MS: u64 = 500;

/// A full worker sheds one connection in this many at once, and at least one: finding the idlest
/// means checking them all.
const SHED_SHARE: usize = 64;

/// The connections of one worker. It stays on its thread.
#[derive(Debug)]
pub(crate) struct Worker {
    limits: Limits,
    shared: Shared,
    clock: Rc<Clock>,
    connections: RefCell<Vec<Rc<Connection>>>,
}

impl Worker {
    /// Creates a worker without connections and spawns its sweep. Must be called on the worker's
    /// thread.
    pub(crate) fn start(limits: Limits, shared: Shared) -> Rc<Self> {
        let worker = Rc::new(Self::new(limits, shared));
        actix_web::rt::spawn(Rc::clone(&worker).check_regularly());
        worker
    }

    fn new(limits: Limits, shared: Shared) -> Self {
        let clock = Rc::new(Clock::new(shared.began));
        clock.refresh();
        Self { limits, shared, clock, connections: RefCell::default() }
    }

    async fn check_regularly(self: Rc<Self>) {
        let mut looks = interval(Duration::from_millis(SWEEP_MS));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            self.refresh();
        }
    }

    /// Ends overdue connections, and the idlest ones if the worker is full.
    fn refresh(&self) {
        let now = self.clock.refresh();
        for connection in self.connections.borrow().iter() {
            let overdue = || connection.overdue(&self.limits, SWEEP_MS, now);
            // A connection that has not ended despite its reason is woken again.
            if let Some(reason) = connection.ending().or_else(overdue) {
                connection.finish(reason);
            }
        }
        self.shed(now);
        self.shared.refresh(now);
    }

    /// A connection from this address opens: its state, and the account of the address.
    ///
    /// # Errors
    /// If the address may not have another one.
    pub(super) fn open(&self, address: IpAddr) -> io::Result<(Rc<Connection>, Option<Peer>)> {
        let now = self.clock.refresh();
        let peer = self.admit(address, now)?;
        let connection = self.opened();
        self.shed(now);
        Ok((connection, peer))
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

    /// Removes a connection that ended.
    pub(super) fn closed(&self, connection: &Rc<Connection>, peer: Option<Peer>) {
        let mut connections = self.connections.borrow_mut();
        let index = connection.index.get();
        connections.swap_remove(index);
        if let Some(moved) = connections.get(index) {
            moved.index.set(index);
        }
        let now = self.clock.refresh();
        self.shared.counts.closed(connection.ended(&self.limits, SWEEP_MS, now));
        if let Some(peer) = peer {
            self.shared.addresses.close(peer, now);
        }
    }

    /// Counts input that was refused on a connection.
    pub(super) fn refused(&self, connection: &Connection, refusal: Refusal, peer: Option<Peer>) {
        self.shared.counts.refused(refusal);
        let is_garbage = refusal != Refusal::TimedOut;
        connection.has_fault(if is_garbage { Reason::Malformed } else { Reason::Request });
        if let Some(peer) = peer.filter(|_| is_garbage) {
            self.shared.addresses.malformed(peer, self.clock.now());
        }
    }

    /// If the worker is full, ends its idlest connections to make room for new ones. Connections
    /// with a complete request in progress stay.
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
