//! Poll intervals of waiting people.

use std::time::Duration;

use super::QueueNumber;
use crate::Timestamp;

/// How often people should poll: more often near the front, within bounds, and spread out in time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PollInterval {
    nearest: Duration,
    farthest: Duration,
}

/// The bounds are invalid.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the shortest poll interval must be at least 100 milliseconds and not above the longest")]
pub struct InvalidPollInterval;

/// A poll after a tenth of the remaining time is late by at most a tenth of the wait.
const SHARE_OF_ETA: u32 = 10;
/// Jitter, as a fraction of the interval, to either side.
const JITTER: f64 = 0.2;

impl PollInterval {
    /// Intervals between `nearest` (at the front) and `farthest` (far back), before a jitter of a
    /// fifth to either side.
    ///
    /// # Errors
    /// [`InvalidPollInterval`] if `nearest` is below 100 ms or above `farthest`.
    pub fn new(nearest: Duration, farthest: Duration) -> Result<Self, InvalidPollInterval> {
        if nearest < Duration::from_millis(100) || nearest > farthest {
            return Err(InvalidPollInterval);
        }
        Ok(Self { nearest, farthest })
    }

    /// When to poll again if the call, or the end of a call or session, is `eta` away.
    #[must_use]
    pub fn poll_after(&self, eta: Duration, number: QueueNumber, now: Timestamp) -> Duration {
        let wait = (eta / SHARE_OF_ETA).clamp(self.nearest, self.farthest);
        wait.mul_f64(1.0 + JITTER * spread(number, now))
    }
}

/// Evenly spread between -1 and 1 over numbers and moments: SplitMix64 (Steele, Lea, Flood 2014) as
/// a hash, so that jitter needs no source of randomness.
fn spread(number: QueueNumber, now: Timestamp) -> f64 {
    let seed = number.get() ^ (now.as_nanosecond() as u64);
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (z >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll_interval() -> PollInterval {
        PollInterval::new(Duration::from_secs(1), Duration::from_secs(30)).unwrap()
    }

    fn poll(eta_seconds: u64, number: u64) -> Duration {
        let now = Timestamp::from_second(1_000).unwrap();
        poll_interval().poll_after(
            Duration::from_secs(eta_seconds),
            QueueNumber::new(number).unwrap(),
            now,
        )
    }

    #[test]
    fn the_poll_interval_grows_with_the_distance_from_the_front() {
        let average = |eta| (1..=1_000).map(|n| poll(eta, n).as_secs_f64()).sum::<f64>() / 1_000.0;
        for (eta, expected) in [(0, 1.0), (5, 1.0), (50, 5.0), (200, 20.0), (3_000, 30.0)] {
            let seen = average(eta);
            assert!((seen / expected - 1.0).abs() < 0.02, "eta {eta}: {seen}");
        }
    }

    #[test]
    fn jitter_spreads_people_over_a_fifth_to_either_side() {
        let polls: Vec<_> = (1..=1_000).map(|n| poll(100, n)).collect();
        assert!(polls.iter().all(|p| (8.0..=12.0).contains(&p.as_secs_f64())));
        let early = polls.iter().filter(|p| p.as_secs_f64() < 9.0).count();
        assert!((200..300).contains(&early), "a quarter of them in the first quarter: {early}");
    }

    /// The first outputs of the published SplitMix64 sequences that begin with these seeds.
    #[test]
    fn jitter_is_the_documented_hash_of_number_and_moment() {
        let published = [(0, 0xe220_a839_7b1d_cdaf_u64), (1_234_567, 6_457_827_717_110_365_317)];
        let moment = 1_000_000_000_000_u64;
        let now = Timestamp::from_nanosecond(moment.into()).unwrap();
        for (seed, first) in published {
            let number = QueueNumber::new(seed ^ moment).unwrap();
            let expected = first as f64 / (1_u64 << 63) as f64 - 1.0;
            assert!((spread(number, now) - expected).abs() < 1e-12, "{seed}");
            let wait =
                poll_interval().poll_after(Duration::from_secs(100), number, now).as_secs_f64();
            assert!((wait - 10.0 * (1.0 + 0.2 * expected)).abs() < 1e-6, "{seed}: {wait}");
        }
    }

    #[test]
    fn bounds_out_of_order_are_refused() {
        let second = Duration::from_secs(1);
        assert!(PollInterval::new(second * 2, second).is_err());
        assert!(PollInterval::new(Duration::from_millis(99), second).is_err());
        assert!(PollInterval::new(Duration::from_millis(100), Duration::from_millis(100)).is_ok());
    }
}
