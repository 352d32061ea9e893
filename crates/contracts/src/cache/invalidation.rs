//! Rule 7: invalidated kinds.

use tokio::time::Instant;

use super::harness::{AFTER, Cache, CacheFixture, LONG_TTL, key};
use super::timestamps::TICK;
use crate::{RuleResult, ensure, ensure_eq};

/// Every handle sees the invalidation, whichever handle made it, and the last one counts.
///
/// # Errors
/// The violation, if any.
pub async fn rule_7_every_handle_sees_when_a_kind_was_invalidated(
    fixture: &dyn CacheFixture,
) -> RuleResult {
    let cache = Cache::open(fixture).await?;
    for handle in &cache.handles {
        ensure_eq(
            handle.invalidated("concerts").await?,
            None,
            "the age of an invalidation that was never made",
        )?;
    }
    for by in cache.handles.iter().chain(&cache.handles) {
        let began = Instant::now();
        by.invalidate("concerts").await?;
        cache.advance(AFTER).await;
        for handle in &cache.handles {
            let ago = handle.invalidated("concerts").await?;
            let max = AFTER + began.elapsed() + TICK;
            ensure(ago >= Some(AFTER) && ago <= Some(max), || {
                format!("an invalidation {AFTER:?} to {max:?} old is reported as {ago:?} old")
            })?;
        }
    }
    Ok(())
}

/// An invalidation does not affect other kinds, and it removes no copies: readers decide which to
/// reject.
///
/// # Errors
/// The violation, if any.
pub async fn rule_7_keeps_kinds_apart_and_removes_no_copies(
    fixture: &dyn CacheFixture,
) -> RuleResult {
    let cache = Cache::open(fixture).await?;
    let stamp = cache.stamp(&key("a")).await?;
    cache.keep(&key("a"), b"copy", stamp, LONG_TTL).await?;
    cache.handle(0).invalidate("concerts").await?;
    for other in ["concert", "schedules", "a"] {
        let ago = cache.handle(1).invalidated(other).await?;
        ensure_eq(ago, None, "the age of an invalidation that was never made")?;
    }
    cache.ensure_found(&key("a"), Some(b"copy"), "a copy of an invalidated kind").await
}
