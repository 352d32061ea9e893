//! A circuit breaker around port calls: which outcomes count, and how dropped calls release
//! permits.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use decorators::breaker::{Breaker, BreakerSettings, State, Window};
use decorators::breaker_layer::CircuitBreakerLayer;
use decorators::layer::Layer as _;
use decorators::timeout::Timeout;
use domain::queue::JoinError;
use domain::{Dependency, PortError, PortErrorKind};
use futures_util::FutureExt as _;

const SETTINGS: BreakerSettings = BreakerSettings {
    window: Window::Calls(10),
    minimum_calls: 10,
    wait_in_open: Duration::from_secs(10),
    max_wait_in_open: Duration::from_secs(10),
    wait_jitter: 0.0,
    half_open_permits: 2,
    max_half_open: Duration::ZERO,
    ..BreakerSettings::resilience4j()
};

fn breaking() -> CircuitBreakerLayer {
    CircuitBreakerLayer::new(Dependency::named("test"), Breaker::new(SETTINGS, 1).unwrap())
}

async fn fails(breaking: &CircuitBreakerLayer, kind: PortErrorKind) -> PortErrorKind {
    let answer: Result<(), PortError> =
        breaking.call(|| async move { Err(PortError::new(kind, Dependency::named("test"))) }).await;
    answer.unwrap_err().kind()
}

async fn succeeds(breaking: &CircuitBreakerLayer) -> bool {
    breaking.call(|| async { Ok::<_, PortError>(()) }).await.is_ok()
}

async fn open(breaking: &CircuitBreakerLayer) {
    for _ in 0..10 {
        fails(breaking, PortErrorKind::Unavailable).await;
    }
    assert_eq!(breaking.snapshot().state, State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_failing_dependency_gets_no_calls_and_callers_get_the_remaining_wait() {
    let breaking = breaking();
    open(&breaking).await;
    tokio::time::advance(Duration::from_secs(4)).await;
    let outcome = AtomicU32::new(0);
    let port_call = || async {
        outcome.fetch_add(1, Ordering::SeqCst);
        Ok::<_, PortError>(())
    };
    let refused = breaking.call(port_call).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.retry_in()),
        (PortErrorKind::Refused, Some(Duration::from_secs(6)))
    );
    assert_eq!(outcome.load(Ordering::SeqCst), 0);
    tokio::time::advance(Duration::from_millis(6_001)).await;
    assert!(succeeds(&breaking).await && succeeds(&breaking).await);
    assert_eq!(breaking.snapshot().state, State::Closed);
}

#[tokio::test(start_paused = true)]
async fn only_unavailable_and_timeout_count_as_failures() {
    for (kind, counts) in [
        (PortErrorKind::Unavailable, true),
        (PortErrorKind::Timeout, true),
        (PortErrorKind::Overloaded, false),
        (PortErrorKind::Refused, false),
        (PortErrorKind::Corrupt, false),
        (PortErrorKind::NotReady, false),
    ] {
        let breaking = breaking();
        for _ in 0..20 {
            fails(&breaking, kind).await;
        }
        let expected = if counts { State::Open } else { State::Closed };
        assert_eq!(breaking.snapshot().state, expected, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_business_refusal_is_not_a_failure() {
    let breaking = breaking();
    for _ in 0..20 {
        let full: Result<(), _> = breaking.call(|| async { Err(JoinError::QueueFull) }).await;
        assert!(matches!(full, Err(JoinError::QueueFull)));
    }
    let calls = breaking.snapshot().calls;
    assert_eq!((calls.successful, calls.failed), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn a_deliberate_refusal_is_a_success_and_never_slow() {
    let breaking = breaking();
    let longer_than_slow = Duration::from_secs(61);
    for _ in 0..20 {
        let refused: Result<(), PortError> = breaking
            .call(|| async {
                tokio::time::sleep(longer_than_slow).await;
                Err(PortError::new(PortErrorKind::NotReady, Dependency::named("test")))
            })
            .await;
        assert_eq!(refused.unwrap_err().kind(), PortErrorKind::NotReady);
    }
    let snapshot = breaking.snapshot();
    let calls = snapshot.calls;
    assert_eq!(
        (calls.successful, calls.slow_successful, calls.failed, calls.ignored),
        (20, 0, 0, 0)
    );
    assert_eq!(snapshot.state, State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_dependency_that_refuses_deliberately_passes_a_trial() {
    let breaking = breaking();
    open(&breaking).await;
    tokio::time::advance(Duration::from_secs(11)).await;
    for _ in 0..2 {
        fails(&breaking, PortErrorKind::NotReady).await;
    }
    assert_eq!(breaking.snapshot().state, State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_recovered_heartbeat_ends_the_wait_once() {
    let breaking = breaking();
    open(&breaking).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    breaking.note_heartbeat(None);
    assert!(!succeeds(&breaking).await, "the heartbeat never failed");
    breaking.note_heartbeat(Some(PortErrorKind::Unavailable));
    breaking.note_heartbeat(Some(PortErrorKind::Overloaded));
    assert!(breaking.refuses() && !succeeds(&breaking).await, "the heartbeat still fails");
    breaking.note_heartbeat(None);
    assert!(!breaking.refuses());
    // The dependency responds, but this breaker's calls still fail: it waits as usual.
    for _ in 0..2 {
        fails(&breaking, PortErrorKind::Unavailable).await;
    }
    assert_eq!(breaking.snapshot().state, State::Open);
    breaking.note_heartbeat(None);
    assert!(breaking.refuses() && !succeeds(&breaking).await);
    // Another outage, followed by recovery.
    tokio::time::advance(Duration::from_secs(1)).await;
    breaking.note_heartbeat(Some(PortErrorKind::Timeout));
    breaking.note_heartbeat(Some(PortErrorKind::NotReady));
    assert!(succeeds(&breaking).await && succeeds(&breaking).await);
    assert_eq!(breaking.snapshot().state, State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_does_not_affect_a_forced_open_breaker() {
    let breaker = Breaker::new(SETTINGS, 1).unwrap();
    breaker.transition_to(State::ForcedOpen, Duration::ZERO).unwrap();
    let breaking = CircuitBreakerLayer::new(Dependency::named("test"), breaker);
    breaking.note_heartbeat(Some(PortErrorKind::Unavailable));
    breaking.note_heartbeat(None);
    breaking.note_check(None);
    assert!(breaking.refuses() && !succeeds(&breaking).await);
}

#[tokio::test(start_paused = true)]
async fn health_checks_close_a_breaker_without_traffic_after_its_wait() {
    let breaking = breaking();
    breaking.note_check(Some(PortErrorKind::Unavailable));
    assert_eq!(breaking.snapshot().calls.failed, 0, "a closed breaker ignores health checks");
    open(&breaking).await;
    for _ in 0..5 {
        breaking.note_check(None);
    }
    let snapshot = breaking.snapshot();
    assert_eq!(
        (snapshot.state, snapshot.calls.not_permitted),
        (State::Open, 0),
        "its wait is not over"
    );
    tokio::time::advance(Duration::from_millis(10_001)).await;
    assert!(!breaking.refuses(), "the next call is a trial");
    breaking.note_check(None);
    breaking.note_check(Some(PortErrorKind::Timeout));
    assert_eq!(breaking.snapshot().state, State::Open, "half of the trial failed");
    tokio::time::advance(Duration::from_millis(10_001)).await;
    breaking.note_check(None);
    breaking.note_check(None);
    assert_eq!(breaking.snapshot().state, State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_counts_if_the_timeout_is_inside_the_breaker() {
    let breaking = breaking();
    let limit = Timeout::new(Dependency::named("test"), Duration::from_secs(1));
    for _ in 0..10 {
        let answer: Result<(), PortError> = breaking.call(|| limit.call(pending)).await;
        assert_eq!(answer.unwrap_err().kind(), PortErrorKind::Timeout);
    }
    assert_eq!(breaking.snapshot().state, State::Open);
}

/// Polls the future this many times, then drops it.
async fn abandoned<F: Future>(future: F, polls: u32) -> bool {
    let mut future = pin!(future);
    for _ in 0..polls {
        if future.as_mut().now_or_never().is_some() {
            return true;
        }
    }
    false
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_at_any_point_releases_its_permit() {
    let yields = async |times: u32| {
        for _ in 0..times {
            let mut polled = false;
            std::future::poll_fn(|_| {
                if std::mem::replace(&mut polled, true) {
                    std::task::Poll::Ready(())
                } else {
                    std::task::Poll::Pending
                }
            })
            .await;
        }
        Ok::<_, PortError>(())
    };
    for polls in 0..=5 {
        let breaking = breaking();
        open(&breaking).await;
        tokio::time::advance(Duration::from_secs(11)).await;
        // More drops than a trial has permits: a leaked permit would leave none.
        for _ in 0..20 {
            assert!(!abandoned(breaking.call(|| yields(5)), polls).await, "after {polls} polls");
        }
        assert!(succeeds(&breaking).await && succeeds(&breaking).await, "after {polls} polls");
        assert_eq!(breaking.snapshot().state, State::Closed, "after {polls} polls");
    }
}
