//! A ready world for tests.

use std::sync::Arc;

use domain::queue::AdmissionPolicy;
use domain::{Clock, Timestamp};

use crate::{ManualClock, MemoryCatalog, MemoryQueue};

/// Noon of 4 May 2026 in UTC, in seconds since 1970: the sample's dates are on sale then.
const START: i64 = 1_777_896_000;

/// Three concerts, an empty queue, and a clock that moves only when the test moves it.
///
/// ```
/// let world = adapter_memory::MemoryWorld::default();
/// ```
pub struct MemoryWorld {
    /// The time of the queue. It starts at noon of 4 May 2026 in UTC.
    pub clock: Arc<ManualClock>,
    /// The first three concerts of the sample and their dates.
    pub catalog: Arc<MemoryCatalog>,
    /// A queue before its first join.
    pub queue: Arc<MemoryQueue>,
}

impl MemoryWorld {
    /// A world whose queue has this policy.
    #[must_use]
    pub fn with_policy(policy: AdmissionPolicy) -> Self {
        let start = Timestamp::from_second(START).unwrap_or(Timestamp::UNIX_EPOCH);
        let clock = Arc::new(ManualClock::at(start));
        let queue = Arc::new(MemoryQueue::new(policy, Arc::clone(&clock) as Arc<dyn Clock>));
        Self { clock, catalog: Arc::new(MemoryCatalog::sample(3, start)), queue }
    }
}

impl Default for MemoryWorld {
    /// A world whose queue has the default policy.
    fn default() -> Self {
        Self::with_policy(AdmissionPolicy::default())
    }
}
