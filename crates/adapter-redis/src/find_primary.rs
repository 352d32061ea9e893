//! Finds the current primary of a queue.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use fred::types::Value;
use fred::util::redis_keyslot;
use futures_util::future::join_all;
use tokio::time::sleep;

use crate::address::{Access, Node, RedisAddress, Topology};
use crate::connection::{Connection, ConnectionSet, ConnectionSettings};
use crate::error::Failure;
use crate::queue_reply::array;
use crate::role::{Role, address_in};

/// Finds the primary of a key's slot and connects to it. All keys of a queue are in one slot, so a
/// queue needs only this one server: following a cluster means finding it again after it moves.
pub(crate) struct Primary {
    address: RedisAddress,
    slot: u16,
    settings: ConnectionSettings,
    /// Nodes to ask, next first: the sentinels, or the cluster nodes last reported and those
    /// configured.
    seen: VecDeque<Node>,
}

/// How often one sentinel is polled for a replaced primary.
const ASK_SENTINELS_EVERY: Duration = Duration::from_millis(500);

impl Primary {
    pub(crate) fn of(key: &str, address: RedisAddress, settings: ConnectionSettings) -> Self {
        let seen = match &address.topology {
            Topology::Cluster(nodes) | Topology::Sentinel { sentinels: nodes, .. } => nodes.clone(),
            Topology::Single(_) => Vec::new(),
        };
        let seen = seen.into();
        Self { slot: redis_keyslot(key.as_bytes()), address, settings, seen }
    }

    /// Connects to the primary, if any node knows it.
    pub(crate) async fn connect(&mut self) -> Result<ConnectionSet, Failure> {
        let node = match &self.address.topology {
            Topology::Single(node) => node.clone(),
            Topology::Sentinel { name, .. } => {
                let name = name.clone();
                self.ask_sentinels(&name).await?
            }
            Topology::Cluster(_) => self.query_cluster().await?,
        };
        let connections = self.connect_to(node).await?;
        match connections.role().await? {
            Role::Primary => return Ok(connections),
            // After a FAILOVER of the server itself the sentinels report the old primary for half a
            // minute.
            Role::ReplicaOf(node) if matches!(self.address.topology, Topology::Sentinel { .. }) => {
                let connections = self.connect_to(node).await?;
                if connections.is_primary().await? {
                    return Ok(connections);
                }
            }
            Role::ReplicaOf(_) | Role::Other => {}
        }
        if matches!(self.address.topology, Topology::Single(_)) {
            Err(Failure::Replica(connections.node.to_string()))
        } else {
            Err(Failure::NotPrimary(format!("{} is a replica", connections.node)))
        }
    }

    async fn connect_to(&self, node: Node) -> Result<ConnectionSet, Failure> {
        ConnectionSet::connect(node, &self.address.access, self.settings).await
    }

    /// Waits until most sentinels report another primary, and that server confirms its role. The
    /// old primary accepts writes for ten seconds and more, until a sentinel reconfigures it. Those
    /// writes are lost.
    pub(crate) async fn until_replaced(&self, node: &Node) {
        let Topology::Sentinel { sentinels, name } = &self.address.topology else {
            return std::future::pending().await;
        };
        let mut requested = sentinels.iter().cycle();
        loop {
            sleep(ASK_SENTINELS_EVERY).await;
            let Some(sentinel) = requested.next() else { continue };
            if !self.names_another(sentinel, name, node).await {
                continue;
            }
            let answers = sentinels.iter().map(|sentinel| self.names_another(sentinel, name, node));
            let others =
                join_all(answers).await.into_iter().filter(|names_another| *names_another).count();
            if 2 * others > sentinels.len() {
                return;
            }
        }
    }

    /// Whether this sentinel reports another primary whose role confirms it: sentinels may lag
    /// behind a failover by the server.
    async fn names_another(&self, sentinel: &Node, name: &str, node: &Node) -> bool {
        let arguments = vec![Value::from("GET-MASTER-ADDR-BY-NAME"), Value::from(name)];
        let answer =
            self.query_node(sentinel, &self.address.sentinels, "SENTINEL", arguments).await;
        let Some(named) = answer.ok().and_then(|answer| address_in(&answer, sentinel)) else {
            return false;
        };
        if named == *node {
            return false;
        }
        let role = self.query_node(&named, &self.address.access, "ROLE", Vec::new()).await;
        role.is_ok_and(|role| Role::of(&role, &named) == Role::Primary)
    }

    /// Returns the answer of the first sentinel that knows the primary. That sentinel is asked last
    /// the next time, since the others may know better. The caller verifies the server's role.
    async fn ask_sentinels(&mut self, name: &str) -> Result<Node, Failure> {
        let mut last = Failure::NoConnection("no sentinel is configured".to_owned());
        for _ in 0..self.seen.len() {
            self.seen.rotate_left(1);
            let Some(sentinel) = self.seen.back() else { break };
            let arguments = vec![Value::from("GET-MASTER-ADDR-BY-NAME"), Value::from(name)];
            match self.query_node(sentinel, &self.address.sentinels, "SENTINEL", arguments).await {
                Ok(answer) => match address_in(&answer, sentinel) {
                    Some(node) => return Ok(node),
                    None => {
                        last = Failure::Refused(format!("{sentinel} knows no primary `{name}`"));
                    }
                },
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    /// Returns the answer of the first node that knows the slot's owner. That node is asked last
    /// the next time, since the others may know better.
    async fn query_cluster(&mut self) -> Result<Node, Failure> {
        let mut last = Failure::NoConnection("no node is configured".to_owned());
        for _ in 0..self.seen.len() {
            self.seen.rotate_left(1);
            let Some(node) = self.seen.back().cloned() else { break };
            let slots = vec![Value::from("SLOTS")];
            match self.query_node(&node, &self.address.access, "CLUSTER", slots).await {
                Ok(slots) => match self.learn(&slots, &node) {
                    Some(owner) => return Ok(owner),
                    None => {
                        last =
                            Failure::NotYet(format!("{node} knows no owner of slot {}", self.slot));
                    }
                },
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    /// Reads the answer to `CLUSTER SLOTS`: ranges with their nodes, the primary first.
    fn learn(&mut self, slots: &Value, requested: &Node) -> Option<Node> {
        let mut owner = None;
        let mut named = Vec::new();
        for range in array(slots) {
            let [from, to, nodes @ ..] = array(range) else { continue };
            let nodes: Vec<Node> =
                nodes.iter().filter_map(|node| address_in(node, requested)).collect();
            let covers = |slot: i64| from.as_i64() <= Some(slot) && Some(slot) <= to.as_i64();
            if covers(self.slot.into()) {
                owner = nodes.first().cloned();
            }
            named.extend(nodes);
        }
        if owner.is_some() {
            // Forgets nodes that are no longer listed, except the configured ones and the one just
            // asked.
            if let Topology::Cluster(configured) = &self.address.topology {
                named.extend(configured.iter().cloned());
            }
            let mut once = HashSet::from([requested.clone()]);
            self.seen = named.into_iter().filter(|node| once.insert(node.clone())).collect();
            self.seen.push_back(requested.clone());
        }
        owner
    }

    async fn query_node(
        &self,
        node: &Node,
        access: &Access,
        command: &'static str,
        arguments: Vec<Value>,
    ) -> Result<Value, Failure> {
        let connection = Connection::connect(node, access, self.settings).await?;
        connection.send(command, arguments).await
    }
}
