//! The rates, known once the window holds enough calls.

use std::time::Duration;

use super::window::{Outcome, SlidingWindow};
use super::{BreakerSettings, Tally, Window};

/// A window and the minimum number of calls in it.
#[derive(Debug)]
pub(super) struct Metrics {
    window: SlidingWindow,
    minimum: u64,
}

/// In percent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    pub(super) failure: f64,
    pub(super) slow_call: f64,
}

impl Metrics {
    /// Of the calls of a breaker that permits all calls.
    pub(super) fn of_all(settings: &BreakerSettings) -> Self {
        Self::new(settings.window, settings.minimum_calls)
    }

    /// Of the trial calls of a half-open breaker.
    pub(super) fn of_trial(settings: &BreakerSettings) -> Self {
        Self::new(Window::Calls(settings.half_open_permits), settings.minimum_calls)
    }

    fn new(window: Window, minimum: u32) -> Self {
        let minimum = match window {
            Window::Calls(calls) => minimum.min(calls),
            Window::Seconds(_) => minimum,
        };
        Self { window: SlidingWindow::new(window), minimum: minimum.into() }
    }

    pub(super) fn record(&mut self, time: Duration, outcome: Outcome) -> Option<Rates> {
        self.window.record(time, outcome);
        self.rates(time)
    }

    pub(super) fn tally(&mut self, time: Duration) -> Tally {
        self.window.tally(time)
    }

    /// `None` until the window holds enough calls.
    pub(super) fn rates(&mut self, time: Duration) -> Option<Rates> {
        let tally = self.tally(time);
        let percent = |part: u64| part as f64 * 100.0 / tally.calls as f64;
        (tally.calls >= self.minimum)
            .then(|| Rates { failure: percent(tally.failed), slow_call: percent(tally.slow) })
    }
}

impl Rates {
    pub(super) fn failing(self, settings: &BreakerSettings) -> bool {
        self.failure >= settings.failure_rate
    }

    pub(super) fn slow(self, settings: &BreakerSettings) -> bool {
        self.slow_call >= settings.slow_call_rate
    }
}
