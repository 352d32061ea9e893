//! The most recent failed requests, kept for diagnosis.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{Clock, Timestamp};

use crate::observer::RequestEnd;
use crate::problem::Failure;
use crate::route::Route;

/// A request that failed.
#[derive(Clone, Debug)]
pub(crate) struct FailureRecord {
    pub(crate) at: Timestamp,
    pub(crate) trace_id: u128,
    pub(crate) request_id: String,
    pub(crate) method: &'static str,
    pub(crate) route: Option<Route>,
    pub(crate) status: u16,
    pub(crate) code: Option<&'static str>,
    pub(crate) took: Duration,
    pub(crate) failure: Option<Failure>,
}

/// The most recent failed requests, up to a limit. Clones share the list, which is locked only
/// briefly.
#[derive(Clone, Default)]
pub struct RecentFailures(Option<Arc<Kept>>);

struct Kept {
    clock: Arc<dyn Clock>,
    max: usize,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    total: u64,
    /// Newest first.
    failed: VecDeque<FailureRecord>,
}

impl RecentFailures {
    /// Keeps at most `max` failures, with the time by `clock`.
    #[must_use]
    pub fn keeping(max: usize, clock: Arc<dyn Clock>) -> Self {
        Self(Some(Arc::new(Kept { clock, max, last: Mutex::default() })))
    }

    /// Records a failure and drops the oldest beyond the limit.
    pub(crate) fn keep(&self, ended: &RequestEnd<'_>) {
        let Some(kept) = &self.0 else { return };
        let failed = FailureRecord {
            at: kept.clock.now(),
            trace_id: ended.followed.trace_id,
            request_id: ended.request_id.to_owned(),
            method: ended.method,
            route: ended.route,
            status: ended.status,
            code: ended.code,
            took: ended.took,
            failure: ended.failure.cloned(),
        };
        let mut last = kept.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.total += 1;
        last.failed.truncate(kept.max.saturating_sub(1));
        last.failed.push_front(failed);
    }

    /// Returns the total number of failures, and the kept ones, newest first.
    pub(crate) fn read(&self) -> (u64, Vec<FailureRecord>) {
        let Some(kept) = &self.0 else { return (0, Vec::new()) };
        let last = kept.last.lock().unwrap_or_else(PoisonError::into_inner);
        (last.total, last.failed.iter().cloned().collect())
    }
}

impl fmt::Debug for RecentFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failures").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tracing::Span;

    use super::*;
    use crate::observer::TraceContext;

    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
    }

    #[test]
    fn recent_failures_are_kept_newest_first_and_all_are_counted() {
        let failures = RecentFailures::keeping(2, Arc::new(Stopped));
        for number in 1..=5 {
            failures.keep(&RequestEnd {
                method: "GET",
                route: None,
                status: 500,
                code: None,
                failure: None,
                took: Duration::ZERO,
                request_id: &number.to_string(),
                followed: &TraceContext { span: Span::none(), trace_id: number },
            });
        }
        let (total, kept) = failures.read();
        assert_eq!(total, 5);
        assert_eq!(kept.iter().map(|failed| failed.trace_id).collect::<Vec<_>>(), [5, 4]);
    }
}
