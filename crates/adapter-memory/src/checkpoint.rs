//! Checkpoints in memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use domain::PortError;
use domain::queue::{Checkpoint, CheckpointStore, QueueId};

/// Queue checkpoints that live as long as this value. Shared behind an `Arc`, they survive the loss
/// of a store, but not of the process.
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
