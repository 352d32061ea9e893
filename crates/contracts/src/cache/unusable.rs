//! Rule 6: what is no copy.

use bytes::Bytes;
use decorators::cache::{Lease, LeaseId, LookFor, Put, Unusable};

use super::world::{Cache, CacheFixture, LONG, key};
use crate::{Verdict, ensure, ensure_eq};

pub(super) const ALL: [Unusable; 4] =
    [Unusable::Version, Unusable::TooLarge, Unusable::Corrupt, Unusable::Foreign];

/// Each is told as what it is, on every handle and every time, also where a copy was before.
///
/// # Errors
/// The violation, if any.
pub async fn rule_6_tells_what_cannot_be_used_and_why(fixture: &dyn CacheFixture) -> Verdict {
    let cache = Cache::open(fixture).await?;
    for what in ALL {
        let [empty, taken] = [key(&format!("{what:?}")), key(&format!("{what:?}-taken"))];
        let stamp = cache.stamp(&taken).await?;
        cache.keep(&taken, b"good", stamp, LONG).await?;
        for key in [&empty, &taken] {
            cache.world.plant(key, what).await;
            for handle in cache.handles.iter().chain(&cache.handles) {
                let look = handle.look(key, &LookFor { fresh_for: LONG, lease: None }).await?;
                ensure_eq(look.kept, Err(what), "what is told of something unusable")?;
            }
        }
    }
    Ok(())
}

/// It is not fresh, so one of those who find it loads anew.
///
/// # Errors
/// The violation, if any.
pub async fn rule_6_leases_the_loading_of_what_cannot_be_used(
    fixture: &dyn CacheFixture,
) -> Verdict {
    let cache = Cache::open(fixture).await?;
    for what in ALL {
        let key = key(&format!("{what:?}"));
        let stamp = cache.stamp(&key).await?;
        cache.keep(&key, b"good", stamp, LONG).await?;
        cache.world.plant(&key, what).await;
        for (id, is_first) in [(LeaseId(1), true), (LeaseId(2), false)] {
            let want = LookFor { fresh_for: LONG, lease: Some(Lease { id, lasts: LONG }) };
            let look = cache.handle(0).look(&key, &want).await?;
            ensure_eq(look.kept, Err(what), "what is told of something unusable")?;
            ensure_eq(look.leased, is_first, "whether its loading is leased")?;
        }
    }
    Ok(())
}

/// The longest is kept to the byte; one byte more is refused, changes nothing, and ends the lease like every put.
///
/// # Errors
/// The violation, if any.
pub async fn rule_6_refuses_what_is_longer_than_may_be_and_nothing_shorter(
    fixture: &dyn CacheFixture,
) -> Verdict {
    let cache = Cache::open(fixture).await?;
    let longest = cache.world.longest();
    let payload = vec![b'x'; longest + 1];
    let stamp = cache.stamp(&key("a")).await?;
    cache.keep(&key("a"), &payload[..longest], stamp, LONG).await?;
    cache.ensure_found(&key("a"), Some(&payload[..longest]), "the longest there may be").await?;
    ensure(cache.leased(&key("a"), LeaseId(1), LONG).await?, || {
        "no lease where nothing is fresh".to_owned()
    })?;
    let stamp = cache.stamp(&key("a")).await?;
    let put = cache
        .handle(0)
        .put(&key("a"), Bytes::from(payload.clone()), stamp, LONG, LeaseId(1))
        .await?;
    ensure_eq(put, Put::TooLarge, "what became of what is too long")?;
    cache.ensure_found(&key("a"), Some(&payload[..longest]), "what was there before").await?;
    ensure(cache.leased(&key("a"), LeaseId(2), LONG).await?, || {
        "a lease stays after its holder put".to_owned()
    })
}
