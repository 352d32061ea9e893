//! [`Clock`]: the machine's, and a steady one for the line.

use std::sync::Arc;

use adapter_memory::{SteadyClock, SystemClock};
use domain::Clock;

/// What time it is, for sales that open at a time of day.
pub(crate) fn wall_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// How time passes, for calls and sessions that last: a corrected wall clock must neither end nor freeze them.
pub(crate) fn steady_clock() -> Arc<dyn Clock> {
    Arc::new(SteadyClock::starting_at(SystemClock.now()))
}
