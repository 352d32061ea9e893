//! Rule 7: kinds of answers that count no longer.

use tokio::time::Instant;

use super::stamps::TICK;
use super::world::{AFTER, Cache, CacheFixture, LONG, key};
use crate::{Verdict, ensure, ensure_eq};

/// All hear of it, whoever says it; of several invalidations the last counts.
///
/// # Errors
/// The violation, if any.
pub async fn rule_7_tells_every_handle_how_long_ago_a_kind_was_invalidated(
    fixture: &dyn CacheFixture,
) -> Verdict {
    let cache = Cache::open(fixture).await?;
    for handle in &cache.handles {
        ensure_eq(
            handle.invalidated("concerts").await?,
            None,
            "of a kind that nobody invalidated",
        )?;
    }
    for by in cache.handles.iter().chain(&cache.handles) {
        let began = Instant::now();
        by.invalidate("concerts").await?;
        cache.advance(AFTER).await;
        for handle in &cache.handles {
            let ago = handle.invalidated("concerts").await?;
            let most = AFTER + began.elapsed() + TICK;
            ensure(ago >= Some(AFTER) && ago <= Some(most), || {
                format!(
                    "{AFTER:?} after an invalidation, and at most {most:?}, it is told to be {ago:?} ago"
                )
            })?;
        }
    }
    Ok(())
}

/// Other kinds are not concerned, and what happens to copies is up to those who hear.
///
/// # Errors
/// The violation, if any.
pub async fn rule_7_keeps_kinds_apart_and_copies_where_they_are(
    fixture: &dyn CacheFixture,
) -> Verdict {
    let cache = Cache::open(fixture).await?;
    let stamp = cache.stamp(&key("a")).await?;
    cache.keep(&key("a"), b"copy", stamp, LONG).await?;
    cache.handle(0).invalidate("concerts").await?;
    for other in ["concert", "schedules", "a"] {
        let ago = cache.handle(1).invalidated(other).await?;
        ensure_eq(ago, None, "of a kind that nobody invalidated")?;
    }
    cache.ensure_found(&key("a"), Some(b"copy"), "a copy of an invalidated kind").await
}
