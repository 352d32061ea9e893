//! The data that a collector has received.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Attributes, Log, Metric, Span};

/// The limit per kind: more than a test run sends, and a few dozen megabytes.
const KEPT: usize = 20_000;

/// Shared by the collector and the thread that fills it.
#[derive(Default)]
pub(super) struct Received {
    state: Mutex<State>,
    /// Notified when a request arrives.
    came: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) requests: usize,
    pub(super) headers: Attributes,
    pub(super) spans: VecDeque<Span>,
    pub(super) logs: VecDeque<Log>,
    pub(super) metrics: VecDeque<Metric>,
}

/// The data of one request.
#[derive(Default)]
pub(super) struct Export {
    pub(super) spans: Vec<Span>,
    pub(super) logs: Vec<Log>,
    pub(super) metrics: Vec<Metric>,
}

impl Received {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(&self, headers: Attributes, export: Export) {
        let mut state = self.state();
        state.requests += 1;
        state.headers = headers;
        keep(&mut state.spans, export.spans);
        keep(&mut state.logs, export.logs);
        keep(&mut state.metrics, export.metrics);
        self.came.notify_all();
    }

    pub(super) fn wait_until(&self, limit: Duration, is_so: impl Fn() -> bool) -> bool {
        let end = Instant::now() + limit;
        loop {
            // Read before the check, so that a request during the check is not missed.
            let seen = self.state().requests;
            if is_so() {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            drop(self.came.wait_timeout_while(self.state(), left, |state| state.requests == seen));
        }
    }
}

fn keep<T>(kept: &mut VecDeque<T>, new: Vec<T>) {
    kept.extend(new);
    let too_many = kept.len().saturating_sub(KEPT);
    kept.drain(..too_many);
}
