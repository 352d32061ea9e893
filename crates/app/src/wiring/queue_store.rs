//! [`QueueStore`]: by `queue.store`.

use std::sync::Arc;

use adapter_memory::MemoryQueue;
use domain::Clock;
use domain::queue::{AdmissionPolicy, QueueStore};

use crate::config::QueueStoreKind;

pub(crate) fn queue_store(
    kind: QueueStoreKind,
    policy: AdmissionPolicy,
    clock: Arc<dyn Clock>,
) -> Arc<dyn QueueStore> {
    match kind {
        QueueStoreKind::Memory => Arc::new(MemoryQueue::new(policy, clock)),
    }
}
