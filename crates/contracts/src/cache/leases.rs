//! Rules 4 and 5: leases on loading.

use std::time::Duration;

use bytes::Bytes;
use decorators::cache::{CacheKey, CopyVersion, Lease, LeaseId, LookupRequest, PutOutcome};
use futures_util::future::join_all;

use super::harness::{AFTER, Cache, CacheFixture, LONG_TTL, NOBODY, SHORT, key};
use crate::{RuleResult, ensure, ensure_eq};

const ANNA: LeaseId = LeaseId(1);
const BEN: LeaseId = LeaseId(2);

/// A fresh copy gives no lease. A stale copy gives a lease and is returned as well.
///
/// # Errors
/// The violation, if any.
pub async fn rule_4_takes_a_lease_only_if_no_copy_is_fresh(
    fixture: &dyn CacheFixture,
) -> RuleResult {
    let cache = Cache::open(fixture).await?;
    let [fresh, stale] = [key("fresh"), key("stale")];
    ensure(cache.leased(&key("absent"), ANNA, LONG_TTL).await?, || {
        "no lease for an absent key".to_owned()
    })?;
    for key in [&fresh, &stale] {
        let stamp = cache.stamp(key).await?;
        cache.keep(key, b"copy", stamp, LONG_TTL).await?;
    }
    cache.advance(AFTER).await;
    let leased = cache.leased_unless_younger(LONG_TTL, &fresh, ANNA, LONG_TTL).await?;
    ensure(!leased, || "a lease although the copy is fresh".to_owned())?;
    let want = LookupRequest { fresh_for: SHORT, lease: Some(Lease { id: ANNA, lasts: LONG_TTL }) };
    let lookup = cache.handle(0).lookup(&stale, &want).await?;
    ensure(lookup.leased, || "no lease although the copy is stale".to_owned())?;
    let found = lookup.kept.ok().flatten();
    ensure(found.is_some_and(|kept| *kept.payload == *b"copy"), || {
        "the stale copy was not returned".to_owned()
    })
}

/// A look without a lease request takes no lease.
///
/// # Errors
/// The violation, if any.
pub async fn rule_4_takes_no_lease_without_a_request(fixture: &dyn CacheFixture) -> RuleResult {
    let cache = Cache::open(fixture).await?;
    let lookup = cache.lookup(&key("a")).await?;
    ensure(!lookup.leased, || "a lease without a request".to_owned())?;
    ensure(cache.leased(&key("a"), ANNA, LONG_TTL).await?, || {
        "a look without a request took the lease".to_owned()
    })?;
    let lookup = cache.lookup(&key("a")).await?;
    ensure(!lookup.leased, || "a lease without a request".to_owned())
}

/// One of many concurrent requests gets the lease, which stays taken until it ends.
///
/// # Errors
/// The violation, if any.
pub async fn rule_4_one_of_many_requests_gets_the_lease(fixture: &dyn CacheFixture) -> RuleResult {
    const ASKERS: u128 = 40;
    let cache = Cache::open(fixture).await?;
    for round in 0..5 {
        let key = key(&format!("race-{round}"));
        let askers = (1..=ASKERS).zip(0..).map(|(id, via)| {
            let (handle, key) = (cache.handle(via), key.clone());
            let lease = Lease { id: LeaseId(id), lasts: LONG_TTL };
            let want = LookupRequest { fresh_for: LONG_TTL, lease: Some(lease) };
            tokio::spawn(async move { handle.lookup(&key, &want).await })
        });
        let mut holders = 0;
        for asker in join_all(askers).await {
            holders += u32::from(asker??.leased);
        }
        ensure_eq(holders, 1, "holders of the lease among concurrent requests")?;
        ensure(!cache.leased(&key, LeaseId(ASKERS + 1), LONG_TTL).await?, || {
            "two holders of one lease".to_owned()
        })?;
    }
    Ok(())
}

/// A slow load renews its lease with another request: the lease then ends when the last request's
/// time does.
///
/// # Errors
/// The violation, if any.
pub async fn rule_4_a_second_request_renews_the_lease(fixture: &dyn CacheFixture) -> RuleResult {
    let cache = Cache::open(fixture).await?;
    for lasts in [SHORT, LONG_TTL] {
        ensure(cache.leased(&key("a"), ANNA, lasts).await?, || {
            "the holder cannot renew its lease".to_owned()
        })?;
    }
    cache.advance(AFTER).await;
    ensure(!cache.leased(&key("a"), BEN, LONG_TTL).await?, || {
        "a renewed lease has ended".to_owned()
    })
}

/// A lease expires, so that a crashed holder blocks no other loader.
///
/// # Errors
/// The violation, if any.
pub async fn rule_4_a_lease_expires(fixture: &dyn CacheFixture) -> RuleResult {
    let cache = Cache::open(fixture).await?;
    ensure(cache.leased(&key("a"), ANNA, SHORT).await?, || {
        "no lease for an absent key".to_owned()
    })?;
    cache.advance(AFTER).await;
    ensure(cache.leased(&key("a"), BEN, LONG_TTL).await?, || "a lease does not expire".to_owned())
}

/// A release or a put by its holder ends a lease, whether or not the copy is stored.
///
/// # Errors
/// The violation, if any.
pub async fn rule_4_a_lease_ends_when_its_holder_releases_it_or_puts(
    fixture: &dyn CacheFixture,
) -> RuleResult {
    let cache = Cache::open(fixture).await?;
    let [given, put] = [key("given"), key("put")];
    for key in [&given, &put] {
        ensure(cache.leased(key, ANNA, LONG_TTL).await?, || {
            "no lease for an absent key".to_owned()
        })?;
    }
    cache.handle(0).release(&given, ANNA).await?;
    ensure(cache.leased(&given, BEN, LONG_TTL).await?, || {
        "a released lease is still held".to_owned()
    })?;

    let stamp = cache.stamp(&put).await?;
    for (id, next, expected) in
        [(ANNA, BEN, PutOutcome::Kept), (BEN, ANNA, PutOutcome::NewerIsThere)]
    {
        let result =
            cache.handle(0).put(&put, Bytes::from_static(b"copy"), stamp, LONG_TTL, id).await?;
        ensure_eq(result, expected, "the result of a put")?;
        ensure(cache.leased(&put, next, LONG_TTL).await?, || {
            format!("a lease outlives {expected:?}")
        })?;
    }
    Ok(())
}

/// Another client's release, put or lease request does not end a lease.
///
/// # Errors
/// The violation, if any.
pub async fn rule_4_no_client_ends_the_lease_of_another(fixture: &dyn CacheFixture) -> RuleResult {
    const LIKE_ANNA: LeaseId = LeaseId(ANNA.0 + (1 << 64));
    let cache = Cache::open(fixture).await?;
    let key = key("a");
    ensure(cache.leased(&key, ANNA, LONG_TTL).await?, || "no lease for an absent key".to_owned())?;
    for other in [BEN, LIKE_ANNA, NOBODY] {
        cache.handle(1).release(&key, other).await?;
        ensure(!cache.leased(&key, other, SHORT).await?, || {
            "another client released the lease".to_owned()
        })?;
        let stamp = cache.stamp(&key).await?;
        let copy = Bytes::from_static(b"copy");
        cache.handle(1).put(&key, copy.clone(), stamp, LONG_TTL, other).await?;
        cache.handle(1).put(&key, copy, CopyVersion(0), LONG_TTL, other).await?;
        ensure(!cache.leased(&key, other, SHORT).await?, || {
            "another client's put ended the lease".to_owned()
        })?;
    }
    cache.advance(AFTER).await;
    ensure(!cache.leased(&key, BEN, LONG_TTL).await?, || {
        "another client's request shortened the lease".to_owned()
    })?;
    ensure(cache.leased(&key, ANNA, Duration::from_millis(1)).await?, || {
        "the holder lost the lease".to_owned()
    })
}

/// A lease on one key does not block the load of another.
///
/// # Errors
/// The violation, if any.
pub async fn rule_5_keeps_leases_apart(fixture: &dyn CacheFixture) -> RuleResult {
    let cache = Cache::open(fixture).await?;
    let kinds = ["concerts", "concert", "schedules"];
    let names = ["a", "b", "ab", "lease", "a-lease"];
    let keys = kinds
        .into_iter()
        .flat_map(|kind| names.map(|name| CacheKey { kind, name: name.to_owned() }));
    // A different client requests each lease, because a holder can always renew its own.
    for (key, id) in keys.zip(1..) {
        ensure(cache.leased(&key, LeaseId(id), LONG_TTL).await?, || {
            format!("{key} is leased with another")
        })?;
    }
    cache.handle(0).release(&key("a"), ANNA).await?;
    ensure(!cache.leased(&key("b"), NOBODY, LONG_TTL).await?, || {
        "one release ended two leases".to_owned()
    })?;
    ensure(cache.leased(&key("a"), NOBODY, LONG_TTL).await?, || {
        "a released lease is still held".to_owned()
    })
}
