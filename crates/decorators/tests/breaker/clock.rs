//! The breaker when its clock jumps backwards or forwards.

use std::time::Duration;

use decorators::breaker::{State, Window};

use super::subject::{Subject, seconds, settings};

#[test]
fn a_clock_set_back_neither_loses_nor_double_counts_a_call() {
    for window in [Window::Calls(5), Window::Seconds(5)] {
        let breaker = Subject::of(window);
        breaker.error();
        breaker.ok();
        breaker.set_clock(Duration::ZERO);
        breaker.assert_metrics(None, 1, 2, 1, 0);
        breaker.ok();
        breaker.assert_metrics(None, 2, 3, 1, 0);
    }
}

#[test]
fn after_a_clock_was_set_back_the_window_keeps_sliding() {
    let breaker = Subject::of(Window::Seconds(5));
    breaker.error();
    breaker.set_clock(seconds(10));
    breaker.assert_metrics(None, 0, 1, 1, 0);
    breaker.advance(seconds(4));
    breaker.assert_metrics(None, 0, 1, 1, 0);
    breaker.advance(seconds(1));
    breaker.assert_nothing_measured();
}

#[test]
fn time_stands_still_until_a_slightly_late_clock_catches_up() {
    let breaker = Subject::of(Window::Calls(5));
    breaker.go(State::Open);
    breaker.set_clock(breaker.now() - seconds(10));
    assert_eq!(breaker.call().unwrap_err().retry_in, Some(seconds(5)));
    breaker.advance(seconds(15));
    assert!(!breaker.lets());
    breaker.advance(Duration::from_nanos(1));
    assert!(breaker.lets());
}

#[test]
fn after_a_clock_was_set_back_a_wait_still_ends_on_time() {
    let breaker = Subject::of(Window::Calls(5));
    breaker.go(State::Open);
    breaker.set_clock(Duration::ZERO);
    assert_eq!(breaker.call().unwrap_err().retry_in, Some(seconds(5)));
    breaker.advance(seconds(5));
    assert!(!breaker.lets());
    breaker.advance(seconds(1));
    assert!(breaker.lets());
}

#[test]
fn a_forward_leap_empties_a_window_of_seconds_and_ends_a_wait() {
    let breaker = Subject::of(Window::Seconds(5));
    breaker.error();
    breaker.set_clock(Duration::MAX);
    breaker.assert_nothing_measured();
    breaker.set_clock(seconds(1));
    breaker.error();
    breaker.assert_metrics(None, 0, 1, 1, 0);

    breaker.go(State::Open);
    breaker.set_clock(Duration::MAX);
    assert!(breaker.lets());
}

#[test]
fn after_the_largest_leap_a_breaker_still_opens_and_recovers() {
    let breaker = Subject::new(decorators::breaker::BreakerSettings {
        max_half_open: seconds(1),
        ..settings(Window::Seconds(5))
    });
    for _ in 0..100 {
        breaker.set_clock(Duration::MAX);
        breaker.snapshot();
        breaker.set_clock(Duration::ZERO);
        breaker.snapshot();
    }
    for _ in 0..5 {
        breaker.error();
    }
    assert_eq!(breaker.snapshot().retry_in, Some(seconds(5)));
    breaker.advance(seconds(6));
    for _ in 0..4 {
        breaker.ok();
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn readings_slightly_out_of_order_do_not_advance_time() {
    let breaker = Subject::of(Window::Seconds(5));
    breaker.error();
    let later = breaker.now() + Duration::from_millis(1);
    for _ in 0..10_000 {
        breaker.breaker.snapshot(later);
        breaker.breaker.snapshot(breaker.now());
    }
    breaker.advance(seconds(4));
    breaker.assert_metrics(None, 0, 1, 1, 0);
}

#[test]
fn a_call_during_which_the_clock_was_set_back_is_not_slow() {
    let breaker = Subject::of(Window::Calls(5));
    let permit = breaker.call().unwrap();
    breaker.set_clock(seconds(1));
    permit.succeeded(breaker.now());
    let calls = breaker.snapshot().calls;
    assert_eq!((calls.successful, calls.slow_successful), (1, 0));
}
