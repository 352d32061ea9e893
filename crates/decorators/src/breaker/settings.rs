//! When a breaker opens, and how it recovers.

use std::time::Duration;

/// Upper limit of window sizes and permits. A larger value is a typo, and would cost memory.
const MOST: u32 = 1_000_000;

/// How one breaker behaves. The default suits a dependency with a healthy 99th percentile of 50 ms.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerSettings {
    /// The calls that the rates cover.
    pub window: Window,
    /// The breaker computes no rates and does not open until the window holds this many calls. For
    /// a window of calls this is capped at the window's size. A window of seconds that never holds
    /// this many calls never opens the breaker.
    pub minimum_calls: u32,
    /// Opens if at least this percentage of calls failed.
    pub failure_rate: f64,
    /// Opens if at least this percentage of calls were slow.
    pub slow_call_rate: f64,
    /// A call that takes longer than this is slow.
    pub slow_call: Duration,
    /// How long the breaker stays open the first time.
    pub wait_in_open: Duration,
    /// Factor by which the wait grows after each failed trial.
    pub wait_multiplier: f64,
    /// Maximum wait, before jitter.
    pub max_wait_in_open: Duration,
    /// Fraction by which a wait is randomly longer or shorter, so that nodes do not retry at the
    /// same moment.
    pub wait_jitter: f64,
    /// Number of calls permitted in a trial.
    pub half_open_permits: u32,
    /// Maximum duration of a trial; zero means no limit.
    pub max_half_open: Duration,
    /// The state after a trial that exceeds its maximum duration.
    pub after_half_open: AfterHalfOpen,
}

/// Which calls count. Both windows slide.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Window {
    /// The last `n` calls.
    Calls(u32),
    /// The calls of the last `n` seconds, the current one included.
    Seconds(u32),
}

/// The state that follows a trial that exceeded its maximum duration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AfterHalfOpen {
    /// The trial failed.
    Open,
    /// The trial succeeded.
    Closed,
}

/// An invalid setting.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("breaker setting {field} must be {must_be}")]
pub struct InvalidSettings {
    /// The field of [`BreakerSettings`].
    pub field: &'static str,
    /// The valid values.
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
            max_wait_in_open: Duration::from_secs(60),
            wait_jitter: 0.0,
            half_open_permits: 10,
            max_half_open: Duration::ZERO,
            after_half_open: AfterHalfOpen::Open,
        }
    }

    /// Checks that all settings are valid.
    ///
    /// # Errors
    /// [`InvalidSettings`] names the first invalid field.
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
                "max_wait_in_open",
                self.max_wait_in_open >= self.wait_in_open,
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
            max_wait_in_open: Duration::from_secs(15),
            wait_jitter: 0.2,
            half_open_permits: 5,
            // With a limit, a trial fails under low traffic even if every call succeeds, and the
            // calls that follow are refused. Calls have timeouts of their own, so none holds its
            // permit forever.
            max_half_open: Duration::ZERO,
            after_half_open: AfterHalfOpen::Open,
        }
    }
}
