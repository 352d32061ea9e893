//! Where public requests are reported.

use std::fmt;
use std::sync::Arc;

use crate::observer::RequestObserver;
use crate::recent_failures::RecentFailures;

/// Where requests are reported.
#[derive(Clone, Default)]
pub struct RequestTelemetry {
    /// Observer of every request.
    pub observer: Option<Arc<dyn RequestObserver>>,
    /// The recent failures.
    pub failures: RecentFailures,
    /// The share of requests to log although nothing failed, from 0 to 1.
    pub log_sample: f64,
}

impl fmt::Debug for RequestTelemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("observed", &self.observer.is_some()).finish_non_exhaustive()
    }
}
