//! The breaker under real threads: exactly one transition, and never too many permits.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use decorators::breaker::{Breaker, BreakerSettings, Event, Listener, State, Window};

use super::subject::{seconds, settings};

const THREADS: usize = 8;
const ROUNDS: usize = 100;

/// A breaker and the number of its transitions.
fn counted(settings: BreakerSettings) -> (Breaker, Arc<AtomicUsize>) {
    let transitions = Arc::new(AtomicUsize::new(0));
    let listener: Listener = Arc::new({
        let transitions = Arc::clone(&transitions);
        move |event| {
            if matches!(event, Event::StateTransition { .. }) {
                transitions.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    (Breaker::new(settings, 0).unwrap().on_change(listener), transitions)
}

/// Runs the work on all threads at the same time.
fn together(work: impl Fn() + Sync) {
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                work();
            });
        }
    });
}

#[test]
fn concurrent_failures_open_it_once() {
    for window in [Window::Calls(50), Window::Seconds(5)] {
        for _ in 0..ROUNDS {
            let (breaker, transitions) = counted(settings(window));
            together(|| {
                for _ in 0..20 {
                    if let Ok(permit) = breaker.try_acquire(seconds(1)) {
                        permit.failed(seconds(1));
                    }
                }
            });
            let is = breaker.snapshot(seconds(1));
            assert_eq!((is.state, transitions.load(Ordering::SeqCst)), (State::Open, 1));
            assert_eq!(is.calls.failed + is.calls.not_permitted, 20 * THREADS as u64);
            assert_eq!(is.window.calls, is.calls.failed.min(50), "late outcomes are recorded too");
        }
    }
}

#[test]
fn concurrent_calls_after_the_wait_share_the_permits() {
    for _ in 0..ROUNDS {
        let (breaker, transitions) = counted(settings(Window::Calls(5)));
        breaker.transition_to(State::Open, seconds(1)).unwrap();
        let admitted = AtomicUsize::new(0);
        together(|| {
            if breaker.try_acquire(seconds(10)).map(std::mem::forget).is_ok() {
                admitted.fetch_add(1, Ordering::SeqCst);
            }
        });
        assert_eq!((admitted.into_inner(), transitions.load(Ordering::SeqCst)), (4, 2));
        assert_eq!(breaker.snapshot(seconds(10)).permits_left, Some(0));
    }
}

#[test]
fn every_outcome_returns_its_permit() {
    for _ in 0..ROUNDS {
        let (breaker, _) = counted(settings(Window::Calls(5)));
        breaker.transition_to(State::Open, seconds(1)).unwrap();
        breaker.transition_to(State::HalfOpen, seconds(1)).unwrap();
        let running = AtomicUsize::new(0);
        together(|| {
            for turn in 0..50 {
                let Ok(permit) = breaker.try_acquire(seconds(1)) else { continue };
                let at_once = running.fetch_add(1, Ordering::SeqCst) + 1;
                assert!(at_once <= 4, "{at_once} of 4");
                running.fetch_sub(1, Ordering::SeqCst);
                if turn % 2 == 0 {
                    permit.ignored();
                }
            }
        });
        let is = breaker.snapshot(seconds(1) + Duration::from_millis(1));
        assert_eq!((is.state, is.permits_left), (State::HalfOpen, Some(4)));
    }
}
