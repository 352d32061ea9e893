//! The states and the transitions between them.

use std::fmt;

/// The state of a breaker. The numbers are those of Resilience4j.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum State {
    /// Healthy: permits every call and opens when a rate reaches its threshold.
    Closed = 0,
    /// Failing fast: permits no call until its wait is over.
    Open = 1,
    /// On trial: permits a few calls and decides by their outcomes.
    HalfOpen = 2,
    /// Switched off: permits every call and records none.
    Disabled = 3,
    /// Held open manually, until changed manually.
    ForcedOpen = 4,
    /// Permits every call, and reports when it would have opened.
    MetricsOnly = 5,
}

impl State {
    /// All states, by their numbers.
    pub const ALL: [Self; 6] = [
        Self::Closed,
        Self::Open,
        Self::HalfOpen,
        Self::Disabled,
        Self::ForcedOpen,
        Self::MetricsOnly,
    ];

    /// The name in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Disabled => "disabled",
            Self::ForcedOpen => "forced_open",
            Self::MetricsOnly => "metrics_only",
        }
    }

    /// Whether single calls are reported to listeners in this state.
    pub(super) const fn tells_of_calls(self) -> bool {
        !matches!(self, Self::Disabled | Self::ForcedOpen)
    }

    /// Whether this transition exists: half-open is reachable only from a state that may have
    /// refused calls, and a metrics-only breaker opens only when forced.
    pub(super) const fn leads_to(self, to: Self) -> bool {
        !matches!(
            (self, to),
            (Self::Closed, Self::HalfOpen) | (Self::MetricsOnly, Self::HalfOpen | Self::Open)
        )
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No such transition exists.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a circuit breaker does not go from {from} to {to}")]
pub struct IllegalTransition {
    /// The current state, which is kept.
    pub from: State,
    /// The requested state.
    pub to: State,
}
