//! [`Clock`]: the system clock, and a steady one for the queue.

use std::sync::Arc;

use adapter_memory::{SteadyClock, SystemClock};
use domain::Clock;

pub(crate) struct Clocks {
    /// The time of day, for sales that open at a given time.
    pub(crate) wall: Arc<dyn Clock>,
    /// For calls and sessions, which last for a duration: an adjusted system clock must neither end
    /// nor extend them.
    pub(crate) steady: Arc<dyn Clock>,
}

pub(crate) fn clocks(given: Option<Arc<dyn Clock>>) -> Clocks {
    match given {
        Some(clock) => Clocks { wall: Arc::clone(&clock), steady: clock },
        None => Clocks {
            wall: Arc::new(SystemClock),
            steady: Arc::new(SteadyClock::starting_at(SystemClock.now())),
        },
    }
}
