//! Checkpoints in memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use domain::PortError;
use domain::queue::{Checkpoint, CheckpointStore, QueueId};

/// Checkpoints of lines, as durable as this value: shared behind an `Arc`, they outlive a store, not the process.
#[derive(Debug, Default)]
pub struct MemoryCheckpoints(Mutex<HashMap<QueueId, Checkpoint>>);

#[async_trait]
impl CheckpointStore for MemoryCheckpoints {
    async fn load(&self, queue: QueueId) -> Result<Option<Checkpoint>, PortError> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(remembered.get(&queue).copied())
    }

    async fn save(&self, queue: QueueId, checkpoint: Checkpoint) -> Result<Checkpoint, PortError> {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered.get(&queue).copied().unwrap_or(checkpoint);
        let raised = known.raised_to(checkpoint);
        remembered.insert(queue, raised);
        Ok(raised)
    }
}
