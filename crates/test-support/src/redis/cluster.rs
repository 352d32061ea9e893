//! A private Redis cluster.

use std::net::SocketAddr;
use std::time::Duration;

use super::binaries::RedisBinaries;
use super::cli::Fields;
use super::cluster_view::{Member, essence, members};
use super::server::{Redis, is_settled};
use super::setup::RedisSetup;
use crate::error::{Outcome, failed};
use crate::process::{START_LIMIT, wait_until};

/// Primaries with replicas that take over when a primary is down for two seconds. Tests can kill,
/// freeze and restart nodes; commands to the cluster then go to the others.
pub struct RedisCluster {
    /// The primaries first.
    nodes: Vec<Redis>,
}

const SLOTS: usize = 16384;

impl RedisCluster {
    /// Starts a cluster, which is complete when this returns. The initial primaries come first in
    /// every list, then one replica of each, and so on.
    ///
    /// # Errors
    /// The cause; after 60 s, the condition that is not met.
    pub fn start(
        binaries: &RedisBinaries,
        primaries: usize,
        replicas_each: usize,
    ) -> Outcome<Self> {
        Self::start_with(binaries, &RedisSetup::default(), primaries, replicas_each)
    }

    /// As [`start`](Self::start), with this setup for every node.
    ///
    /// # Errors
    /// As above.
    pub fn start_with(
        binaries: &RedisBinaries,
        setup: &RedisSetup,
        primaries: usize,
        replicas_each: usize,
    ) -> Outcome<Self> {
        let start = |_| Redis::start(binaries, setup.clone().cluster());
        let nodes = (0..primaries * (1 + replicas_each)).map(start).collect::<Outcome<Vec<_>>>()?;
        let cluster = Self { nodes };
        cluster.deal(primaries)?;
        cluster.introduce()?;
        cluster.give_replicas(primaries)?;
        cluster.wait_until_whole(START_LIMIT)?;
        Ok(cluster)
    }

    /// The addresses of all nodes, including those that are down.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Redis::address).collect()
    }

    /// The nodes, in the order of the addresses.
    #[must_use]
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// Runs a command through `redis-cli`, which follows redirections; see [`Redis::command`].
    ///
    /// # Errors
    /// The server's error, or that a node of the command cannot be reached.
    pub fn command(&self, words: &[&str]) -> Outcome<String> {
        self.any()?.request(&["-c"], words)
    }

    /// The index of the node that has the slot of this key, by the newest view among the nodes.
    /// That node may be down.
    ///
    /// # Errors
    /// If no node answers, or the slot has no owner.
    pub fn primary_of(&self, key: &str) -> Outcome<usize> {
        let (primary, _) = self.shard_of(key)?;
        Ok(primary)
    }

    /// The index of a replica of that node that is neither killed nor frozen.
    ///
    /// # Errors
    /// As above, or if there is no such replica.
    pub fn replica_of(&self, key: &str) -> Outcome<usize> {
        let (_, replicas) = self.shard_of(key)?;
        let awake = replicas.into_iter().find(|node| self.nodes[*node].is_awake());
        awake.ok_or_else(|| failed(format!("the primary of {key} has no replica")))
    }

    /// Waits until the nodes that are neither killed nor frozen form a complete cluster: they know
    /// and do not suspect each other, agree on slots and replicas, have all slots, and each replica
    /// is connected to its primary and would keep its data after a restart.
    ///
    /// # Errors
    /// If that takes longer than the limit: with the reason.
    pub fn wait_until_whole(&self, limit: Duration) -> Outcome {
        wait_until("the cluster is complete", limit, || self.check())
    }

    /// Assigns slots to the first nodes, and a distinct epoch to every node, so that they need not
    /// resolve conflicts.
    fn deal(&self, primaries: usize) -> Outcome {
        for (index, node) in self.nodes.iter().enumerate() {
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()])?;
            if index < primaries {
                let (first, next) = (SLOTS * index / primaries, SLOTS * (index + 1) / primaries);
                let (first, last) = (first.to_string(), (next - 1).to_string());
                node.command(&["CLUSTER", "ADDSLOTSRANGE", &first, &last])?;
            }
        }
        Ok(())
    }

    /// Introduces every node to every other, since gossip takes time.
    fn introduce(&self) -> Outcome {
        for (index, node) in self.nodes.iter().enumerate() {
            for other in &self.nodes[index + 1..] {
                let (port, bus_port) =
                    (other.cluster_port().to_string(), other.bus_port().to_string());
                node.command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus_port])?;
            }
        }
        wait_until("the nodes know each other", START_LIMIT, || {
            self.awake().try_for_each(|node| self.knows_the_others(&members_by(node)?))
        })
    }

    fn give_replicas(&self, primaries: usize) -> Outcome {
        let (primaries, replicas) = self.nodes.split_at(primaries);
        for (replica, primary) in replicas.iter().zip(primaries.iter().cycle()) {
            replica.command(&["CLUSTER", "REPLICATE", &id(primary)?])?;
        }
        Ok(())
    }

    /// The nodes that can answer.
    pub(super) fn awake(&self) -> impl Iterator<Item = &Redis> {
        self.nodes.iter().filter(|node| node.is_awake())
    }

    fn any(&self) -> Outcome<&Redis> {
        self.awake().next().ok_or_else(|| failed("no node of the cluster runs"))
    }

    pub(super) fn slot_of(&self, key: &str) -> Outcome<u16> {
        let slot = self.any()?.command(&["CLUSTER", "KEYSLOT", key])?;
        slot.parse().map_err(|_| failed(format!("{slot} is not a slot")))
    }

    /// The owner of a key's slot, and its replicas.
    fn shard_of(&self, key: &str) -> Outcome<(usize, Vec<usize>)> {
        let slot = self.slot_of(key)?;
        let views = self.awake().filter_map(|node| members_by(node).ok());
        // A view has one owner per slot.
        let owner = |view: &Vec<Member>| {
            view.iter().find(|member| member.has(slot)).map(|member| member.epoch)
        };
        let latest = views.max_by_key(owner).unwrap_or_default();
        let owner = latest.iter().find(|member| member.has(slot));
        let owner = owner.ok_or_else(|| failed(format!("slot {slot} has no owner")))?;
        let index = |member: &Member| {
            self.nodes.iter().position(|node| Some(node.address()) == member.address)
        };
        let replicas = latest.iter().filter(|member| member.primary.as_ref() == Some(&owner.id));
        let primary =
            index(owner).ok_or_else(|| failed(format!("{owner:?} is not one of the nodes")))?;
        Ok((primary, replicas.filter_map(index).collect()))
    }

    fn check(&self) -> Outcome {
        let mut agreed: Option<Vec<String>> = None;
        self.any()?;
        for node in self.awake() {
            let members = self.of_awake_ones(members_by(node)?)?;
            self.knows_the_others(&members)?;
            let essence = essence(&members);
            if agreed.get_or_insert_with(|| essence.clone()) != &essence {
                return Err(failed("the nodes do not agree"));
            }
            let state = Fields(node.command(&["CLUSTER", "INFO"])?);
            state.expect("cluster_state", "ok")?;
            state.expect("cluster_slots_ok", &SLOTS.to_string())?;
            is_settled(&node.info("default")?)?;
        }
        Ok(())
    }

    /// Keeps only the members that can answer; fails while another member has slots.
    fn of_awake_ones(&self, members: Vec<Member>) -> Outcome<Vec<Member>> {
        let is_awake =
            |member: &Member| self.awake().any(|node| Some(node.address()) == member.address);
        let (awake, others): (Vec<_>, Vec<_>) = members.into_iter().partition(is_awake);
        match others.iter().find(|other| !other.slots.is_empty()) {
            Some(other) => Err(failed(format!("{other:?} has slots"))),
            None => Ok(awake),
        }
    }

    fn knows_the_others(&self, members: &[Member]) -> Outcome {
        if let Some(unwell) = members.iter().find(|member| !member.is_well) {
            return Err(failed(format!("unhealthy: {unwell:?}")));
        }
        let (known, all) = (members.len(), self.awake().count());
        if known == all { Ok(()) } else { Err(failed(format!("a node knows {known} of {all}"))) }
    }
}

/// The id of a node in its cluster.
pub(super) fn id(node: &Redis) -> Outcome<String> {
    node.command(&["CLUSTER", "MYID"])
}

pub(super) fn members_by(node: &Redis) -> Outcome<Vec<Member>> {
    members(&node.command(&["CLUSTER", "NODES"])?)
}
