//! The cache in one process.

use std::sync::Arc;

use decorators::cache::{AnyCache as _, CacheSettings};
use domain::PortErrorKind;
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::support::{
    ABSENT, FRESH, OLD, Origin, SETTINGS, cache, millis, pass, seconds, seen, settle,
};

#[tokio::test(start_paused = true)]
async fn concurrent_calls_load_a_cold_key_once() {
    let origin = Origin::new();
    let cache = cache(&origin, SETTINGS);
    let answers = join_all((0..10_000).map(|_| cache.get(&1))).await;
    assert!(answers.into_iter().all(|answer| seen(answer) == (1, FRESH)));
    assert_eq!(origin.loads(), 1);
    assert_eq!(cache.counts().joined, 9_999);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_that_race_for_a_cold_key_load_it_once() {
    let origin = Origin::new();
    let cache = cache(&origin, SETTINGS);
    const KEYS: u32 = 3_000;
    let asking = (0..8).map(|_| {
        let cache = cache.clone();
        tokio::spawn(async move {
            for key in 0..KEYS {
                cache.get(&key).await.unwrap();
            }
        })
    });
    join_all(asking.collect::<Vec<_>>()).await.into_iter().for_each(|outcome| outcome.unwrap());
    assert_eq!(origin.loads(), KEYS);
}

#[tokio::test(start_paused = true)]
async fn a_load_continues_after_its_caller_is_cancelled() {
    let origin = Origin::new();
    let cache = cache(&origin, SETTINGS);
    origin.hold();
    tokio::select! {
        biased;
        _ = cache.get(&1) => panic!("the load is held"),
        () = settle() => {}
    }
    origin.let_go(1);
    settle().await;
    assert_eq!(seen(cache.get(&1).await), (1, FRESH));
    assert_eq!((origin.loads(), cache.counts().hits), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_expired_answer_is_served_at_once_while_one_refresh_runs() {
    let origin = Origin::new();
    let cache = cache(&origin, SETTINGS);
    assert_eq!(seen(cache.get(&1).await), (1, FRESH));
    origin.change();
    pass(seconds(9)).await;
    assert_eq!(seen(cache.get(&1).await), (1, FRESH), "within its lifetime");
    pass(seconds(1)).await;
    origin.hold();
    let began = Instant::now();
    for _ in 0..100 {
        assert_eq!(seen(cache.get(&1).await), (1, FRESH), "stale, and not marked");
        settle().await;
    }
    assert_eq!(
        (origin.loads(), began.elapsed()),
        (2, seconds(0)),
        "one refresh, and no call waited"
    );
    origin.let_go(1);
    settle().await;
    assert_eq!(seen(cache.get(&1).await), (2, FRESH));
}

#[tokio::test(start_paused = true)]
async fn a_requested_answer_is_refreshed_ahead_of_its_expiry() {
    let origin = Origin::new();
    let cache = cache(&origin, CacheSettings { refresh_ahead: 0.8, ..SETTINGS });
    cache.get(&1).await.unwrap();
    origin.change();
    pass(seconds(8)).await;
    assert_eq!(seen(cache.get(&1).await), (1, FRESH), "the cached answer, at once");
    settle().await;
    assert_eq!(seen(cache.get(&1).await), (2, FRESH), "two seconds before its expiry");
    pass(seconds(60)).await;
    assert_eq!(origin.loads(), 2, "an unrequested answer is not refreshed");
}

#[tokio::test(start_paused = true)]
async fn while_the_source_is_down_stale_answers_are_served_marked_and_without_waiting() {
    let origin = Origin::new();
    let cache = cache(&origin, SETTINGS);
    cache.get(&1).await.unwrap();
    origin.set_down(true);
    pass(seconds(10)).await;
    assert_eq!(seen(cache.get(&1).await), (1, FRESH), "the refresh has not failed yet");
    settle().await;
    assert_eq!(seen(cache.get(&1).await), (1, OLD), "the refresh failed");
    // Beyond the end of `stale_while_refreshing`, and far further.
    for _ in 0..600 {
        pass(millis(500)).await;
        assert_eq!(seen(cache.get(&1).await), (1, OLD));
    }
    let loads = origin.loads();
    assert!((300..=303).contains(&loads), "one attempt a second, not one a call: {loads}");
    origin.set_down(false);
    origin.change();
    pass(seconds(1)).await;
    cache.get(&1).await.unwrap();
    settle().await;
    assert_eq!(seen(cache.get(&1).await), (2, FRESH), "the source is back");
}

#[tokio::test(start_paused = true)]
async fn the_age_of_an_answer_is_returned() {
    let origin = Origin::new();
    let cache = cache(&origin, SETTINGS);
    cache.get(&1).await.unwrap();
    pass(seconds(7)).await;
    assert_eq!(cache.get(&1).await.unwrap().age, seconds(7));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_source_delays_calls_by_the_patience_and_causes_no_error() {
    let origin = Origin::new();
    let cache = cache(&origin, SETTINGS);
    cache.get(&1).await.unwrap();
    pass(seconds(100)).await;
    origin.hold();
    let began = Instant::now();
    assert_eq!(seen(cache.get(&1).await), (1, OLD));
    assert_eq!(began.elapsed(), millis(100));
    pass(seconds(2)).await;
    let began = Instant::now();
    assert_eq!(seen(cache.get(&1).await), (1, OLD), "the load timed out");
    assert_eq!(began.elapsed(), millis(0), "later calls do not wait");
}

#[tokio::test(start_paused = true)]
async fn an_answer_too_stale_for_an_outage_is_not_served() {
    let origin = Origin::new();
    let cache = cache(&origin, SETTINGS);
    cache.get(&1).await.unwrap();
    origin.set_down(true);
    pass(seconds(3_611)).await;
    assert_eq!(cache.get(&1).await.unwrap_err().kind(), PortErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_failure_without_a_fallback_reaches_every_caller_and_is_not_cached() {
    let origin = Origin::new();
    let cache = cache(&origin, SETTINGS);
    origin.set_down(true);
    let answers = join_all((0..100).map(|_| cache.get(&1))).await;
    assert!(
        answers.into_iter().all(|answer| answer.unwrap_err().kind() == PortErrorKind::Unavailable)
    );
    assert_eq!(origin.loads(), 1);
    origin.set_down(false);
    assert_eq!(seen(cache.get(&1).await), (1, FRESH));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_source_without_a_fallback_times_out_at_the_load_limit() {
    let origin = Origin::new();
    let cache = cache(&origin, SETTINGS);
    origin.hold();
    let began = Instant::now();
    assert_eq!(cache.get(&1).await.unwrap_err().kind(), PortErrorKind::Timeout);
    assert_eq!(began.elapsed(), seconds(2));
}

#[tokio::test(start_paused = true)]
async fn a_panicking_load_is_one_error_and_blocks_no_later_call() {
    let origin = Origin::new();
    let cache = cache(&origin, SETTINGS);
    origin.set_panics(true);
    assert_eq!(cache.get(&1).await.unwrap_err().kind(), PortErrorKind::Unavailable);
    origin.set_panics(false);
    assert_eq!(seen(cache.get(&1).await), (1, FRESH));
}

#[tokio::test(start_paused = true)]
async fn an_absence_is_kept_for_its_own_lifetime() {
    let origin = Origin::new();
    let cache = cache(&origin, CacheSettings { stale_while_refreshing: seconds(0), ..SETTINGS });
    for _ in 0..10 {
        cache.get(&ABSENT).await.unwrap();
    }
    assert_eq!((origin.loads(), cache.counts().absent), (1, 10));
    pass(seconds(2)).await;
    cache.get(&ABSENT).await.unwrap();
    assert_eq!(origin.loads(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_cache_is_bounded_by_bytes_and_keeps_frequent_keys() {
    let origin = Origin::new();
    let cache = cache(&origin, CacheSettings { local_bytes: 50_000, ..SETTINGS });
    for key in 0..20_000 {
        cache.get(&(100 + key)).await.unwrap();
        cache.get(&1).await.unwrap();
    }
    settle().await;
    let bytes = cache.local_bytes();
    assert!((10_000..=60_000).contains(&bytes), "{bytes} bytes");
    let loads = origin.loads();
    cache.get(&1).await.unwrap();
    assert_eq!(origin.loads(), loads);
}

#[tokio::test(start_paused = true)]
async fn without_a_local_level_every_call_loads_and_concurrent_calls_share_a_load() {
    let origin = Origin::new();
    let cache = Arc::new(cache(&origin, CacheSettings { local_bytes: 0, ..SETTINGS }));
    join_all((0..100).map(|_| cache.get(&1))).await;
    assert_eq!(origin.loads(), 1);
    cache.get(&1).await.unwrap();
    assert_eq!(origin.loads(), 2);
}
