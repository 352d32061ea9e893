//! The checkpoint store, observed.

use std::sync::Arc;

use async_trait::async_trait;
use domain::PortError;
use domain::queue::{Checkpoint, CheckpointStore, QueueId};

use super::{Instrumented, Observable, Observer};

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl CheckpointStore for Instrumented<dyn CheckpointStore> {
    async fn load(&self, queue: QueueId) -> Result<Option<Checkpoint>, PortError> {
        self.watch("checkpoint_load", self.inner.load(queue)).await
    }

    async fn save(&self, queue: QueueId, checkpoint: Checkpoint) -> Result<Checkpoint, PortError> {
        self.watch("checkpoint_save", self.inner.save(queue, checkpoint)).await
    }
}

impl Observable for dyn CheckpointStore {
    fn observed(self: Arc<Self>, observer: Arc<dyn Observer>) -> Arc<Self> {
        Arc::new(Instrumented { inner: self, observer })
    }
}
