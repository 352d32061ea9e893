//! Whether joins would be taken now: a write of their kind that changes nothing.

use crate::error::Failure;
use crate::keys::Keys;
use crate::link::Replicas;
use crate::queue::{Durability, RedisQueueSettings};
use crate::redis::{Redis, Via};
use crate::scripts::PROBE;

/// Writes to the slot of a queue as its joins do: on a connection of their kind, with their
/// permissions, with all of their keys, and where joins wait for a replica, until a replica has it.
pub(crate) struct Probe {
    /// Those of the queue, and one of its own.
    keys: Vec<String>,
    replicas: Option<Replicas>,
}

impl Probe {
    pub(crate) fn of(settings: &RedisQueueSettings) -> Self {
        let replicas = match settings.durability {
            Durability::Primary => None,
            Durability::Replicated => Some(Replicas { count: 1, within: settings.link.answer / 2 }),
        };
        let mut keys = Keys::of(settings.queue).all();
        keys.push(format!("boxoffice:{{{}}}:probe", settings.queue));
        Self { keys, replicas }
    }

    /// Ends within the limit of an answer.
    pub(crate) async fn run(&self, redis: &Redis) -> Result<(), Failure> {
        let known = || Ok(Vec::new());
        redis.call(Via::Probe(self.replicas), &PROBE, &self.keys, known, Vec::new()).await.map(drop)
    }
}
