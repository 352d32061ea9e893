//! Rule 3: time, by the store's clock.

use std::time::Duration;

use decorators::cache::{LookFor, Stamp};
use tokio::time::Instant;

use super::world::{AFTER, Cache, CacheFixture, LONG, key};
use crate::{Verdict, ensure};

/// For clocks that tick by the millisecond.
pub(super) const TICK: Duration = Duration::from_millis(50);

/// Time counts from the look that told the stamp, not from the put, and goes on.
///
/// # Errors
/// The violation, if any.
pub async fn rule_3_tells_the_time_since_the_stamp(fixture: &dyn CacheFixture) -> Verdict {
    let cache = Cache::open(fixture).await?;
    let began = Instant::now();
    let stamp = cache.stamp(&key("a")).await?;
    cache.advance(AFTER).await;
    cache.keep(&key("a"), b"copy", stamp, LONG).await?;
    for passed in [AFTER, AFTER * 2] {
        for handle in &cache.handles {
            let look = handle.look(&key("a"), &LookFor { fresh_for: LONG, lease: None }).await?;
            let age = look.kept.ok().flatten().map(|kept| kept.age);
            let most = passed + began.elapsed() + TICK;
            ensure(age >= Some(passed) && age <= Some(most), || {
                format!("{passed:?} after the look, and at most {most:?}, a copy is {age:?} old")
            })?;
        }
        cache.advance(AFTER).await;
    }
    Ok(())
}

/// No look tells an earlier stamp than one before, on any handle; what is loaded after a look replaces the copy that it found,
/// also in the same moment.
///
/// # Errors
/// The violation, if any.
pub async fn rule_3_stamps_never_go_back_and_outrun_the_copy(
    fixture: &dyn CacheFixture,
) -> Verdict {
    let cache = Cache::open(fixture).await?;
    let mut last = Stamp(0);
    for round in 0..5_u8 {
        for handle in cache.handles.iter().chain(&cache.handles) {
            let at = handle.look(&key("a"), &LookFor { fresh_for: LONG, lease: None }).await?.at;
            ensure(at >= last, || format!("a look tells {at:?} after one that told {last:?}"))?;
            last = at;
        }
        cache.keep(&key("a"), &[round], last, LONG).await?;
        let at = cache.stamp(&key("a")).await?;
        ensure(at > last, || format!("a look that finds a copy of {last:?} tells {at:?}"))?;
        last = at;
    }
    Ok(())
}
