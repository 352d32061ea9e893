//! Whether joins would be taken now: a write of their kind that changes nothing.

use crate::connection::Replicas;
use crate::error::Failure;
use crate::keys::Keys;
use crate::queue_client::{CommandClass, QueueClient};
use crate::scripts::PROBE;
use crate::settings::{Durability, RedisQueueSettings};

/// Writes to the slot of a queue as its joins do: over the same kind of connection, with the same
/// permissions and all the queue's keys, and, if joins wait for a replica, until a replica has it.
pub(crate) struct Probe {
    /// The keys of the queue, and the probe's own.
    keys: Vec<String>,
    replicas: Option<Replicas>,
}

impl Probe {
    pub(crate) fn of(settings: &RedisQueueSettings) -> Self {
        let replicas = match settings.durability {
            Durability::Primary => None,
            Durability::Replicated => {
                Some(Replicas { count: 1, within: settings.connection.answer / 2 })
            }
        };
        let mut keys = Keys::of(settings.queue).all();
        keys.push(format!("boxoffice:{{{}}}:probe", settings.queue));
        Self { keys, replicas }
    }

    /// Returns within the time limit of a command.
    pub(crate) async fn run(&self, redis: &QueueClient) -> Result<(), Failure> {
        let known = || Ok(Vec::new());
        redis
            .call(CommandClass::Probe(self.replicas), &PROBE, &self.keys, known, Vec::new())
            .await
            .map(drop)
    }
}
