//! Moves a slot between nodes of a cluster while it is in use.

use super::cluster::{RedisCluster, id, members_by};
use super::server::Redis;
use crate::error::{Outcome, failed};
use crate::process::{START_LIMIT, wait_until};

/// The number of keys per step, small so that other clients get served, and the time limit of a
/// step in milliseconds.
const BATCH: &str = "10";
const BATCH_LIMIT: &str = "5000";

impl RedisCluster {
    /// Moves the slot of a key, with all its keys, to another primary, as an operator does. Clients
    /// can continue to read and write, and are redirected meanwhile. All nodes know the new owner
    /// when this returns. Does nothing if that primary already has the slot.
    ///
    /// # Errors
    /// The error of a server, for example that the target is not a primary. The slot may then be
    /// partly moved.
    pub fn move_slot_of(&self, key: &str, to_primary: usize) -> Outcome {
        let from_primary = self.primary_of(key)?;
        if from_primary == to_primary {
            return Ok(());
        }
        let (from, to) = (&self.nodes()[from_primary], &self.nodes()[to_primary]);
        let (from_id, to_id) = (id(from)?, id(to)?);
        let number = self.slot_of(key)?;
        let slot = number.to_string();
        to.command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id])?;
        from.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id])?;
        move_keys(from, to, &slot)?;
        self.hand_over(&slot, [to, from], &to_id)?;
        wait_until("every node knows the slot's owner", START_LIMIT, || {
            self.awake().try_for_each(|node| knows(node, number, &to_id))
        })
    }

    /// The two nodes of the move come first, and of these the new owner: in the opposite order the
    /// slot would briefly have no owner. Replicas learn the change from their primaries.
    fn hand_over(&self, slot: &str, first: [&Redis; 2], to: &str) -> Outcome {
        let is_other = |node: &&Redis| !first.iter().any(|done| std::ptr::eq(*done, *node));
        for node in first.into_iter().chain(self.awake().filter(is_other)) {
            if node.info("replication")?.get("role")? == "master" {
                node.command(&["CLUSTER", "SETSLOT", slot, "NODE", to])?;
            }
        }
        Ok(())
    }
}

/// Ends, because the old node gets no new keys meanwhile.
fn move_keys(from: &Redis, to: &Redis, slot: &str) -> Outcome {
    let port = to.address().port().to_string();
    loop {
        let keys = from.command(&["CLUSTER", "GETKEYSINSLOT", slot, BATCH])?;
        if keys.is_empty() {
            return Ok(());
        }
        // A key counts in its old place until it is moved.
        let mut words =
            vec!["MIGRATE", "127.0.0.1", &port, "", "0", BATCH_LIMIT, "REPLACE", "KEYS"];
        words.extend(keys.lines());
        from.command(&words)?;
    }
}

/// Fails unless the node knows this owner of the slot.
fn knows(node: &Redis, slot: u16, owner: &str) -> Outcome {
    let members = members_by(node)?;
    let said = members.iter().find(|member| member.has(slot)).map(|member| &member.id);
    if said.is_some_and(|id| id == owner) {
        Ok(())
    } else {
        Err(failed(format!("its owner is {said:?}")))
    }
}
