//! The breaker under every interleaving of a few threads.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    dead_code,
    unreachable_pub,
    reason = "includes the breaker's source and uses only part of it"
)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use loom::sync::Arc;
use loom::thread;

use unit::breaker::{Breaker, BreakerSettings, Event, Listener, State, Window};

/// The library's source, with the loom locks below.
#[path = "../src"]
mod unit {
    pub mod breaker;
}

mod sync {
    pub(crate) use loom::sync::Mutex;
}

const NOW: Duration = Duration::from_secs(100);

fn settings() -> BreakerSettings {
    BreakerSettings {
        window: Window::Calls(2),
        minimum_calls: 2,
        half_open_permits: 2,
        ..BreakerSettings::resilience4j()
    }
}

/// A breaker and the number of its transitions.
fn counted(settings: BreakerSettings) -> (Arc<Breaker>, std::sync::Arc<AtomicUsize>) {
    let transitions = std::sync::Arc::new(AtomicUsize::new(0));
    let listener: Listener = std::sync::Arc::new({
        let transitions = std::sync::Arc::clone(&transitions);
        move |event| {
            if matches!(event, Event::StateTransition { .. }) {
                transitions.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    (Arc::new(Breaker::new(settings, 0).unwrap().on_change(listener)), transitions)
}

fn half_open() -> (Arc<Breaker>, std::sync::Arc<AtomicUsize>) {
    let (breaker, transitions) = counted(settings());
    breaker.transition_to(State::Open, NOW).unwrap();
    breaker.transition_to(State::HalfOpen, NOW).unwrap();
    transitions.store(0, Ordering::SeqCst);
    (breaker, transitions)
}

/// Runs the work on this many threads, one of which is this one.
fn all(breaker: &Arc<Breaker>, work: impl Fn(&Breaker) + Copy + Send + 'static, threads: usize) {
    let others: Vec<_> = (1..threads)
        .map(|_| {
            let breaker = Arc::clone(breaker);
            thread::spawn(move || work(&breaker))
        })
        .collect();
    work(breaker);
    for other in others {
        other.join().unwrap();
    }
}

#[test]
fn concurrent_failures_open_it_once() {
    loom::model(|| {
        let (breaker, transitions) = counted(settings());
        all(
            &breaker,
            |breaker| {
                if let Ok(permit) = breaker.try_acquire(NOW) {
                    permit.failed(NOW);
                }
            },
            3,
        );
        let is = breaker.snapshot(NOW);
        assert_eq!((is.state, transitions.load(Ordering::SeqCst)), (State::Open, 1));
        assert_eq!(is.calls.failed + is.calls.not_permitted, 3);
    });
}

#[test]
fn calls_after_the_wait_start_one_trial_and_share_its_permits() {
    loom::model(|| {
        let (breaker, transitions) = counted(settings());
        breaker.transition_to(State::Open, Duration::ZERO).unwrap();
        all(
            &breaker,
            |breaker| {
                if let Ok(permit) = breaker.try_acquire(NOW) {
                    std::mem::forget(permit);
                }
            },
            3,
        );
        let is = breaker.snapshot(NOW);
        assert_eq!((is.state, is.permits_left), (State::HalfOpen, Some(0)));
        assert_eq!((is.calls.not_permitted, transitions.load(Ordering::SeqCst)), (1, 2));
    });
}

#[test]
fn dropped_and_ignored_permits_are_each_returned_once() {
    loom::model(|| {
        let (breaker, transitions) = half_open();
        all(
            &breaker,
            |breaker| {
                drop(breaker.try_acquire(NOW));
                if let Ok(permit) = breaker.try_acquire(NOW) {
                    permit.ignored();
                }
            },
            2,
        );
        assert_eq!(breaker.snapshot(NOW).permits_left, Some(2));
        assert_eq!(transitions.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn concurrent_outcomes_decide_a_trial_once() {
    loom::model(|| {
        let (breaker, transitions) = half_open();
        all(
            &breaker,
            |breaker| {
                if let Ok(permit) = breaker.try_acquire(NOW) {
                    permit.succeeded(NOW);
                }
            },
            3,
        );
        let is = breaker.snapshot(NOW);
        assert_eq!((is.state, transitions.load(Ordering::SeqCst)), (State::Closed, 1));
        assert_eq!(is.calls.successful + is.calls.not_permitted, 3);
    });
}

#[test]
fn a_permit_dropped_while_the_trial_changes_is_not_returned_to_the_next() {
    loom::model(|| {
        let (breaker, _) = half_open();
        let other = {
            let breaker = Arc::clone(&breaker);
            thread::spawn(move || {
                breaker.transition_to(State::Open, NOW).unwrap();
                breaker.transition_to(State::HalfOpen, NOW).unwrap();
            })
        };
        drop(breaker.try_acquire(NOW));
        other.join().unwrap();
        assert_eq!(breaker.snapshot(NOW).permits_left, Some(2));
    });
}
