//! Rule 3: stamps and ages, by the store's clock.

use std::time::Duration;

use decorators::cache::{CopyVersion, LookupRequest};
use tokio::time::Instant;

use super::harness::{AFTER, Cache, CacheFixture, LONG_TTL, key};
use crate::{RuleResult, ensure};

/// The tolerance for stores whose clocks tick in milliseconds.
pub(super) const TICK: Duration = Duration::from_millis(50);

/// The age of a copy counts from the look that returned its stamp, not from the put, and it grows.
///
/// # Errors
/// The violation, if any.
pub async fn rule_3_returns_the_time_since_the_stamp(fixture: &dyn CacheFixture) -> RuleResult {
    let cache = Cache::open(fixture).await?;
    let began = Instant::now();
    let stamp = cache.stamp(&key("a")).await?;
    cache.advance(AFTER).await;
    cache.keep(&key("a"), b"copy", stamp, LONG_TTL).await?;
    for passed in [AFTER, AFTER * 2] {
        for handle in &cache.handles {
            let lookup = handle
                .lookup(&key("a"), &LookupRequest { fresh_for: LONG_TTL, lease: None })
                .await?;
            let age = lookup.kept.ok().flatten().map(|kept| kept.age);
            let max = passed + began.elapsed() + TICK;
            ensure(age >= Some(passed) && age <= Some(max), || {
                format!("a copy {passed:?} to {max:?} after its look is reported as {age:?} old")
            })?;
        }
        cache.advance(AFTER).await;
    }
    Ok(())
}

/// Stamps never decrease, on any handle. A value loaded after a look replaces the copy that the
/// look found, even within the same tick.
///
/// # Errors
/// The violation, if any.
pub async fn rule_3_stamps_never_decrease_and_exceed_the_copy(
    fixture: &dyn CacheFixture,
) -> RuleResult {
    let cache = Cache::open(fixture).await?;
    let mut last = CopyVersion(0);
    for round in 0..5_u8 {
        for handle in cache.handles.iter().chain(&cache.handles) {
            let at = handle
                .lookup(&key("a"), &LookupRequest { fresh_for: LONG_TTL, lease: None })
                .await?
                .at;
            ensure(at >= last, || {
                format!("a look returned {at:?} after one that returned {last:?}")
            })?;
            last = at;
        }
        cache.keep(&key("a"), &[round], last, LONG_TTL).await?;
        let at = cache.stamp(&key("a")).await?;
        ensure(at > last, || format!("a look that found a copy of {last:?} returned {at:?}"))?;
        last = at;
    }
    Ok(())
}
