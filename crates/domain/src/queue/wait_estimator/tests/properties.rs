//! Properties of the estimate for every policy, occupancy and position.

use proptest::prelude::*;

use super::*;

/// Rounding of a float to a duration, and of sums in another order.
const ROUNDING: f64 = 1e-6;

fn policies() -> impl Strategy<Value = PolicySpec> {
    (1..200_u32, 100..10_000_u64, 1..300_u32, 1_000..900_000_u64, 1_000..900_000_u64).prop_map(
        |(batch, every, max_active, claim_within, session_ttl)| PolicySpec {
            batch,
            every: Duration::from_millis(every),
            max_active,
            claim_within: Duration::from_millis(claim_within),
            session_ttl: Duration::from_millis(session_ttl),
            max_waiting: 1_000_000,
        },
    )
}

/// A policy and a possible report under it: sessions with any part of their time left, more slots
/// in use than the limit, any evidence.
fn queues() -> impl Strategy<Value = (PolicySpec, Occupancy)> {
    let steps = proptest::collection::vec((0.0..1.0_f64, 1..30_u64), 0..Occupancy::MAX_STEPS);
    (policies(), steps, 0..30_u64, 0.0..100.0_f64, 0.0..1.0_f64).prop_map(
        |(spec, mut steps, open_calls, freed, share)| {
            steps.sort_by(|a, b| a.0.total_cmp(&b.0));
            let mut sessions = 0;
            let ends = steps.into_iter().map(|(left, more)| {
                sessions += more;
                (spec.session_ttl.mul_f64(left), sessions)
            });
            let ends = ends.collect();
            let longest = (spec.claim_within + spec.session_ttl).as_secs_f64();
            (spec, Occupancy { ends, open_calls, freed, held_seconds: freed * longest * share })
        },
    )
}

fn eta(forecast: &Forecast, people: u64) -> f64 {
    forecast.eta(position(people)).as_secs_f64()
}

/// The same snapshot if nothing happens for `passed`.
fn later(occupancy: &Occupancy, passed: Duration) -> Occupancy {
    let ends =
        occupancy.ends.iter().map(|(left, slots)| (left.saturating_sub(passed), *slots)).collect();
    Occupancy { ends, ..occupancy.clone() }
}

proptest! {
    #[test]
    fn the_estimate_grows_with_the_position(
        (spec, occupancy) in queues(),
        people in 0..5_000_u64,
        more in 0..700_u64,
        pause in 0..100_u64,
    ) {
        let forecast = estimator(spec).prepare(&occupancy, Some(Duration::from_secs(pause)));
        let (near, far) = (eta(&forecast, people), eta(&forecast, people + more));
        prop_assert!(near <= far + ROUNDING, "{near} at {people}, {far} at {}", people + more);
    }

    #[test]
    fn the_estimate_is_between_the_rate_and_the_worst_case(
        (spec, occupancy) in queues(),
        people in 1..5_000_u64,
    ) {
        let policy = AdmissionPolicy::new(spec).unwrap();
        let estimate = eta(&estimator(spec).prepare(&occupancy, None), people);
        let by_rate = people as f64 / policy.fastest_rate();
        let longest = (spec.claim_within + spec.session_ttl).as_secs_f64();
        let worst = by_rate.max(people.div_ceil(u64::from(spec.max_active)) as f64 * longest);
        prop_assert!(by_rate - ROUNDING <= estimate && estimate <= worst + ROUNDING);
    }

    #[test]
    fn a_forecast_equals_the_single_estimates((spec, occupancy) in queues(), people in 0..5_000_u64) {
        let (at, paused) = (position(people), Some(Duration::from_secs(people)));
        let table = estimator(spec).prepare(&occupancy, paused);
        prop_assert_eq!(table.eta(at), estimator(spec).estimate(at, &occupancy, paused));
    }

    #[test]
    fn a_pause_adds_no_more_than_itself(
        (spec, occupancy) in queues(),
        people in 1..5_000_u64,
        pause in 0.0..2_000.0_f64,
    ) {
        let paused = eta(&estimator(spec).prepare(&occupancy, Some(seconds(pause))), people);
        let running = eta(&estimator(spec).prepare(&occupancy, None), people);
        prop_assert!(paused + ROUNDING >= running.max(pause), "{paused}, {running} without the pause");
        prop_assert!(paused <= running + pause + ROUNDING, "{paused}, {running} without the pause");
    }

    #[test]
    fn while_the_mean_hold_stays_waiting_raises_no_estimate(
        (spec, occupancy) in queues(),
        people in 1..5_000_u64,
        passed in 0.0..1.0_f64,
    ) {
        // Enough evidence that people inside do not change the mean by the length of their stay.
        let many = 1e15 / occupancy.freed.max(1.0);
        let (freed, held_seconds) = (occupancy.freed * many, occupancy.held_seconds * many);
        let before = Occupancy { freed, held_seconds, ..occupancy };
        let passed = spec.session_ttl.mul_f64(passed);
        let wait = |occupancy| eta(&estimator(spec).prepare(occupancy, None), people);
        let (now, then) = (wait(&before), wait(&later(&before, passed)));
        prop_assert!(then <= now + ROUNDING, "{now} and then {then}");
        prop_assert!(now <= then + passed.as_secs_f64() + ROUNDING, "{now} and then {then}");
    }

    #[test]
    fn a_coarser_snapshot_estimates_no_less((spec, occupancy) in queues(), people in 1..5_000_u64) {
        // Without evidence, because the age of people inside would count.
        let fine = Occupancy { freed: 0.0, held_seconds: 0.0, ..occupancy };
        let last = fine.ends.len().saturating_sub(1);
        let ends = fine.ends.iter().enumerate().filter(|(at, _)| at % 2 == 1 || *at == last);
        let coarse = Occupancy { ends: ends.map(|(_, step)| *step).collect(), ..fine.clone() };
        let wait = |occupancy| eta(&estimator(spec).prepare(occupancy, None), people);
        prop_assert!(wait(&fine) <= wait(&coarse) + ROUNDING);
    }
}
