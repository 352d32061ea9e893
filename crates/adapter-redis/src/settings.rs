//! Settings of the queue store.

use std::time::Duration;

use domain::queue::{AdmissionPolicy, QueueId};

use crate::connection::ConnectionSettings;
use crate::join_batcher::Batching;

/// When a join counts as done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Durability {
    /// When the primary has it. A primary that dies may lose its last joins: nodes then replay the
    /// joins they remember to its successor, and no number is given twice.
    #[default]
    Primary,
    /// When a replica has it too: a failover to that replica loses nothing.
    Replicated,
}

/// Settings of a [`RedisQueue`](crate::RedisQueue).
#[derive(Clone, Debug)]
pub struct RedisQueueSettings {
    /// The queue.
    pub queue: QueueId,
    /// The admission policy; the same on every node.
    pub policy: AdmissionPolicy,
    /// When a join counts as done.
    pub durability: Durability,
    /// How joins are batched.
    pub batching: Batching,
    /// The lifetime of a token. Keys that grow with the number of users are kept for thirty times
    /// this long after the last refresh of any node.
    pub lifetime: Duration,
    /// How recent the last refresh must be for this node to answer for a session it remembers
    /// without a call to Redis.
    pub remember: Duration,
    /// How long calls and new numbers pause after a loss, and after a restart or failover, since
    /// its loss may be undetected so far. Within this time every node must find the server and
    /// refresh its view of the queue.
    pub recovery: Duration,
    /// Whether numbers are reserved in a checkpoint. If so, the queue stays closed after a loss
    /// until the checkpoint is read.
    pub needs_checkpoint: bool,
    /// Limits of the connections.
    pub connection: ConnectionSettings,
}
