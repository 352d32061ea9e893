//! Replacement of faulty connections.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Tracks which connections are outdated and whether replacing one is worthwhile.
pub(super) struct Renewal {
    opened: Instant,
    /// Connections opened before this moment, in microseconds since the pool was opened, are not
    /// reused.
    keep_from: AtomicU64,
    /// The number of recent replacements that did not help, and when the oldest of them starts to
    /// age.
    in_vain: Mutex<(u32, Instant)>,
}

/// How many replacements may fail in a row, and how long each of them counts. Without this limit,
/// every query to a server that fails on all connections, such as a save on a read-only one, would
/// open a new connection.
const IN_VAIN: u32 = 4;
const FORGOTTEN_AFTER: Duration = Duration::from_secs(1);

impl Renewal {
    pub(super) fn new(now: Instant) -> Self {
        Self { opened: now, keep_from: AtomicU64::new(0), in_vain: Mutex::new((0, now)) }
    }

    /// Whether a connection opened at this moment is outdated.
    pub(super) fn is_retired(&self, made: Instant) -> bool {
        self.age(made) < self.keep_from.load(Ordering::Acquire)
    }

    /// Retires all connections opened before this one. Connections in use are closed when they
    /// return.
    pub(super) fn retire_before(&self, made: Instant) {
        self.keep_from.fetch_max(self.age(made), Ordering::AcqRel);
    }

    fn age(&self, made: Instant) -> u64 {
        let since = made.saturating_duration_since(self.opened).as_micros();
        u64::try_from(since).unwrap_or(u64::MAX)
    }

    /// Whether to replace a faulty connection and repeat its query.
    pub(super) fn is_worth_it(&self, now: Instant) -> bool {
        self.recent(now) < IN_VAIN
    }

    /// Records that a new connection was at fault too.
    pub(super) fn was_in_vain(&self, now: Instant) {
        self.recent(now);
        let mut in_vain = self.in_vain.lock().unwrap_or_else(PoisonError::into_inner);
        in_vain.0 = in_vain.0.saturating_add(1).min(IN_VAIN);
    }

    /// Drops expired replacements and returns the number that still count.
    fn recent(&self, now: Instant) -> u32 {
        let mut in_vain = self.in_vain.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, since) = &mut *in_vain;
        while *count > 0 && now.saturating_duration_since(*since) >= FORGOTTEN_AFTER {
            *count -= 1;
            *since += FORGOTTEN_AFTER;
        }
        if *count == 0 {
            *since = now;
        }
        *count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_connections_older_than_a_working_replacement_are_retired() {
        let opened = Instant::now();
        let renewal = Renewal::new(opened);
        let made = |seconds| opened + Duration::from_secs(seconds);
        assert!(!renewal.is_retired(made(0)));
        renewal.retire_before(made(5));
        renewal.retire_before(made(3));
        let retired = [0, 3, 4, 5, 6].map(|seconds| renewal.is_retired(made(seconds)));
        assert_eq!(retired, [true, true, true, false, false]);
    }

    #[test]
    fn useless_replacements_are_limited_to_one_a_second_after_a_few() {
        let opened = Instant::now();
        let renewal = Renewal::new(opened);
        let mut made = 0;
        for tenth in 0..600 {
            let now = opened + Duration::from_millis(100 * tenth);
            if renewal.is_worth_it(now) {
                made += 1;
                renewal.was_in_vain(now);
            }
        }
        assert_eq!(made, 4 + 59);
        assert!(renewal.is_worth_it(opened + Duration::from_secs(61)));
    }
}
