//! The states and the ways between them.

use std::fmt;

/// What a breaker does with those who ask. The numbers are those of Resilience4j.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum State {
    /// Healthy: lets every call through and opens when a rate reaches its threshold.
    Closed = 0,
    /// Failing fast: lets no call through until its wait is over.
    Open = 1,
    /// On trial: lets a few calls through and decides by their outcomes.
    HalfOpen = 2,
    /// Switched off: lets every call through and looks at none.
    Disabled = 3,
    /// Held open by hand, until it is changed by hand.
    ForcedOpen = 4,
    /// Lets every call through, and tells when it would have opened.
    MetricsOnly = 5,
}

impl State {
    /// All of them, by their numbers.
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

    /// Whether single calls are told of in it.
    pub(super) const fn tells_of_calls(self) -> bool {
        !matches!(self, Self::Disabled | Self::ForcedOpen)
    }

    /// Whether there is a way to that state: a trial needs a state that may have held calls back, and a breaker that only
    /// measures opens by order alone.
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

/// There is no way between these states.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a circuit breaker does not go from {from} to {to}")]
pub struct IllegalTransition {
    /// The state it is in, and stays in.
    pub from: State,
    /// The state that was asked for.
    pub to: State,
}
