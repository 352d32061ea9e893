//! Wire formats of durations and times.

use std::time::Duration;

use domain::Timestamp;
use domain::queue::WaitLimit;

/// Whole seconds, rounded up: a wait must not end early.
pub(crate) fn ceil_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// Whole milliseconds.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// RFC 3339 in UTC, to the millisecond.
pub(crate) fn rfc3339(moment: Timestamp) -> String {
    Timestamp::from_millisecond(moment.as_millisecond()).unwrap_or(moment).to_string()
}

/// The constraint that determines `etaSeconds`.
pub(crate) fn limit_word(limit: WaitLimit) -> &'static str {
    match limit {
        WaitLimit::Rate => "RATE",
        WaitLimit::Slots => "SLOTS",
        WaitLimit::Recovery => "RECOVERY",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_and_a_time_is_truncated_to_the_millisecond() {
        assert_eq!(ceil_seconds(Duration::ZERO), 0);
        assert_eq!(ceil_seconds(Duration::from_nanos(1)), 1);
        assert_eq!(ceil_seconds(Duration::from_secs(3)), 3);
        assert_eq!(
            rfc3339("2026-05-04T11:00:00.123456789Z".parse().unwrap()),
            "2026-05-04T11:00:00.123Z"
        );
        assert_eq!(rfc3339("2026-05-04T11:00:00Z".parse().unwrap()), "2026-05-04T11:00:00Z");
    }
}
