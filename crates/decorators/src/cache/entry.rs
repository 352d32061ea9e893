//! A copy in this process, and its freshness.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::settings::CacheSettings;
use super::source::Keep;

/// An answer with its times.
#[derive(Debug)]
pub(super) struct Entry<V> {
    pub(super) value: Arc<V>,
    pub(super) is_absence: bool,
    /// The answer is at least as new as the source's state at this moment.
    pub(super) as_of: Instant,
    lifetime: Duration,
    /// When the next refresh may start, in nanoseconds after `as_of`.
    refresh_at: AtomicU64,
    /// The last refresh failed.
    is_failing: AtomicBool,
}

/// How good a copy is, best first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Freshness {
    /// Fresh.
    Fresh,
    /// Fresh, and due for a refresh.
    RefreshDue,
    /// Expired; served while a refresh runs.
    Stale,
    /// Served only if refreshing fails.
    StaleIfError,
    /// Never served.
    Expired,
}

impl<V> Entry<V> {
    /// Creates a copy of an answer as of a moment; `spread` in `0..1` selects the lifetime within
    /// the jitter.
    pub(super) fn new(
        value: Arc<V>,
        keep: Keep,
        as_of: Instant,
        spread: f64,
        settings: &CacheSettings,
    ) -> Self {
        let is_absence = keep == Keep::Absent;
        let ttl = if is_absence { settings.absent_ttl } else { settings.ttl };
        let lifetime = ttl.mul_f64(1.0 - settings.jitter * spread);
        Self {
            value,
            is_absence,
            as_of,
            lifetime,
            refresh_at: AtomicU64::new(0),
            is_failing: AtomicBool::new(false),
        }
    }

    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.as_of)
    }

    /// The freshness at `now`. Answers as of a moment before `invalidated_before` are invalidated.
    pub(super) fn freshness(
        &self,
        now: Instant,
        invalidated_before: Option<Instant>,
        settings: &CacheSettings,
    ) -> Freshness {
        let age = self.age(now);
        let is_overruled =
            invalidated_before.is_some_and(|invalidated_before| self.as_of < invalidated_before);
        if age < self.lifetime && !is_overruled {
            let ahead = self.lifetime.mul_f64(settings.refresh_ahead.min(1.0));
            return if age < ahead { Freshness::Fresh } else { Freshness::RefreshDue };
        }
        let past_end = age.saturating_sub(self.lifetime);
        if past_end < settings.stale_while_refreshing && !is_overruled {
            Freshness::Stale
        } else if past_end < settings.stale_if_error {
            Freshness::StaleIfError
        } else {
            Freshness::Expired
        }
    }

    /// Records a failed refresh: during the pause, no call starts another or waits for one.
    pub(super) fn failed(&self, now: Instant, pause: Duration) {
        self.is_failing.store(true, Ordering::Relaxed);
        self.pause(now, pause);
    }

    /// Another node is refreshing it: during the pause, this node does not check for the result.
    pub(super) fn pause(&self, now: Instant, pause: Duration) {
        let at = self.age(now).saturating_add(pause).as_nanos();
        self.refresh_at.store(u64::try_from(at).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Whether the last refresh failed.
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Whether a refresh may start.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.age(now).as_nanos() >= u128::from(self.refresh_at.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: CacheSettings = CacheSettings {
        ttl: Duration::from_secs(10),
        absent_ttl: Duration::from_secs(2),
        jitter: 0.5,
        refresh_ahead: 0.8,
        stale_while_refreshing: Duration::from_secs(30),
        stale_if_error: Duration::from_secs(60),
        retry_pause: Duration::from_secs(1),
        patience: Duration::from_millis(100),
        load_limit: Duration::from_secs(1),
        local_bytes: 1_000,
    };

    fn entry(keep: Keep, spread: f64, as_of: Instant) -> Entry<()> {
        Entry::new(Arc::new(()), keep, as_of, spread, &SETTINGS)
    }

    #[tokio::test(start_paused = true)]
    async fn a_copy_ages_through_every_freshness() {
        let start = Instant::now();
        let copy = entry(Keep::Found, 0.0, start);
        for (second, expected) in [
            (0, Freshness::Fresh),
            (7, Freshness::Fresh),
            (8, Freshness::RefreshDue),
            (10, Freshness::Stale),
            (39, Freshness::Stale),
            (40, Freshness::StaleIfError),
            (69, Freshness::StaleIfError),
            (70, Freshness::Expired),
        ] {
            let now = start + Duration::from_secs(second);
            assert_eq!(copy.freshness(now, None, &SETTINGS), expected, "after {second} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn jitter_shortens_a_lifetime_and_an_absence_has_its_own_lifetime() {
        let start = Instant::now();
        let fresh = |copy: &Entry<()>, millis| {
            let at = start + Duration::from_millis(millis);
            copy.freshness(at, None, &SETTINGS) < Freshness::Stale
        };
        let shortened = entry(Keep::Found, 0.5, start);
        assert!(fresh(&shortened, 7_499) && !fresh(&shortened, 7_500), "a quarter less");
        let absent = entry(Keep::Absent, 0.0, start);
        assert!(fresh(&absent, 1_999) && !fresh(&absent, 2_000));
    }

    #[tokio::test(start_paused = true)]
    async fn an_invalidated_copy_is_served_only_during_an_outage() {
        let start = Instant::now();
        let copy = entry(Keep::Found, 0.0, start);
        let invalidated_before = |millis| Some(start + Duration::from_millis(millis));
        assert_eq!(
            copy.freshness(start, invalidated_before(0), &SETTINGS),
            Freshness::Fresh,
            "as of the same moment"
        );
        assert_eq!(
            copy.freshness(start, invalidated_before(1), &SETTINGS),
            Freshness::StaleIfError
        );
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_the_next_attempt_waits_for_the_pause() {
        let start = Instant::now();
        let copy = entry(Keep::Found, 0.0, start);
        assert!(!copy.is_failing() && copy.is_due(start));
        copy.failed(start, Duration::from_secs(1));
        assert!(copy.is_failing() && !copy.is_due(start + Duration::from_millis(999)));
        assert!(copy.is_due(start + Duration::from_secs(1)));
    }
}
