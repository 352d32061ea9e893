//! When a breaker opens, and how it comes back.

use std::time::Duration;

/// The longest windows and the most permits. What is more is a slip of the pen, and would cost memory.
const MOST: u32 = 1_000_000;

/// How one breaker behaves. The default suits a dependency whose slowest healthy call in a hundred takes 50 ms.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerSettings {
    /// Which calls the rates are made of.
    pub window: Window,
    /// The rates are not known, and nothing opens, until so many calls are in the window. A window of calls asks for no
    /// more than it holds; a window of seconds may never hold so many, and never opens then.
    pub minimum_calls: u32,
    /// Opens when this many percent of the calls failed, or more.
    pub failure_rate: f64,
    /// Opens when this many percent of the calls were slow, or more.
    pub slow_call_rate: f64,
    /// A call that took longer than this was slow.
    pub slow_call: Duration,
    /// How long it stays open the first time.
    pub wait_in_open: Duration,
    /// How many times longer each time after a failed trial.
    pub wait_multiplier: f64,
    /// It stays open no longer than this, give or take the jitter.
    pub longest_wait_in_open: Duration,
    /// The part of a wait by which it may be longer or shorter, so that nodes do not come back all at once.
    pub wait_jitter: f64,
    /// How many calls a trial lets through.
    pub half_open_permits: u32,
    /// How long a trial may take; zero is for ever.
    pub longest_half_open: Duration,
    /// What becomes of a trial that took longer.
    pub after_half_open: AfterHalfOpen,
}

/// Which calls count. Both windows slide.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Window {
    /// The last calls, so many of them.
    Calls(u32),
    /// The calls of the second it is and those just before it, so many seconds in all.
    Seconds(u32),
}

/// Where a trial goes that took too long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AfterHalfOpen {
    /// It failed.
    Open,
    /// It succeeded.
    Closed,
}

/// A setting that makes no sense.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("breaker setting {field} must be {must_be}")]
pub struct InvalidSettings {
    /// The field of [`BreakerSettings`].
    pub field: &'static str,
    /// What would make sense.
    pub must_be: &'static str,
}

impl BreakerSettings {
    /// The defaults of Resilience4j.
    pub const fn resilience4j() -> Self {
        Self {
            window: Window::Calls(100),
            minimum_calls: 100,
            failure_rate: 50.0,
            slow_call_rate: 100.0,
            slow_call: Duration::from_secs(60),
            wait_in_open: Duration::from_secs(60),
            wait_multiplier: 1.0,
            longest_wait_in_open: Duration::from_secs(60),
            wait_jitter: 0.0,
            half_open_permits: 10,
            longest_half_open: Duration::ZERO,
            after_half_open: AfterHalfOpen::Open,
        }
    }

    /// Whether they make sense.
    ///
    /// # Errors
    /// [`InvalidSettings`] names the first field that does not.
    pub fn check(&self) -> Result<(), InvalidSettings> {
        let (Window::Calls(size) | Window::Seconds(size)) = self.window;
        let sensible = |sizes: u32| (1..=MOST).contains(&sizes);
        let percent = |rate: f64| rate > 0.0 && rate <= 100.0;
        let rules = [
            ("window", sensible(size), "of 1 to 1,000,000 calls or seconds"),
            ("minimum_calls", self.minimum_calls > 0, "more than 0"),
            ("failure_rate", percent(self.failure_rate), "more than 0 and at most 100 percent"),
            ("slow_call_rate", percent(self.slow_call_rate), "more than 0 and at most 100 percent"),
            ("slow_call", !self.slow_call.is_zero(), "more than 0"),
            ("wait_in_open", !self.wait_in_open.is_zero(), "more than 0"),
            (
                "wait_multiplier",
                self.wait_multiplier >= 1.0 && self.wait_multiplier.is_finite(),
                "a number from 1 up",
            ),
            (
                "longest_wait_in_open",
                self.longest_wait_in_open >= self.wait_in_open,
                "wait_in_open or longer",
            ),
            ("wait_jitter", (0.0..1.0).contains(&self.wait_jitter), "from 0 to less than 1"),
            ("half_open_permits", sensible(self.half_open_permits), "from 1 to 1,000,000"),
        ];
        match rules.into_iter().find(|(_, holds, _)| !holds) {
            Some((field, _, must_be)) => Err(InvalidSettings { field, must_be }),
            None => Ok(()),
        }
    }
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            window: Window::Seconds(10),
            minimum_calls: 20,
            failure_rate: 50.0,
            slow_call_rate: 80.0,
            slow_call: Duration::from_millis(250),
            wait_in_open: Duration::from_secs(1),
            wait_multiplier: 2.0,
            longest_wait_in_open: Duration::from_secs(15),
            wait_jitter: 0.2,
            half_open_permits: 5,
            // A trial with a limit fails where few ask, however well they are answered, and those
            // who come next are refused. Calls have limits of their own, so that none keeps its
            // permit.
            longest_half_open: Duration::ZERO,
            after_half_open: AfterHalfOpen::Open,
        }
    }
}
