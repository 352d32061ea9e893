//! The sliding windows.

use std::time::Duration;

use decorators::breaker::{Breaker, BreakerSettings, State, Window};

use super::subject::{Subject, seconds, settings};

#[test]
fn after_a_million_successes_half_of_a_window_of_calls_opens_it() {
    let breaker = a_million_successes(Window::Calls(100));
    assert_eq!(failures_until_open(&breaker, seconds(1_000)), 50);
    assert_eq!(breaker.snapshot(seconds(1_000)).failure_rate, Some(50.0));
}

#[test]
fn after_a_million_successes_half_of_a_window_of_seconds_opens_it() {
    // A thousand a second: successes leave the window at the rate at which failures enter.
    let breaker = a_million_successes(Window::Seconds(10));
    let mut failures = 0;
    loop {
        let now = seconds(1_000) + Duration::from_millis(failures);
        breaker.try_acquire(now).unwrap().failed(now);
        failures += 1;
        let is = breaker.snapshot(now);
        if is.state == State::Open {
            assert_eq!((is.failure_rate, is.window.calls), (Some(50.0), 10_000));
            break;
        }
    }
    assert_eq!(failures, 5_000);
}

#[test]
fn after_a_million_expired_successes_only_later_calls_count() {
    let breaker = a_million_successes(Window::Seconds(10));
    let now = seconds(1_010);
    assert_eq!(breaker.snapshot(now).window.calls, 0);
    assert_eq!(failures_until_open(&breaker, now), 100, "the minimum number of calls");
}

#[test]
fn a_window_of_calls_drops_the_oldest_call() {
    let breaker = Subject::of(Window::Calls(5));
    breaker.go(State::MetricsOnly);
    breaker.error();
    breaker.error();
    for _ in 0..3 {
        breaker.ok();
        breaker.error();
        breaker.ok();
        breaker.ok();
        breaker.ok();
    }
    breaker.assert_metrics(Some(20.0), 4, 5, 1, 0);
    breaker.advance(seconds(1_000_000));
    breaker.assert_metrics(Some(20.0), 4, 5, 1, 0);
}

#[test]
fn a_window_of_seconds_drops_one_second_at_a_time() {
    let breaker = Subject::of(Window::Seconds(5));
    breaker.go(State::MetricsOnly);
    for second in 1..=5_u64 {
        for _ in 0..second {
            breaker.error();
        }
        breaker.ok();
        breaker.advance(seconds(1));
    }
    // The first second, one failure and one success, has just left the window.
    for (calls, failed) in [(18, 14), (15, 12), (11, 9), (6, 5), (0, 0), (0, 0)] {
        let window = breaker.snapshot().window;
        assert_eq!((window.calls, window.failed), (calls, failed));
        breaker.advance(seconds(1));
    }
}

#[test]
fn the_minimum_calls_are_capped_at_the_size_of_a_window_of_calls() {
    let breaker =
        Subject::new(BreakerSettings { minimum_calls: 100, ..settings(Window::Calls(5)) });
    for _ in 0..5 {
        breaker.error();
    }
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_window_of_seconds_that_never_holds_enough_never_opens() {
    let breaker =
        Subject::new(BreakerSettings { minimum_calls: 6, ..settings(Window::Seconds(5)) });
    for _ in 0..1_000 {
        breaker.error();
        breaker.advance(seconds(1));
    }
    assert_eq!((breaker.state(), breaker.snapshot().window.calls), (State::Closed, 4));
}

/// A thousand calls in each of a thousand seconds.
fn a_million_successes(window: Window) -> Breaker {
    let breaker =
        Breaker::new(BreakerSettings { window, ..BreakerSettings::resilience4j() }, 0).unwrap();
    for milliseconds in 0..1_000_000 {
        let now = Duration::from_millis(milliseconds);
        breaker.try_acquire(now).unwrap().succeeded(now);
    }
    breaker
}

fn failures_until_open(breaker: &Breaker, now: Duration) -> u32 {
    for failures in 0..1_000 {
        match breaker.try_acquire(now) {
            Ok(permit) => permit.failed(now),
            Err(_) => return failures,
        }
    }
    u32::MAX
}
