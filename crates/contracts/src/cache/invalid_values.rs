//! Rule 6: values that are not usable copies.

use bytes::Bytes;
use decorators::cache::{Lease, LeaseId, LookupRequest, PutOutcome, Unusable};

use super::harness::{Cache, CacheFixture, LONG_TTL, key};
use crate::{RuleResult, ensure, ensure_eq};

pub(super) const ALL: [Unusable; 4] =
    [Unusable::Version, Unusable::TooLarge, Unusable::Corrupt, Unusable::Foreign];

/// Every handle reports the reason each time, also if a copy was there before.
///
/// # Errors
/// The violation, if any.
pub async fn rule_6_reports_why_a_value_is_unusable(fixture: &dyn CacheFixture) -> RuleResult {
    let cache = Cache::open(fixture).await?;
    for what in ALL {
        let [empty, taken] = [key(&format!("{what:?}")), key(&format!("{what:?}-taken"))];
        let stamp = cache.stamp(&taken).await?;
        cache.keep(&taken, b"good", stamp, LONG_TTL).await?;
        for key in [&empty, &taken] {
            cache.world.plant(key, what).await;
            for handle in cache.handles.iter().chain(&cache.handles) {
                let lookup =
                    handle.lookup(key, &LookupRequest { fresh_for: LONG_TTL, lease: None }).await?;
                ensure_eq(lookup.kept, Err(what), "the result of a look at an unusable value")?;
            }
        }
    }
    Ok(())
}

/// An unusable value is not fresh, so one of its readers gets a lease to load it again.
///
/// # Errors
/// The violation, if any.
pub async fn rule_6_leases_the_load_of_an_unusable_value(fixture: &dyn CacheFixture) -> RuleResult {
    let cache = Cache::open(fixture).await?;
    for what in ALL {
        let key = key(&format!("{what:?}"));
        let stamp = cache.stamp(&key).await?;
        cache.keep(&key, b"good", stamp, LONG_TTL).await?;
        cache.world.plant(&key, what).await;
        for (id, is_first) in [(LeaseId(1), true), (LeaseId(2), false)] {
            let want =
                LookupRequest { fresh_for: LONG_TTL, lease: Some(Lease { id, lasts: LONG_TTL }) };
            let lookup = cache.handle(0).lookup(&key, &want).await?;
            ensure_eq(lookup.kept, Err(what), "the result of a look at an unusable value")?;
            ensure_eq(lookup.leased, is_first, "whether the load is leased")?;
        }
    }
    Ok(())
}

/// The longest payload is stored unchanged. One byte more is refused, changes nothing, and ends the
/// lease as every put does.
///
/// # Errors
/// The violation, if any.
pub async fn rule_6_refuses_exactly_the_payloads_that_are_too_long(
    fixture: &dyn CacheFixture,
) -> RuleResult {
    let cache = Cache::open(fixture).await?;
    let longest = cache.world.longest();
    let payload = vec![b'x'; longest + 1];
    let stamp = cache.stamp(&key("a")).await?;
    cache.keep(&key("a"), &payload[..longest], stamp, LONG_TTL).await?;
    cache.ensure_found(&key("a"), Some(&payload[..longest]), "the longest payload").await?;
    ensure(cache.leased(&key("a"), LeaseId(1), LONG_TTL).await?, || {
        "no lease although nothing is fresh".to_owned()
    })?;
    let stamp = cache.stamp(&key("a")).await?;
    let put = cache
        .handle(0)
        .put(&key("a"), Bytes::from(payload.clone()), stamp, LONG_TTL, LeaseId(1))
        .await?;
    ensure_eq(put, PutOutcome::TooLarge, "the result of an oversized put")?;
    cache.ensure_found(&key("a"), Some(&payload[..longest]), "the copy from before").await?;
    ensure(cache.leased(&key("a"), LeaseId(2), LONG_TTL).await?, || {
        "a lease outlives the put of its holder".to_owned()
    })
}
