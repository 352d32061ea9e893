//! Estimates by example, and properties that hold for every queue.

mod properties;
mod sale;

use super::*;
use crate::queue::{PolicySpec, QueueCounters, QueueNumber, VacantNumbers};

/// Ten slots, ten calls a second, a minute to claim, ten minutes inside.
const TEN_SLOTS: PolicySpec = PolicySpec {
    batch: 10,
    every: Duration::from_secs(1),
    max_active: 10,
    claim_within: Duration::from_secs(60),
    session_ttl: Duration::from_secs(600),
    max_waiting: 1_000_000,
};

fn estimator(spec: PolicySpec) -> WaitEstimator {
    WaitEstimator::new(&AdmissionPolicy::new(spec).unwrap())
}

/// The position behind `people - 1` others.
fn position(people: u64) -> Position {
    match QueueNumber::new(people) {
        Ok(number) => VacantNumbers::default().position_of(number, QueueCounters::new(people, 0)),
        Err(_) => Position::CALLED,
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Sessions by the seconds left.
fn inside(ends: &[(f64, u64)]) -> Occupancy {
    let ends = ends.iter().map(|(left, sessions)| (seconds(*left), *sessions)).collect();
    Occupancy { ends, ..Occupancy::default() }
}

/// Estimates in seconds, by position, under [`TEN_SLOTS`].
fn check(occupancy: &Occupancy, expected: &[(u64, f64)]) {
    let forecast = estimator(TEN_SLOTS).prepare(occupancy, None);
    for (people, expected) in expected {
        let eta = forecast.eta(position(*people)).as_secs_f64();
        assert!((eta - expected).abs() < 1e-6, "position {people}: {eta} and not {expected}");
    }
}

fn check_hold(occupancy: &Occupancy, expected: f64) {
    let hold = estimator(TEN_SLOTS).prepare(occupancy, None).slot_hold().as_secs_f64();
    assert!((hold - expected).abs() < 1e-6, "{hold} and not {expected}: {occupancy:?}");
}

#[test]
fn behind_full_slots_people_wait_for_sessions_to_end() {
    // The eleventh to join, the twentieth, the twenty-first, the fiftieth.
    check(&inside(&[(600.0, 10)]), &[(1, 600.0), (10, 600.0), (11, 1_200.0), (40, 2_400.0)]);
    check(&inside(&[(60.0, 10)]), &[(1, 60.0), (10, 60.0), (11, 660.0), (40, 1_860.0)]);
}

#[test]
fn each_slot_is_waited_for_by_its_own_end() {
    let occupancy = inside(&[(30.0, 1), (300.0, 4), (590.0, 10)]);
    check(&occupancy, &[(1, 30.0), (2, 300.0), (4, 300.0), (5, 590.0), (10, 590.0)]);
    check(&occupancy, &[(11, 630.0), (12, 900.0), (20, 1_190.0), (21, 1_230.0)]);
}

#[test]
fn free_slots_wait_for_the_rate_alone() {
    check(&Occupancy::default(), &[(0, 0.0), (1, 0.1), (9, 0.9), (10, 1.0), (11, 600.0)]);
    let occupancy = Occupancy { open_calls: 3, ..inside(&[(60.0, 4)]) };
    check(
        &occupancy,
        &[(1, 0.1), (3, 0.3), (4, 60.0), (7, 60.0), (8, 600.0), (10, 600.0), (11, 600.0)],
    );
    check(&occupancy, &[(13, 600.0), (14, 660.0)]);
}

#[test]
fn a_wait_comes_with_the_limit_that_determines_it() {
    let limit = |occupancy: &Occupancy, people| {
        estimator(TEN_SLOTS).prepare(occupancy, None).wait(position(people), 0).1
    };
    let (nobody, full) = (Occupancy::default(), inside(&[(60.0, 10)]));
    assert_eq!([1, 10].map(|people| limit(&nobody, people)), [WaitLimit::Rate; 2]);
    assert_eq!([11, 50].map(|people| limit(&nobody, people)), [WaitLimit::Slots; 2]);
    assert_eq!([1, 11].map(|people| limit(&full, people)), [WaitLimit::Slots; 2]);
    let free_in_turn = inside(&[(0.1, 10)]);
    assert_eq!(
        limit(&free_in_turn, 1),
        WaitLimit::Rate,
        "slots that lengthen no wait limit nothing"
    );
}

#[test]
fn slots_that_are_plenty_leave_the_position_over_the_rate() {
    let spec = PolicySpec { batch: 30, every: Duration::from_secs(7), ..PolicySpec::default() };
    let forecast = estimator(spec).prepare(&inside(&[(5.0, 1_000)]), None);
    for people in [1, 2, 100, 100_000, 10_000_000] {
        let expected = seconds(people as f64 / (30.0 / 7.0));
        assert_eq!(forecast.eta(position(people)), expected, "{people}");
    }
}

#[test]
fn slots_in_use_beyond_the_limit_are_released_to_no_one() {
    let occupancy = inside(&[(10.0, 2), (20.0, 3), (400.0, 12)]);
    check(&occupancy, &[(1, 20.0), (2, 400.0), (10, 400.0), (11, 620.0)]);
}

#[test]
fn an_open_call_is_a_hold_that_begins_now() {
    let occupancy = Occupancy { open_calls: 10, ..Occupancy::default() };
    check(&occupancy, &[(1, 600.0), (10, 600.0), (11, 1_200.0)]);
    let left_soon = Occupancy { freed: 98.0, held_seconds: 98.0 * 60.0, ..occupancy };
    check(&left_soon, &[(1, 70.8), (10, 70.8), (11, 141.6)]);
}

#[test]
fn people_called_after_the_snapshot_hold_slots_as_they_do_in_the_next_one() {
    let nobody = Occupancy::default();
    let forecast = estimator(TEN_SLOTS).prepare(&nobody, None);
    for called in [0, 4, 10] {
        let next =
            estimator(TEN_SLOTS).prepare(&Occupancy { open_calls: called, ..nobody.clone() }, None);
        for people in [0, 1, 2, 6, 7, 10, 11, 390] {
            let expected = next.wait(position(people), 0);
            assert_eq!(
                forecast.wait(position(people), called),
                expected,
                "{people} after {called}"
            );
        }
    }
    // Three slots were released and taken at once: the next person waits for the fourth.
    let full = estimator(TEN_SLOTS).prepare(&inside(&[(1.0, 3), (300.0, 10)]), None);
    assert_eq!(full.wait(position(1), 3), (seconds(300.0), WaitLimit::Slots));
    assert_eq!(full.wait(position(1), 2), (seconds(1.0), WaitLimit::Slots));
}

#[test]
fn slots_are_released_during_a_pause() {
    let eta = |people, paused| {
        let occupancy = inside(&[(30.0, 5), (300.0, 10)]);
        let paused = Some(seconds(paused));
        estimator(TEN_SLOTS).estimate(position(people), &occupancy, paused).as_secs_f64()
    };
    // The pause is longer than the first slots take: then the rate counts from its end.
    for (people, expected) in [(1, 100.1), (5, 100.5), (6, 300.0), (11, 700.0), (16, 900.0)] {
        assert!((eta(people, 100.0) - expected).abs() < 1e-6, "{people}: {}", eta(people, 100.0));
    }
    assert!((eta(1, 10.0) - 30.0).abs() < 1e-6, "shorter than the sessions");
    assert!((eta(0, 10.0)).abs() < 1e-6, "called already");
}

#[test]
fn a_whole_session_is_assumed_until_there_is_evidence() {
    check_hold(&Occupancy::default(), 600.0);
    check_hold(&inside(&[(300.0, 10)]), 600.0);
    for (freed, held_seconds, expected) in [
        (1.0, 30.0, 410.0),
        (8.0, 80.0, 128.0),
        (98.0, 0.0, 12.0),
        (0.5, 100.0, 520.0),
        // Claimed late: a slot was held for longer than a session lasts.
        (8.0, 8.0 * 650.0, 640.0),
        // Longer than the maximum hold.
        (8.0, 8.0 * 700.0, 648.0),
    ] {
        check_hold(&Occupancy { freed, held_seconds, ..Occupancy::default() }, expected);
    }
}

#[test]
fn invalid_figures_are_ignored() {
    for freed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        check_hold(&Occupancy { freed, held_seconds: 10.0, ..Occupancy::default() }, 600.0);
    }
    check_hold(&Occupancy { freed: 8.0, held_seconds: -10.0, ..Occupancy::default() }, 120.0);
}

#[test]
fn stays_beyond_the_mean_of_released_sessions_raise_the_mean_hold() {
    let evidence = |ends| Occupancy { freed: 8.0, held_seconds: 80.0, ..inside(ends) };
    // Inside for exactly the mean hold of the released sessions, and for less.
    check_hold(&evidence(&[(590.0, 4), (600.0, 10)]), 128.0);
    // Four of them for 100 seconds longer, two of those for 50 more.
    check_hold(&evidence(&[(440.0, 2), (490.0, 4), (600.0, 10)]), 128.0 + 50.0);
    check_hold(&evidence(&[(1.0, 10)]), 600.0);
    // The longest holds seen count in full.
    let late = Occupancy { freed: 8.0, held_seconds: 8.0 * 650.0, ..inside(&[(0.0, 10)]) };
    check_hold(&late, 640.0);
}

#[test]
fn sessions_are_released_after_the_mean_hold_or_one_by_one_once_overdue() {
    // Enough observations that the prior has no weight.
    let mean =
        |hold: f64, ends| Occupancy { freed: 1e12, held_seconds: 1e12 * hold, ..inside(ends) };
    // Inside for 20 and 10 seconds.
    check(&mean(60.0, &[(580.0, 4), (590.0, 10)]), &[(1, 40.0), (4, 40.0), (5, 50.0), (10, 50.0)]);
    check(&mean(60.0, &[(580.0, 4), (590.0, 10)]), &[(11, 100.0), (20, 110.0)]);
    // Inside for 120 seconds: they are released one by one, each six seconds later, the last within
    // a third of 60 seconds less the fifth of the session that has passed.
    check(&mean(60.0, &[(480.0, 10)]), &[(1, 6.0), (2, 12.0), (3, 16.0), (10, 16.0)]);
    // The mean hold is not quite over.
    check(&mean(60.0, &[(550.0, 10)]), &[(1, 10.0), (2, 12.0), (4, 55.0 / 3.0), (10, 55.0 / 3.0)]);
    // The mean includes late claims: these sessions end before it.
    check(&mean(640.0, &[(300.0, 10)]), &[(1, 300.0), (10, 300.0), (11, 940.0)]);
}

#[test]
fn a_session_that_is_longer_than_the_policy_allows_has_just_begun() {
    check(&inside(&[(5_000.0, 10)]), &[(1, 600.0), (10, 600.0), (11, 1_200.0)]);
}

#[test]
fn further_steps_are_merged_into_the_last() {
    let ends: Vec<_> = (1..=20_u32).map(|step| (f64::from(step) * 10.0, u64::from(step))).collect();
    let spec = PolicySpec { max_active: 20, ..TEN_SLOTS };
    let forecast = estimator(spec).prepare(&Occupancy { open_calls: 1, ..inside(&ends) }, None);
    // 21 slots are in use, with a limit of 20.
    for (people, expected) in [(1, 20.0), (14, 150.0), (15, 200.0), (19, 200.0), (20, 600.0)] {
        assert_eq!(forecast.eta(position(people)), seconds(expected), "{people}");
    }
}

#[test]
fn extreme_positions_and_slots_are_estimated() {
    let occupancy = Occupancy { open_calls: u64::MAX, ..inside(&[(600.0, u64::MAX)]) };
    for people in [1, 10, QueueNumber::MAX] {
        assert!(
            estimator(TEN_SLOTS).estimate(position(people), &occupancy, None) >= seconds(600.0)
        );
    }
    let forever = estimator(TEN_SLOTS).prepare(&occupancy, Some(Duration::MAX));
    assert!(forever.eta(position(QueueNumber::MAX)) >= seconds(1e18));
}
