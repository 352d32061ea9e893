//! Moving a slot from one node of a cluster to another, while it is used.

use super::cluster::{RedisCluster, id, members_by};
use super::server::Redis;
use crate::error::{Outcome, failed};
use crate::process::{START_LIMIT, wait_until};

/// Keys moved at a time, few so that others get their turn, and milliseconds that may take.
const BATCH: &str = "10";
const BATCH_LIMIT: &str = "5000";

impl RedisCluster {
    /// Moves the slot of a key, with all its keys, to another primary, the way an operator does; clients may go on
    /// reading and writing, and are sent from one to the other meanwhile. Every node knows when this returns. Nothing
    /// happens where it is there already.
    ///
    /// # Errors
    /// What a server said, such as that the other one is no primary. The slot may be half moved then.
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
        wait_until("every node knows where the slot is", START_LIMIT, || {
            self.awake().try_for_each(|node| knows(node, number, &to_id))
        })
    }

    /// The two it is about first, and of them the one that gets it: the other way round nobody would have it for a
    /// moment. Replicas hear of it from their primaries.
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

/// No new key comes to the old place meanwhile, so there is an end to it.
fn move_keys(from: &Redis, to: &Redis, slot: &str) -> Outcome {
    let port = to.address().port().to_string();
    loop {
        let keys = from.command(&["CLUSTER", "GETKEYSINSLOT", slot, BATCH])?;
        if keys.is_empty() {
            return Ok(());
        }
        // As long as a key is in its old place that is the one that counts.
        let mut words =
            vec!["MIGRATE", "127.0.0.1", &port, "", "0", BATCH_LIMIT, "REPLACE", "KEYS"];
        words.extend(keys.lines());
        from.command(&words)?;
    }
}

/// An error unless the node says that this one has the slot.
fn knows(node: &Redis, slot: u16, owner: &str) -> Outcome {
    let members = members_by(node)?;
    let said = members.iter().find(|member| member.has(slot)).map(|member| &member.id);
    if said.is_some_and(|id| id == owner) {
        Ok(())
    } else {
        Err(failed(format!("{said:?} has it")))
    }
}
