//! Wire formats of durations and times.

use std::time::Duration;

use domain::Timestamp;
use domain::queue::WaitLimit;
use serde::Serialize;
use utoipa::ToSchema;

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

/// What limits the rate of calls, and with it `etaSeconds`.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum EtaLimitedBy {
    /// The configured rate of calls.
    Rate,
    /// The number of people who may be inside at the same time.
    Slots,
    /// The recovery of the queue's store, which pauses calls.
    Recovery,
}

impl From<WaitLimit> for EtaLimitedBy {
    fn from(limit: WaitLimit) -> Self {
        match limit {
            WaitLimit::Rate => Self::Rate,
            WaitLimit::Slots => Self::Slots,
            WaitLimit::Recovery => Self::Recovery,
        }
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
