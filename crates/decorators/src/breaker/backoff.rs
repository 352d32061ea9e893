//! How long a breaker stays open.

use std::time::Duration;

use super::BreakerSettings;

/// Generates the waits. Randomness comes from SplitMix64, which suffices for jitter and is not
/// cryptographic.
#[derive(Debug)]
pub(super) struct Backoff {
    seed: u64,
}

impl Backoff {
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The wait after this many consecutive openings, the current one included.
    pub(super) fn wait(&mut self, settings: &BreakerSettings, attempts: u32) -> Duration {
        let growths = i32::try_from(attempts.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = scaled(settings.wait_in_open, settings.wait_multiplier.powi(growths));
        let spread = settings.wait_jitter * (2.0 * self.draw() - 1.0);
        scaled(grown.min(settings.longest_wait_in_open), 1.0 + spread)
    }

    /// A number in `0..1`.
    fn draw(&mut self) -> f64 {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.seed;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        // The upper 53 bits, which fill the mantissa of an `f64`.
        (bits >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn scaled(duration: Duration, by: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * by).unwrap_or(Duration::MAX)
}
