//! Rules 1, 2 and 5: lookup, expiry and replacement of copies.

use std::sync::Arc;

use bytes::Bytes;
use decorators::cache::{CacheKey, CacheStore, CopyVersion, LookupRequest, PutOutcome};
use futures_util::future::join_all;

use super::harness::{AFTER, Cache, CacheFixture, LONG_TTL, NOBODY, SHORT, key};
use crate::{RuleResult, Violation, ensure, ensure_eq};

/// A look before any put finds nothing, which is distinct from an empty copy.
///
/// # Errors
/// The violation, if any.
pub async fn rule_1_finds_nothing_before_a_put(fixture: &dyn CacheFixture) -> RuleResult {
    let cache = Cache::open(fixture).await?;
    cache.ensure_found(&key("a"), None, "a key before any put").await?;
    let stamp = cache.stamp(&key("a")).await?;
    cache.keep(&key("a"), b"", stamp, LONG_TTL).await?;
    cache.ensure_found(&key("a"), Some(b""), "an empty copy").await
}

/// Payloads of any bytes and any length up to the longest are returned unchanged, whichever handle
/// put and whichever looks.
///
/// # Errors
/// The violation, if any.
pub async fn rule_1_finds_the_exact_bytes_through_any_handle(
    fixture: &dyn CacheFixture,
) -> RuleResult {
    let cache = Cache::open(fixture).await?;
    for (n, handle) in cache.handles.iter().enumerate() {
        for length in [0, 1, 2, 3, 7, 8, 9, 255, 256, 1_000, 20_000.min(cache.world.longest())] {
            let key = key(&format!("by-{n}-{length}"));
            let payload: Vec<u8> =
                (0..length).map(|at| (at * 151 + length + n).to_le_bytes()[0]).collect();
            let lookup =
                handle.lookup(&key, &LookupRequest { fresh_for: LONG_TTL, lease: None }).await?;
            let put =
                handle.put(&key, Bytes::from(payload.clone()), lookup.at, LONG_TTL, NOBODY).await?;
            ensure_eq(put, PutOutcome::Kept, "the result of the first put")?;
            cache.ensure_found(&key, Some(&payload), "the stored payload").await?;
        }
    }
    Ok(())
}

/// A copy expires at the end of its lifetime, after which any other copy can be put.
///
/// # Errors
/// The violation, if any.
pub async fn rule_1_expires_a_copy_after_its_lifetime(fixture: &dyn CacheFixture) -> RuleResult {
    let cache = Cache::open(fixture).await?;
    let stamp = cache.stamp(&key("a")).await?;
    cache.keep(&key("a"), b"old", stamp, SHORT).await?;
    cache.advance(AFTER).await;
    cache.ensure_found(&key("a"), None, "a copy after its lifetime").await?;
    cache.keep(&key("a"), b"new", stamp, LONG_TTL).await?;
    cache.ensure_found(&key("a"), Some(b"new"), "a copy put after the first one expired").await
}

/// A copy that replaces another has its own lifetime; a refused put changes nothing.
///
/// # Errors
/// The violation, if any.
pub async fn rule_1_takes_the_lifetime_of_a_copy_from_its_own_put(
    fixture: &dyn CacheFixture,
) -> RuleResult {
    let cache = Cache::open(fixture).await?;
    let [longer, shorter, refused] = [key("longer"), key("shorter"), key("refused")];
    for (key, first, second) in [(&longer, SHORT, LONG_TTL), (&shorter, LONG_TTL, SHORT)] {
        let stamp = cache.stamp(key).await?;
        cache.keep(key, b"1", stamp, first).await?;
        cache.keep(key, b"2", CopyVersion(stamp.0 + 1), second).await?;
    }
    let stamp = cache.stamp(&refused).await?;
    cache.keep(&refused, b"1", stamp, LONG_TTL).await?;
    cache.put(&refused, b"2", stamp, SHORT).await?;
    cache.advance(AFTER).await;
    cache.ensure_found(&longer, Some(b"2"), "a copy replaced with a longer lifetime").await?;
    cache.ensure_found(&shorter, None, "a copy replaced with a shorter lifetime").await?;
    cache.ensure_found(&refused, Some(b"1"), "a copy after a refused put").await
}

/// A slower loader does not replace a newer copy.
///
/// # Errors
/// The violation, if any.
pub async fn rule_2_replaces_a_copy_only_by_a_later_stamp(
    fixture: &dyn CacheFixture,
) -> RuleResult {
    let cache = Cache::open(fixture).await?;
    let CopyVersion(at) = cache.stamp(&key("a")).await?;
    cache.keep(&key("a"), b"first", CopyVersion(at - 10), LONG_TTL).await?;
    cache.keep(&key("a"), b"second", CopyVersion(at - 9), LONG_TTL).await?;
    for late in [at - 9, at - 10, at - 1_000_000, 0] {
        let put = cache.put(&key("a"), b"late", CopyVersion(late), LONG_TTL).await?;
        ensure_eq(put, PutOutcome::NewerIsThere, "the result of a late put")?;
        cache.ensure_found(&key("a"), Some(b"second"), "the copy after a late put").await?;
    }
    cache.keep(&key("a"), b"third", CopyVersion(at), LONG_TTL).await?;
    cache.ensure_found(&key("a"), Some(b"third"), "the copy after a newer put").await
}

/// Of concurrent puts the one with the latest stamp stays, and no client finds a copy earlier than
/// its own put afterwards.
///
/// # Errors
/// The violation, if any.
pub async fn rule_2_keeps_the_latest_stamp_under_concurrency(
    fixture: &dyn CacheFixture,
) -> RuleResult {
    const PUTTERS: u64 = 40;
    let cache = Cache::open(fixture).await?;
    for round in 0..5_u64 {
        let key = key(&format!("race-{round}"));
        let CopyVersion(last) = cache.stamp(&key).await?;
        let putters = (0..PUTTERS).zip(0..).map(|(n, via)| {
            let (handle, key) = (cache.handle(via), key.clone());
            // The latest stamp is neither the first nor the last to be put.
            let own = CopyVersion(last - (n * 7 + 5 + round) % PUTTERS);
            tokio::spawn(async move { put_and_look(handle, key, own).await })
        });
        for putter in join_all(putters).await {
            putter??;
        }
        cache
            .ensure_found(&key, Some(last.to_string().as_bytes()), "the copy after all puts")
            .await?;
    }
    Ok(())
}

async fn put_and_look(store: Arc<dyn CacheStore>, key: CacheKey, own: CopyVersion) -> RuleResult {
    store.put(&key, Bytes::from(own.0.to_string()), own, LONG_TTL, NOBODY).await?;
    let lookup = store.lookup(&key, &LookupRequest { fresh_for: LONG_TTL, lease: None }).await?;
    let found =
        lookup.kept.ok().flatten().and_then(|kept| String::from_utf8(kept.payload.to_vec()).ok());
    let Some(found) = found.and_then(|text| text.parse().ok()).map(CopyVersion) else {
        return Err(Violation::new("no valid copy is found after a put"));
    };
    ensure(found >= own, || format!("after a put of {own:?} a look finds the earlier {found:?}"))
}

/// A copy replaces an unusable value, however early its stamp.
///
/// # Errors
/// The violation, if any.
pub async fn rule_2_replaces_unusable_values_whatever_the_stamp(
    fixture: &dyn CacheFixture,
) -> RuleResult {
    let cache = Cache::open(fixture).await?;
    for what in super::invalid_values::ALL {
        let [untouched, spoilt] = [key(&format!("{what:?}")), key(&format!("{what:?}-spoilt"))];
        let CopyVersion(at) = cache.stamp(&spoilt).await?;
        cache.keep(&spoilt, b"good", CopyVersion(at), LONG_TTL).await?;
        for (key, stamp) in [(&untouched, CopyVersion(1)), (&spoilt, CopyVersion(at - 1_000))] {
            cache.world.plant(key, what).await;
            cache.keep(key, b"fresh", stamp, LONG_TTL).await?;
            cache
                .ensure_found(key, Some(b"fresh"), "the copy that replaced an unusable value")
                .await?;
        }
    }
    Ok(())
}

/// A put affects only its own key, however similar other keys are.
///
/// # Errors
/// The violation, if any.
pub async fn rule_5_keeps_copies_apart(fixture: &dyn CacheFixture) -> RuleResult {
    let cache = Cache::open(fixture).await?;
    let long = "n".repeat(100);
    let names = [
        "a",
        "b",
        "ab",
        "a-b",
        "-a",
        "A",
        "0",
        "lease",
        "a-lease",
        "invalidated",
        &long,
        &format!("{long}n"),
    ];
    let keys: Vec<CacheKey> = ["concerts", "concert", "schedules"]
        .into_iter()
        .flat_map(|kind| names.iter().map(move |name| CacheKey { kind, name: (*name).to_owned() }))
        .collect();
    for key in &keys {
        cache.ensure_found(key, None, "a key before any put").await?;
        let stamp = cache.stamp(key).await?;
        cache.keep(key, key.to_string().as_bytes(), stamp, LONG_TTL).await?;
    }
    for key in &keys {
        cache
            .ensure_found(key, Some(key.to_string().as_bytes()), "a key after others were put")
            .await?;
    }
    Ok(())
}
