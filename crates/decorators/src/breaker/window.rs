//! The outcomes of recent calls, in a sliding window.

use std::ops::{AddAssign, SubAssign};
use std::time::Duration;

use super::Window;

/// The outcome of a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    Success,
    Error,
    SlowSuccess,
    SlowError,
}

impl Outcome {
    pub(super) const fn of(failed: bool, slow: bool) -> Self {
        match (failed, slow) {
            (false, false) => Self::Success,
            (true, false) => Self::Error,
            (false, true) => Self::SlowSuccess,
            (true, true) => Self::SlowError,
        }
    }
}

/// Calls by outcome.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// All calls.
    pub calls: u64,
    /// Failed calls.
    pub failed: u64,
    /// Slow calls.
    pub slow: u64,
    /// Calls that were slow and failed.
    pub slow_failed: u64,
}

impl Tally {
    const fn of(outcome: Outcome) -> Self {
        let (failed, slow) = match outcome {
            Outcome::Success => (0, 0),
            Outcome::Error => (1, 0),
            Outcome::SlowSuccess => (0, 1),
            Outcome::SlowError => (1, 1),
        };
        Self { calls: 1, failed, slow, slow_failed: failed * slow }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.calls += more.calls;
        self.failed += more.failed;
        self.slow += more.slow;
        self.slow_failed += more.slow_failed;
    }
}

impl SubAssign for Tally {
    fn sub_assign(&mut self, gone: Self) {
        self.calls -= gone.calls;
        self.failed -= gone.failed;
        self.slow -= gone.slow;
        self.slow_failed -= gone.slow_failed;
    }
}

/// A window with a running total, updated as calls enter and leave: the cost of recording and
/// reading does not depend on the window's size.
#[derive(Debug)]
pub(super) enum SlidingWindow {
    Calls(LastCalls),
    Seconds(LastSeconds),
}

impl SlidingWindow {
    pub(super) fn new(window: Window) -> Self {
        match window {
            Window::Calls(calls) => Self::Calls(LastCalls::new(calls)),
            Window::Seconds(seconds) => Self::Seconds(LastSeconds::new(seconds)),
        }
    }

    pub(super) fn record(&mut self, time: Duration, outcome: Outcome) {
        match self {
            Self::Calls(calls) => calls.record(outcome),
            Self::Seconds(seconds) => seconds.record(time, outcome),
        }
    }

    pub(super) fn tally(&mut self, time: Duration) -> Tally {
        match self {
            Self::Calls(calls) => calls.total,
            Self::Seconds(seconds) => {
                seconds.slide_to(time);
                seconds.total
            }
        }
    }
}

/// The last calls: a ring buffer that overwrites its oldest entry.
#[derive(Debug)]
pub(super) struct LastCalls {
    ring: Vec<Outcome>,
    size: usize,
    oldest: usize,
    total: Tally,
}

impl LastCalls {
    fn new(calls: u32) -> Self {
        let size = calls as usize;
        Self { ring: Vec::with_capacity(size), size, oldest: 0, total: Tally::default() }
    }

    fn record(&mut self, outcome: Outcome) {
        self.total += Tally::of(outcome);
        if self.ring.len() < self.size {
            self.ring.push(outcome);
        } else {
            let gone = std::mem::replace(&mut self.ring[self.oldest], outcome);
            self.total -= Tally::of(gone);
            self.oldest = (self.oldest + 1) % self.size;
        }
    }
}

/// The last seconds: a ring buffer with one count per second; the newest is the current second.
#[derive(Debug)]
pub(super) struct LastSeconds {
    ring: Vec<Tally>,
    newest: usize,
    second: u64,
    total: Tally,
}

impl LastSeconds {
    fn new(seconds: u32) -> Self {
        Self {
            ring: vec![Tally::default(); seconds as usize],
            newest: 0,
            second: 0,
            total: Tally::default(),
        }
    }

    fn record(&mut self, time: Duration, outcome: Outcome) {
        self.slide_to(time);
        self.ring[self.newest] += Tally::of(outcome);
        self.total += Tally::of(outcome);
    }

    fn slide_to(&mut self, time: Duration) {
        let passed = time.as_secs().saturating_sub(self.second);
        self.second += passed;
        // After a full round the ring is empty, however many seconds passed.
        for _ in 0..passed.min(self.ring.len() as u64) {
            self.newest = (self.newest + 1) % self.ring.len();
            self.total -= std::mem::take(&mut self.ring[self.newest]);
        }
    }
}
