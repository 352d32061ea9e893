//! The routes of the operations listener.

/// A route of the operations listener. All answer GET and HEAD.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OpsRoute {
    Live,
    Startup,
    Ready,
    NodeReady,
    Resilience,
    Failures,
    Metrics,
}

impl OpsRoute {
    /// All routes.
    pub(crate) const ALL: [Self; 7] = [
        Self::Live,
        Self::Startup,
        Self::Ready,
        Self::NodeReady,
        Self::Resilience,
        Self::Failures,
        Self::Metrics,
    ];

    /// The path.
    pub(crate) const fn template(self) -> &'static str {
        match self {
            Self::Live => "/livez",
            Self::Startup => "/startupz",
            Self::Ready => "/readyz",
            Self::NodeReady => "/readyz/node",
            Self::Resilience => "/protection",
            Self::Failures => "/failures",
            Self::Metrics => "/metrics",
        }
    }
}
