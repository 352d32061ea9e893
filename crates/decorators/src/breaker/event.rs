//! What a breaker tells those who listen.

use std::sync::Arc;
use std::time::Duration;

use super::State;

/// Hears events. It is called on the thread of the caller, outside the lock, and may ask the breaker anything.
pub type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// Something that happened to a breaker or to one call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A change: from one state to another.
    StateTransition {
        /// The state before.
        from: State,
        /// The state after.
        to: State,
    },
    /// A change: back to closed by hand, with an empty window.
    Reset,
    /// A change: the failure rate reached its threshold, in a breaker that is closed or only measures.
    FailureRateExceeded {
        /// The rate, in percent.
        rate: f64,
    },
    /// A change: the rate of slow calls reached its threshold, in a breaker that is closed or only measures.
    SlowCallRateExceeded {
        /// The rate, in percent.
        rate: f64,
    },
    /// A call: it succeeded.
    Success {
        /// How long it took.
        took: Duration,
    },
    /// A call: it failed.
    Error {
        /// How long it took.
        took: Duration,
    },
    /// A call: it failed in a way that says nothing about the dependency.
    IgnoredError,
    /// A call: it was not let through.
    NotPermitted,
}
