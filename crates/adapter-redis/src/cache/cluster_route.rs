//! Routes commands to the server that has a key.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bb8_redis::redis::Value;
use connection_pool::{Meter, PoolState};
use fred::util::redis_keyslot;
use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::connection::{Connector, Request, Target};
use super::failure::Failure;
use super::pool::{CachePoolSettings, Pool};
use crate::address::{Access, Node, RedisAddress, Topology};

/// The route to the server that has a key.
pub(super) enum Route {
    /// A single server.
    One(Pool),
    Cluster(Box<Cluster>),
}

/// The primaries of a cluster, each with its own pool, so that one that is down does not block the
/// others. Slot owners are learned from redirections: any node knows them, also after a failover.
pub(super) struct Cluster {
    seeds: Vec<Node>,
    access: Access,
    settings: CachePoolSettings,
    meter: Arc<Meter>,
    runtime: Handle,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    pools: HashMap<Node, Pool>,
    owners: HashMap<u16, Node>,
    /// Position of the next node to ask about a slot without a known owner.
    next: usize,
}

/// Maximum redirections of a command. One is normal while slots migrate, two if they move again
/// meanwhile.
const REDIRECTIONS: u32 = 5;

/// First and longest pause before retrying a server that cannot answer yet.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

impl Route {
    pub(super) fn open(
        address: RedisAddress,
        settings: CachePoolSettings,
        meter: Arc<Meter>,
        runtime: Handle,
    ) -> Self {
        let RedisAddress { topology, access, sentinels: entry } = address;
        let limit = settings.connect;
        let target = match topology {
            Topology::Single(node) => Target::Node(node),
            Topology::Sentinel { sentinels, name } => {
                Target::Watched { sentinels, name, access: entry, first: AtomicUsize::new(0) }
            }
            Topology::Cluster(seeds) => {
                let settings = CachePoolSettings { min_idle: 0, ..settings };
                let known = Mutex::default();
                let cluster = Cluster { seeds, access, settings, meter, runtime, known };
                return Self::Cluster(Box::new(cluster));
            }
        };
        Self::One(Pool::open(Connector { target, access, limit }, &settings, meter, runtime))
    }

    /// Sends a command to the server that has this key.
    pub(super) async fn run(&self, key: &str, request: Request) -> Result<Value, Failure> {
        match self {
            Self::One(pool) => pool.run(request, false).await,
            Self::Cluster(cluster) => cluster.run(redis_keyslot(key.as_bytes()), request).await,
        }
    }

    /// Adds the open connections to a state.
    pub(super) fn add_to(&self, state: &mut PoolState) {
        match self {
            Self::One(pool) => pool.add_to(state),
            Self::Cluster(cluster) => {
                cluster.known().pools.values().for_each(|pool| pool.add_to(state));
            }
        }
    }

    /// Sends a command to every known primary at once. Primaries that do not answer are left out.
    pub(super) async fn query_primaries(&self, request: &Request) -> Vec<Value> {
        let pools = match self {
            Self::One(pool) => vec![pool.clone()],
            Self::Cluster(cluster) => cluster.primaries(),
        };
        let requested = pools.iter().map(|pool| pool.run(request.clone(), false));
        join_all(requested).await.into_iter().flatten().collect()
    }

    /// Sends a command to any server.
    pub(super) async fn query_any(&self, request: Request) -> Result<Value, Failure> {
        match self {
            Self::One(pool) => pool.run(request, false).await,
            Self::Cluster(cluster) => cluster.query_any(request).await,
        }
    }
}

impl Cluster {
    /// Retries until the owner of the slot answers. Redirections take negligible time. Waiting for
    /// a cluster that cannot answer yet, or for unreachable nodes, is limited by the time a call
    /// may wait for a connection.
    #[expect(clippy::wildcard_enum_match_arm, reason = "`follow` names them all")]
    async fn run(&self, slot: u16, request: Request) -> Result<Value, Failure> {
        let give_up = Instant::now() + self.settings.acquire;
        let mut search =
            Search { node: self.owner(slot), asking: false, redirections: 0, down: Vec::new() };
        let mut pause = PAUSES.0;
        loop {
            let failure = match self.pool(&search.node).run(request.clone(), search.asking).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let may_wait = Instant::now() < give_up;
            match failure {
                Failure::NotYet(_) if may_wait => {
                    search =
                        Search { node: self.owner(slot), asking: false, redirections: 0, ..search };
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
                Failure::NoConnection(_) if !may_wait => {
                    self.known().owners.remove(&slot);
                    return Err(failure);
                }
                failure => self.follow(slot, &mut search, failure)?,
            }
        }
    }

    /// Chooses the next node after this failure; returns the failure if none can help.
    fn follow(&self, slot: u16, search: &mut Search, failure: Failure) -> Result<(), Failure> {
        search.asking = false;
        match failure {
            Failure::Moved(ref to) | Failure::Ask(ref to) if search.redirections < REDIRECTIONS => {
                search.redirections += 1;
                search.asking = matches!(failure, Failure::Ask(_));
                search.node = to.clone().from(&search.node);
                if !search.asking {
                    self.known().owners.insert(slot, search.node.clone());
                }
                // A node that is down for us may be up for the others.
                if search.down.contains(&search.node) { Err(failure) } else { Ok(()) }
            }
            Failure::NoConnection(_) | Failure::NotPrimary(_) => {
                self.known().owners.remove(&slot);
                search.down.push(search.node.clone());
                search.node = self.anybody_but(&search.down).ok_or(failure)?;
                Ok(())
            }
            Failure::Unknown(_) => {
                // It may have failed over: the next call asks another node.
                self.known().owners.remove(&slot);
                Err(failure)
            }
            failure @ (Failure::Moved(_)
            | Failure::Ask(_)
            | Failure::NotYet(_)
            | Failure::NoScript
            | Failure::Refused(_)
            | Failure::Busy(_)
            | Failure::Corrupt(_)) => Err(failure),
        }
    }

    async fn query_any(&self, request: Request) -> Result<Value, Failure> {
        let mut down = Vec::new();
        let mut last = Failure::NoConnection("no node is known".to_owned());
        while let Some(node) = self.anybody_but(&down) {
            match self.pool(&node).run(request.clone(), false).await {
                Err(failure @ (Failure::NoConnection(_) | Failure::Unknown(_))) => last = failure,
                answer => return answer,
            }
            down.push(node);
        }
        Err(last)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn owner(&self, slot: u16) -> Node {
        let owner = self.known().owners.get(&slot).cloned();
        owner.or_else(|| self.anybody_but(&[])).unwrap_or_else(|| self.seeds[0].clone())
    }

    /// Pools of all known slot owners; before any is known, of all nodes contacted so far.
    fn primaries(&self) -> Vec<Pool> {
        let owners: HashSet<Node> = self.known().owners.values().cloned().collect();
        if owners.is_empty() {
            return self.known().pools.values().cloned().collect();
        }
        owners.iter().map(|node| self.pool(node)).collect()
    }

    /// The next node in rotation, configured or owning a slot, that is not down.
    fn anybody_but(&self, down: &[Node]) -> Option<Node> {
        let mut known = self.known();
        let owners: HashSet<&Node> =
            known.owners.values().filter(|node| !self.seeds.contains(node)).collect();
        let nodes: Vec<Node> = self.seeds.iter().chain(owners).cloned().collect();
        known.next += 1;
        let turn = known.next % nodes.len().max(1);
        let (before, from) = nodes.split_at(turn);
        from.iter().chain(before).find(|node| !down.contains(node)).cloned()
    }

    /// The pool of a node. A new pool evicts those of nodes that have left the cluster.
    fn pool(&self, node: &Node) -> Pool {
        let mut known = self.known();
        let Known { pools, owners, .. } = &mut *known;
        if let Some(pool) = pools.get(node) {
            return pool.clone();
        }
        pools.retain(|node, _| {
            self.seeds.contains(node) || owners.values().any(|owner| owner == node)
        });
        let target = Target::Node(node.clone());
        let connector =
            Connector { target, access: self.access.clone(), limit: self.settings.connect };
        let pool =
            Pool::open(connector, &self.settings, Arc::clone(&self.meter), self.runtime.clone());
        pools.insert(node.clone(), pool.clone());
        pool
    }
}

/// A command on its way through the cluster.
struct Search {
    /// The node to ask next.
    node: Node,
    /// Whether the key is only migrating to this node.
    asking: bool,
    redirections: u32,
    /// Nodes that cannot be reached.
    down: Vec<Node>,
}
