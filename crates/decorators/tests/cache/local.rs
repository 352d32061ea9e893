//! One process.

use std::sync::Arc;

use decorators::cache::{AnyCache as _, CacheSettings};
use domain::PortErrorKind;
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::support::{
    ABSENT, FRESH, OLD, Origin, SETTINGS, cache, millis, pass, seconds, seen, settle,
};

#[tokio::test(start_paused = true)]
async fn a_cold_key_is_loaded_once_however_many_ask() {
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
    join_all(asking.collect::<Vec<_>>()).await.into_iter().for_each(|asked| asked.unwrap());
    assert_eq!(origin.loads(), KEYS);
}

#[tokio::test(start_paused = true)]
async fn a_load_goes_on_when_whoever_started_it_has_gone_away() {
    let origin = Origin::new();
    let cache = cache(&origin, SETTINGS);
    origin.hold();
    tokio::select! {
        biased;
        _ = cache.get(&1) => panic!("it is held"),
        () = settle() => {}
    }
    origin.let_go(1);
    settle().await;
    assert_eq!(seen(cache.get(&1).await), (1, FRESH));
    assert_eq!((origin.loads(), cache.counts().hits), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn past_its_end_an_answer_is_given_at_once_while_one_refresh_runs() {
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
        "one refresh, and nobody waited"
    );
    origin.let_go(1);
    settle().await;
    assert_eq!(seen(cache.get(&1).await), (2, FRESH));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_asked_for_is_refreshed_ahead_of_its_end() {
    let origin = Origin::new();
    let cache = cache(&origin, CacheSettings { refresh_ahead: 0.8, ..SETTINGS });
    cache.get(&1).await.unwrap();
    origin.change();
    pass(seconds(8)).await;
    assert_eq!(seen(cache.get(&1).await), (1, FRESH), "what there is, at once");
    settle().await;
    assert_eq!(seen(cache.get(&1).await), (2, FRESH), "two seconds before its end");
    pass(seconds(60)).await;
    assert_eq!(origin.loads(), 2, "what nobody asks for is not refreshed");
}

#[tokio::test(start_paused = true)]
async fn while_the_source_is_down_old_answers_are_given_marked_and_without_waiting() {
    let origin = Origin::new();
    let cache = cache(&origin, SETTINGS);
    cache.get(&1).await.unwrap();
    origin.set_down(true);
    pass(seconds(10)).await;
    assert_eq!(seen(cache.get(&1).await), (1, FRESH), "nobody knows yet");
    settle().await;
    assert_eq!(seen(cache.get(&1).await), (1, OLD), "the refresh failed");
    // Through the end of what is given while refreshing, and far beyond.
    for _ in 0..600 {
        pass(millis(500)).await;
        assert_eq!(seen(cache.get(&1).await), (1, OLD));
    }
    let loads = origin.loads();
    assert!((300..=303).contains(&loads), "one attempt a second, not one a question: {loads}");
    origin.set_down(false);
    origin.change();
    pass(seconds(1)).await;
    cache.get(&1).await.unwrap();
    settle().await;
    assert_eq!(seen(cache.get(&1).await), (2, FRESH), "it is back");
}

#[tokio::test(start_paused = true)]
async fn the_age_of_an_answer_is_told() {
    let origin = Origin::new();
    let cache = cache(&origin, SETTINGS);
    cache.get(&1).await.unwrap();
    pass(seconds(7)).await;
    assert_eq!(cache.get(&1).await.unwrap().age, seconds(7));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_costs_a_moment_of_patience_and_no_error() {
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
    assert_eq!(seen(cache.get(&1).await), (1, OLD), "the load has been given up");
    assert_eq!(began.elapsed(), millis(0), "and from then on nobody waits");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_even_for_an_outage_is_not_given() {
    let origin = Origin::new();
    let cache = cache(&origin, SETTINGS);
    cache.get(&1).await.unwrap();
    origin.set_down(true);
    pass(seconds(3_611)).await;
    assert_eq!(cache.get(&1).await.unwrap_err().kind(), PortErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_failure_without_anything_to_fall_back_on_is_told_to_everybody_and_not_kept() {
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
async fn a_source_that_hangs_with_nothing_to_fall_back_on_is_given_up_at_the_limit() {
    let origin = Origin::new();
    let cache = cache(&origin, SETTINGS);
    origin.hold();
    let began = Instant::now();
    assert_eq!(cache.get(&1).await.unwrap_err().kind(), PortErrorKind::Timeout);
    assert_eq!(began.elapsed(), seconds(2));
}

#[tokio::test(start_paused = true)]
async fn a_load_that_panics_is_an_error_once_and_holds_nobody_up() {
    let origin = Origin::new();
    let cache = cache(&origin, SETTINGS);
    origin.set_panics(true);
    assert_eq!(cache.get(&1).await.unwrap_err().kind(), PortErrorKind::Unavailable);
    origin.set_panics(false);
    assert_eq!(seen(cache.get(&1).await), (1, FRESH));
}

#[tokio::test(start_paused = true)]
async fn absence_is_kept_for_as_long_as_absence_is() {
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
async fn what_is_kept_is_bounded_by_its_bytes_and_what_is_asked_for_often_stays() {
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
async fn without_a_level_of_its_own_every_question_goes_to_the_source_and_those_at_once_share_it() {
    let origin = Origin::new();
    let cache = Arc::new(cache(&origin, CacheSettings { local_bytes: 0, ..SETTINGS }));
    join_all((0..100).map(|_| cache.get(&1))).await;
    assert_eq!(origin.loads(), 1);
    cache.get(&1).await.unwrap();
    assert_eq!(origin.loads(), 2);
}
