//! Whether joins would be taken now: a write of their kind that changes nothing.

use crate::error::Failure;
use crate::link::Replicas;
use crate::queue::{Durability, RedisQueueSettings};
use crate::redis::{Redis, Via};
use crate::scripts::PROBE;

/// Writes to the slot of a queue as its joins do: on a connection of their kind, with their
/// permissions, and where joins wait for a replica, until a replica has it.
pub(crate) struct Probe {
    key: String,
    replicas: Option<Replicas>,
}

impl Probe {
    pub(crate) fn of(settings: &RedisQueueSettings) -> Self {
        let replicas = match settings.durability {
            Durability::Primary => None,
            Durability::Replicated => Some(Replicas { count: 1, within: settings.link.answer / 2 }),
        };
        Self { key: format!("boxoffice:{{{}}}:probe", settings.queue), replicas }
    }

    /// Ends within the limit of an answer.
    pub(crate) async fn run(&self, redis: &Redis) -> Result<(), Failure> {
        let keys = std::slice::from_ref(&self.key);
        redis.call(Via::Probe(self.replicas), &PROBE, keys, || Ok(Vec::new()), Vec::new()).await.map(drop)
    }
}
