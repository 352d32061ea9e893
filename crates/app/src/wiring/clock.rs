//! [`Clock`]: the system clock, and a steady one for the queue.

use std::sync::Arc;

use adapter_memory::{SteadyClock, SystemClock};
use domain::Clock;

/// The time of day, for sales that open at a given time.
pub(crate) fn wall_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// For calls and sessions, which last for a duration: an adjusted system clock must neither end nor
/// extend them.
pub(crate) fn steady_clock() -> Arc<dyn Clock> {
    Arc::new(SteadyClock::starting_at(SystemClock.now()))
}
