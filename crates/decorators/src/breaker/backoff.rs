//! How long a breaker stays open.

use std::time::Duration;

use fastrand::Rng;

use super::BreakerSettings;

/// Generates the waits.
#[derive(Debug)]
pub(super) struct Backoff {
    jitter: Rng,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Self { jitter: Rng::with_seed(seed) }
    }

    /// The wait after this many consecutive openings, the current one included.
    pub(super) fn wait(&mut self, settings: &BreakerSettings, attempts: u32) -> Duration {
        let growths = i32::try_from(attempts.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = scaled(settings.wait_in_open, settings.wait_multiplier.powi(growths));
        let spread = settings.wait_jitter * (2.0 * self.jitter.f64() - 1.0);
        scaled(grown.min(settings.max_wait_in_open), 1.0 + spread)
    }
}

fn scaled(duration: Duration, by: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * by).unwrap_or(Duration::MAX)
}
