//! Permits are neither lost nor returned twice.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use decorators::breaker::{Breaker, BreakerSettings, Event, Listener, State, Window};

use super::subject::{Subject, seconds, settings};

fn trial() -> BreakerSettings {
    BreakerSettings { max_half_open: seconds(1), ..settings(Window::Calls(5)) }
}

#[test]
fn a_call_with_an_outcome_keeps_its_permit() {
    let breaker = Subject::half_open(trial());
    breaker.ok();
    assert_eq!(breaker.snapshot().permits_left, Some(3));
    breaker.error();
    assert_eq!(breaker.snapshot().permits_left, Some(2));
}

#[test]
fn a_late_outcome_is_recorded_while_open_and_changes_nothing() {
    let breaker = Subject::of(Window::Calls(10));
    let late = [(); 3].map(|()| breaker.call().unwrap());
    for _ in 0..5 {
        breaker.error();
    }
    assert_eq!((breaker.state(), breaker.transitions()), (State::Open, 1));
    let [first, second, third] = late;
    first.failed(breaker.now());
    second.succeeded(breaker.now());
    third.ignored();
    breaker.assert_metrics(Some(600.0 / 7.0), 1, 7, 6, 0);
    assert_eq!((breaker.state(), breaker.transitions()), (State::Open, 1));
    assert_eq!(breaker.snapshot().retry_in, Some(seconds(5)));
}

#[test]
fn a_call_permitted_before_the_trial_returns_no_permit_to_it() {
    let breaker = Subject::new(trial());
    let early = [(); 3].map(|()| breaker.call().unwrap());
    breaker.go(State::Open);
    breaker.go(State::HalfOpen);
    let [dropped, ignored, failed] = early;
    drop(dropped);
    ignored.ignored();
    assert_eq!(breaker.snapshot().permits_left, Some(4));
    failed.failed(breaker.now());
    assert_eq!((breaker.snapshot().permits_left, breaker.state()), (Some(4), State::HalfOpen));
}

#[test]
fn a_call_of_an_earlier_trial_returns_no_permit_to_a_later_one() {
    let breaker = Subject::half_open(trial());
    let early = [(); 2].map(|()| breaker.call().unwrap());
    breaker.go(State::Open);
    breaker.go(State::HalfOpen);
    let _taken = [(); 4].map(|()| breaker.call().unwrap());
    let [dropped, ignored] = early;
    drop(dropped);
    ignored.ignored();
    assert_eq!(breaker.snapshot().permits_left, Some(0));
    assert!(!breaker.lets());
}

#[test]
fn a_late_outcome_counts_in_the_current_trial_as_in_resilience4j() {
    let breaker = Subject::new(trial());
    let early = [(); 4].map(|()| breaker.call().unwrap());
    breaker.go(State::Open);
    breaker.go(State::HalfOpen);
    for permit in early {
        permit.succeeded(breaker.now());
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_trial_whose_permits_are_never_returned_ends_at_its_limit() {
    let breaker = Subject::half_open(trial());
    for _ in 0..4 {
        assert!(breaker.lets());
    }
    assert!(!breaker.lets());
    // One second of trial and 7.5 of waiting, without calls.
    breaker.advance(seconds(9));
    assert!(breaker.lets());
    assert_eq!(breaker.snapshot().permits_left, Some(3));
    assert_eq!(breaker.transitions(), 4);
}

#[test]
fn a_trial_without_a_limit_waits_forever() {
    let breaker = Subject::half_open(settings(Window::Calls(5)));
    for _ in 0..4 {
        assert!(breaker.lets());
    }
    breaker.advance(seconds(1_000_000));
    assert_eq!((breaker.state(), breaker.lets()), (State::HalfOpen, false));
}

#[test]
fn each_failed_trial_lengthens_the_next_wait_up_to_the_maximum() {
    let breaker = Subject::new(trial());
    breaker.go(State::Open);
    let mut waits = Vec::new();
    for _ in 0..9 {
        let wait = breaker.snapshot().retry_in.unwrap();
        waits.push(wait.as_millis());
        breaker.advance(wait + Duration::from_nanos(1));
        for _ in 0..4 {
            breaker.error();
        }
    }
    assert_eq!(waits, [5_000, 7_500, 11_250, 16_875, 25_312, 37_968, 56_953, 60_000, 60_000]);
}

#[test]
fn a_listener_that_panics_loses_no_permit() {
    let panics: Listener = Arc::new(|event| {
        if matches!(event, Event::StateTransition { to: State::HalfOpen, .. }) {
            std::panic::resume_unwind(Box::new("a listener"));
        }
    });
    let breaker = Breaker::new(trial(), 0).unwrap().on_change(panics);
    breaker.transition_to(State::Open, seconds(1)).unwrap();
    catch_unwind(AssertUnwindSafe(|| drop(breaker.try_acquire(seconds(10))))).unwrap_err();
    let is = breaker.snapshot(seconds(10));
    assert_eq!((is.state, is.permits_left), (State::HalfOpen, Some(4)));
}
