//! Events a breaker sends to its listeners.

use std::sync::Arc;
use std::time::Duration;

use super::State;

/// Receives events. The breaker calls it on the caller's thread, outside the lock; it may call the
/// breaker.
pub type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// A change of a breaker, or the outcome of one call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// Change: a transition between two states.
    StateTransition {
        /// The state before.
        from: State,
        /// The state after.
        to: State,
    },
    /// Change: a manual reset to closed, with an empty window.
    Reset,
    /// Change: the failure rate reached its threshold, in a closed or metrics-only breaker.
    FailureRateExceeded {
        /// The rate, in percent.
        rate: f64,
    },
    /// Change: the rate of slow calls reached its threshold, in a closed or metrics-only breaker.
    SlowCallRateExceeded {
        /// The rate, in percent.
        rate: f64,
    },
    /// Call: it succeeded.
    Success {
        /// How long it took.
        took: Duration,
    },
    /// Call: it failed.
    Error {
        /// How long it took.
        took: Duration,
    },
    /// Call: it failed in a way that says nothing about the dependency.
    IgnoredError,
    /// Call: it was not permitted.
    NotPermitted,
}
