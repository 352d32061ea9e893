//! Rules 4 and 5: whose turn it is to load.

use std::time::Duration;

use bytes::Bytes;
use decorators::cache::{CacheKey, Lease, LeaseId, LookFor, Put, Stamp};
use futures_util::future::join_all;

use super::world::{AFTER, Cache, CacheFixture, LONG, NOBODY, SHORT, key};
use crate::{Verdict, ensure, ensure_eq};

const ANNA: LeaseId = LeaseId(1);
const BEN: LeaseId = LeaseId(2);

/// Nothing is loaded that is fresh; where a copy is not, the lease is taken and the copy is told all the same.
///
/// # Errors
/// The violation, if any.
pub async fn rule_4_takes_a_lease_only_where_nothing_is_fresh(
    fixture: &dyn CacheFixture,
) -> Verdict {
    let cache = Cache::open(fixture).await?;
    let [fresh, stale] = [key("fresh"), key("stale")];
    ensure(cache.leased(&key("absent"), ANNA, LONG).await?, || {
        "no lease where there is nothing".to_owned()
    })?;
    for key in [&fresh, &stale] {
        let stamp = cache.stamp(key).await?;
        cache.keep(key, b"copy", stamp, LONG).await?;
    }
    cache.advance(AFTER).await;
    let leased = cache.leased_unless_younger(LONG, &fresh, ANNA, LONG).await?;
    ensure(!leased, || "a lease where the copy is fresh".to_owned())?;
    let want = LookFor { fresh_for: SHORT, lease: Some(Lease { id: ANNA, lasts: LONG }) };
    let look = cache.handle(0).look(&stale, &want).await?;
    ensure(look.leased, || "no lease where the copy is stale".to_owned())?;
    let found = look.kept.ok().flatten();
    ensure(found.is_some_and(|kept| *kept.payload == *b"copy"), || {
        "the stale copy is not told".to_owned()
    })
}

/// Who only looks takes nothing from those who load.
///
/// # Errors
/// The violation, if any.
pub async fn rule_4_takes_no_lease_that_is_not_asked_for(fixture: &dyn CacheFixture) -> Verdict {
    let cache = Cache::open(fixture).await?;
    let look = cache.look(&key("a")).await?;
    ensure(!look.leased, || "a lease that nobody asked for".to_owned())?;
    ensure(cache.leased(&key("a"), ANNA, LONG).await?, || "a look took the lease".to_owned())?;
    let look = cache.look(&key("a")).await?;
    ensure(!look.leased, || "a lease that nobody asked for".to_owned())
}

/// However many ask at once, and as long as nobody ends it.
///
/// # Errors
/// The violation, if any.
pub async fn rule_4_one_of_many_gets_the_lease(fixture: &dyn CacheFixture) -> Verdict {
    const ASKERS: u128 = 40;
    let cache = Cache::open(fixture).await?;
    for round in 0..5 {
        let key = key(&format!("race-{round}"));
        let askers = (1..=ASKERS).zip(0..).map(|(id, via)| {
            let (handle, key) = (cache.handle(via), key.clone());
            let lease = Lease { id: LeaseId(id), lasts: LONG };
            let want = LookFor { fresh_for: LONG, lease: Some(lease) };
            tokio::spawn(async move { handle.look(&key, &want).await })
        });
        let mut holders = 0;
        for asker in join_all(askers).await {
            holders += u32::from(asker??.leased);
        }
        ensure_eq(holders, 1, "how many of those who asked at once hold the lease")?;
        ensure(!cache.leased(&key, LeaseId(ASKERS + 1), LONG).await?, || {
            "two hold the lease".to_owned()
        })?;
    }
    Ok(())
}

/// A load that takes long keeps its lease by asking again: it ends when the last one asked for does.
///
/// # Errors
/// The violation, if any.
pub async fn rule_4_asking_again_holds_the_lease_on(fixture: &dyn CacheFixture) -> Verdict {
    let cache = Cache::open(fixture).await?;
    for lasts in [SHORT, LONG] {
        ensure(cache.leased(&key("a"), ANNA, lasts).await?, || {
            "the own lease is refused".to_owned()
        })?;
    }
    cache.advance(AFTER).await;
    ensure(!cache.leased(&key("a"), BEN, LONG).await?, || {
        "a lease that was held on has ended".to_owned()
    })
}

/// Whoever holds a lease and dies keeps nobody waiting.
///
/// # Errors
/// The violation, if any.
pub async fn rule_4_a_lease_ends_by_itself(fixture: &dyn CacheFixture) -> Verdict {
    let cache = Cache::open(fixture).await?;
    ensure(cache.leased(&key("a"), ANNA, SHORT).await?, || {
        "no lease where there is nothing".to_owned()
    })?;
    cache.advance(AFTER).await;
    ensure(cache.leased(&key("a"), BEN, LONG).await?, || "a lease does not end".to_owned())
}

/// Be the copy kept or not.
///
/// # Errors
/// The violation, if any.
pub async fn rule_4_a_lease_ends_when_its_holder_gives_it_back_or_puts(
    fixture: &dyn CacheFixture,
) -> Verdict {
    let cache = Cache::open(fixture).await?;
    let [given, put] = [key("given"), key("put")];
    for key in [&given, &put] {
        ensure(cache.leased(key, ANNA, LONG).await?, || {
            "no lease where there is nothing".to_owned()
        })?;
    }
    cache.handle(0).give_back(&given, ANNA).await?;
    ensure(cache.leased(&given, BEN, LONG).await?, || {
        "a lease stays that was given back".to_owned()
    })?;

    let stamp = cache.stamp(&put).await?;
    for (id, next, told) in [(ANNA, BEN, Put::Kept), (BEN, ANNA, Put::NewerIsThere)] {
        let became =
            cache.handle(0).put(&put, Bytes::from_static(b"copy"), stamp, LONG, id).await?;
        ensure_eq(became, told, "what became of a put")?;
        ensure(cache.leased(&put, next, LONG).await?, || format!("a lease stays after {told:?}"))?;
    }
    Ok(())
}

/// Neither by giving it back, nor by a put of one's own, nor by asking for it.
///
/// # Errors
/// The violation, if any.
pub async fn rule_4_nobody_ends_the_lease_of_somebody_else(fixture: &dyn CacheFixture) -> Verdict {
    const LIKE_ANNA: LeaseId = LeaseId(ANNA.0 + (1 << 64));
    let cache = Cache::open(fixture).await?;
    let key = key("a");
    ensure(cache.leased(&key, ANNA, LONG).await?, || "no lease where there is nothing".to_owned())?;
    for other in [BEN, LIKE_ANNA, NOBODY] {
        cache.handle(1).give_back(&key, other).await?;
        ensure(!cache.leased(&key, other, SHORT).await?, || {
            "somebody else gave the lease back".to_owned()
        })?;
        let stamp = cache.stamp(&key).await?;
        let copy = Bytes::from_static(b"copy");
        cache.handle(1).put(&key, copy.clone(), stamp, LONG, other).await?;
        cache.handle(1).put(&key, copy, Stamp(0), LONG, other).await?;
        ensure(!cache.leased(&key, other, SHORT).await?, || {
            "somebody else's put ended the lease".to_owned()
        })?;
    }
    cache.advance(AFTER).await;
    ensure(!cache.leased(&key, BEN, LONG).await?, || {
        "asking for it shortened the lease".to_owned()
    })?;
    ensure(cache.leased(&key, ANNA, Duration::from_millis(1)).await?, || {
        "the holder lost the lease".to_owned()
    })
}

/// Who loads one answer keeps nobody from loading another.
///
/// # Errors
/// The violation, if any.
pub async fn rule_5_keeps_leases_apart(fixture: &dyn CacheFixture) -> Verdict {
    let cache = Cache::open(fixture).await?;
    let kinds = ["concerts", "concert", "schedules"];
    let names = ["a", "b", "ab", "lease", "a-lease"];
    let keys = kinds
        .into_iter()
        .flat_map(|kind| names.map(|name| CacheKey { kind, name: name.to_owned() }));
    // Each is asked for by somebody else: one's own lease is never refused.
    for (key, id) in keys.zip(1..) {
        ensure(cache.leased(&key, LeaseId(id), LONG).await?, || {
            format!("{key} is leased with another")
        })?;
    }
    cache.handle(0).give_back(&key("a"), ANNA).await?;
    ensure(!cache.leased(&key("b"), NOBODY, LONG).await?, || {
        "two leases were given back at once".to_owned()
    })?;
    ensure(cache.leased(&key("a"), NOBODY, LONG).await?, || {
        "a lease stays that was given back".to_owned()
    })
}
