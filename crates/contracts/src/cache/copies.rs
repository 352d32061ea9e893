//! Rules 1, 2 and 5: copies are found, end, and give way.

use std::sync::Arc;

use bytes::Bytes;
use decorators::cache::{CacheKey, CacheStore, LookFor, Put, Stamp};
use futures_util::future::join_all;

use super::world::{AFTER, Cache, CacheFixture, LONG, NOBODY, SHORT, key};
use crate::{Verdict, Violation, ensure, ensure_eq};

/// Whoever looks where nobody put is told that there is nothing, and not an empty copy, which can be put.
///
/// # Errors
/// The violation, if any.
pub async fn rule_1_finds_nothing_that_nobody_put(fixture: &dyn CacheFixture) -> Verdict {
    let cache = Cache::open(fixture).await?;
    cache.ensure_found(&key("a"), None, "where nobody put").await?;
    let stamp = cache.stamp(&key("a")).await?;
    cache.keep(&key("a"), b"", stamp, LONG).await?;
    cache.ensure_found(&key("a"), Some(b""), "where something empty was put").await
}

/// Bytes of every value, in any length up to the longest, whichever handle put and whichever looks.
///
/// # Errors
/// The violation, if any.
pub async fn rule_1_finds_what_was_put_to_the_byte_through_any_handle(
    fixture: &dyn CacheFixture,
) -> Verdict {
    let cache = Cache::open(fixture).await?;
    for (n, handle) in cache.handles.iter().enumerate() {
        for length in [0, 1, 2, 3, 7, 8, 9, 255, 256, 1_000, 20_000.min(cache.world.longest())] {
            let key = key(&format!("by-{n}-{length}"));
            let payload: Vec<u8> =
                (0..length).map(|at| (at * 151 + length + n).to_le_bytes()[0]).collect();
            let look = handle.look(&key, &LookFor { fresh_for: LONG, lease: None }).await?;
            let put = handle.put(&key, Bytes::from(payload.clone()), look.at, LONG, NOBODY).await?;
            ensure_eq(put, Put::Kept, "what became of the first put")?;
            cache.ensure_found(&key, Some(&payload), "what was put").await?;
        }
    }
    Ok(())
}

/// A copy is gone when its time is over, and then there is room for any other.
///
/// # Errors
/// The violation, if any.
pub async fn rule_1_keeps_a_copy_no_longer_than_it_was_to_be(
    fixture: &dyn CacheFixture,
) -> Verdict {
    let cache = Cache::open(fixture).await?;
    let stamp = cache.stamp(&key("a")).await?;
    cache.keep(&key("a"), b"old", stamp, SHORT).await?;
    cache.advance(AFTER).await;
    cache.ensure_found(&key("a"), None, "after its time").await?;
    cache.keep(&key("a"), b"new", stamp, LONG).await?;
    cache.ensure_found(&key("a"), Some(b"new"), "what was put after the first one's time").await
}

/// A copy that replaces another brings its own time; one that is refused changes nothing.
///
/// # Errors
/// The violation, if any.
pub async fn rule_1_keeps_a_copy_as_long_as_its_own_put_said(
    fixture: &dyn CacheFixture,
) -> Verdict {
    let cache = Cache::open(fixture).await?;
    let [longer, shorter, refused] = [key("longer"), key("shorter"), key("refused")];
    for (key, first, second) in [(&longer, SHORT, LONG), (&shorter, LONG, SHORT)] {
        let stamp = cache.stamp(key).await?;
        cache.keep(key, b"1", stamp, first).await?;
        cache.keep(key, b"2", Stamp(stamp.0 + 1), second).await?;
    }
    let stamp = cache.stamp(&refused).await?;
    cache.keep(&refused, b"1", stamp, LONG).await?;
    cache.put(&refused, b"2", stamp, SHORT).await?;
    cache.advance(AFTER).await;
    cache.ensure_found(&longer, Some(b"2"), "a copy put to be kept for longer").await?;
    cache.ensure_found(&shorter, None, "a copy put to be kept for less long").await?;
    cache.ensure_found(&refused, Some(b"1"), "a copy after a put that was refused").await
}

/// Whoever was slower finds a newer copy there, which stays.
///
/// # Errors
/// The violation, if any.
pub async fn rule_2_never_replaces_a_copy_by_one_of_the_same_or_an_earlier_stamp(
    fixture: &dyn CacheFixture,
) -> Verdict {
    let cache = Cache::open(fixture).await?;
    let Stamp(at) = cache.stamp(&key("a")).await?;
    cache.keep(&key("a"), b"first", Stamp(at - 10), LONG).await?;
    cache.keep(&key("a"), b"second", Stamp(at - 9), LONG).await?;
    for late in [at - 9, at - 10, at - 1_000_000, 0] {
        let put = cache.put(&key("a"), b"late", Stamp(late), LONG).await?;
        ensure_eq(put, Put::NewerIsThere, "what became of a late put")?;
        cache.ensure_found(&key("a"), Some(b"second"), "after a late put").await?;
    }
    cache.keep(&key("a"), b"third", Stamp(at), LONG).await?;
    cache.ensure_found(&key("a"), Some(b"third"), "after a later put").await
}

/// Of many puts at once the one with the latest stamp stays, and nobody finds an earlier copy than the own one afterwards.
///
/// # Errors
/// The violation, if any.
pub async fn rule_2_the_latest_stamp_stays_whatever_races(fixture: &dyn CacheFixture) -> Verdict {
    const PUTTERS: u64 = 40;
    let cache = Cache::open(fixture).await?;
    for round in 0..5_u64 {
        let key = key(&format!("race-{round}"));
        let Stamp(last) = cache.stamp(&key).await?;
        let putters = (0..PUTTERS).zip(0..).map(|(n, via)| {
            let (handle, key) = (cache.handle(via), key.clone());
            // The latest is neither the first nor the last to come.
            let own = Stamp(last - (n * 7 + 5 + round) % PUTTERS);
            tokio::spawn(async move { put_and_look_again(handle, key, own).await })
        });
        for putter in join_all(putters).await {
            putter??;
        }
        cache
            .ensure_found(&key, Some(last.to_string().as_bytes()), "what all puts leave behind")
            .await?;
    }
    Ok(())
}

async fn put_and_look_again(store: Arc<dyn CacheStore>, key: CacheKey, own: Stamp) -> Verdict {
    store.put(&key, Bytes::from(own.0.to_string()), own, LONG, NOBODY).await?;
    let look = store.look(&key, &LookFor { fresh_for: LONG, lease: None }).await?;
    let found =
        look.kept.ok().flatten().and_then(|kept| String::from_utf8(kept.payload.to_vec()).ok());
    let Some(found) = found.and_then(|text| text.parse().ok()).map(Stamp) else {
        return Err(Violation::new("no copy that was put is found after a put"));
    };
    ensure(found >= own, || format!("after a put of {own:?} the earlier {found:?} is found"))
}

/// However early its stamp, a copy replaces what is none.
///
/// # Errors
/// The violation, if any.
pub async fn rule_2_replaces_what_cannot_be_used_by_anything(
    fixture: &dyn CacheFixture,
) -> Verdict {
    let cache = Cache::open(fixture).await?;
    for what in super::unusable::ALL {
        let [untouched, spoilt] = [key(&format!("{what:?}")), key(&format!("{what:?}-spoilt"))];
        let Stamp(at) = cache.stamp(&spoilt).await?;
        cache.keep(&spoilt, b"good", Stamp(at), LONG).await?;
        for (key, stamp) in [(&untouched, Stamp(1)), (&spoilt, Stamp(at - 1_000))] {
            cache.world.plant(key, what).await;
            cache.keep(key, b"fresh", stamp, LONG).await?;
            cache.ensure_found(key, Some(b"fresh"), "what replaced something unusable").await?;
        }
    }
    Ok(())
}

/// A put under one key is seen under no other, however alike they are.
///
/// # Errors
/// The violation, if any.
pub async fn rule_5_keeps_copies_apart(fixture: &dyn CacheFixture) -> Verdict {
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
        cache.ensure_found(key, None, "a key before anything was put there").await?;
        let stamp = cache.stamp(key).await?;
        cache.keep(key, key.to_string().as_bytes(), stamp, LONG).await?;
    }
    for key in &keys {
        cache
            .ensure_found(key, Some(key.to_string().as_bytes()), "a key after others were put")
            .await?;
    }
    Ok(())
}
