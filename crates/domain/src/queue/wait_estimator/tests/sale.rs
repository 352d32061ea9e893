//! Simulated sales, second by second, in which people wait, are called and leave: the estimates
//! they got against their actual waits.

use super::*;

/// A sale with more people than slots, all of them in the queue when it opens.
struct Sale {
    spec: PolicySpec,
    people: u64,
    /// Seconds from call to claim.
    claims_after: u64,
    /// The seconds a person stays inside, unless the session ends first.
    stays: fn(u64) -> u64,
}

/// The history of a sale.
struct History {
    /// The second of each person's call, in the order of the queue.
    called: Vec<u64>,
    /// After each second: the number of people called, and the store's report.
    seen: Vec<(u64, Occupancy)>,
}

/// A slot in use.
struct Slot {
    called: u64,
    claimed: u64,
    leaves: u64,
}

impl Sale {
    fn run(&self) -> History {
        let PolicySpec { batch, every, max_active, session_ttl, .. } = self.spec;
        assert_eq!(every, Duration::from_secs(1), "a step of this sale");
        let fade = 0.5_f64.powf(1.0 / session_ttl.as_secs_f64());
        let (mut slots, mut freed, mut held_seconds) = (Vec::new(), 0.0, 0.0);
        let mut history = History { called: Vec::new(), seen: Vec::new() };
        for now in 0.. {
            (freed, held_seconds) = (freed * fade, held_seconds * fade);
            slots.retain(|slot: &Slot| {
                if slot.leaves <= now {
                    freed += 1.0;
                    held_seconds += (slot.leaves - slot.called) as f64;
                }
                slot.leaves > now
            });
            let free = u64::from(max_active) - slots.len() as u64;
            let before = history.called.len() as u64;
            for person in before..(before + free.min(u64::from(batch))).min(self.people) {
                history.called.push(now);
                let claimed = now + self.claims_after;
                let stays = (self.stays)(person).min(session_ttl.as_secs());
                slots.push(Slot { called: now, claimed, leaves: claimed + stays });
            }
            let called = history.called.len() as u64;
            history.seen.push((called, occupancy(&slots, now, session_ttl, freed, held_seconds)));
            if called == self.people {
                break;
            }
        }
        history
    }
}

/// A store's report: the ends of sessions in steps of about equal size.
fn occupancy(
    slots: &[Slot],
    now: u64,
    session_ttl: Duration,
    freed: f64,
    held_seconds: f64,
) -> Occupancy {
    let inside = slots.iter().filter(|slot| slot.claimed <= now);
    let mut lefts: Vec<_> = inside.map(|slot| slot.claimed + session_ttl.as_secs() - now).collect();
    lefts.sort_unstable();
    let in_step = lefts.len().div_ceil(Occupancy::MAX_STEPS).max(1);
    let mut sessions = 0;
    let ends = lefts.chunks(in_step).map(|step| {
        sessions += step.len() as u64;
        (Duration::from_secs(step[step.len() - 1]), sessions)
    });
    let ends = ends.collect();
    Occupancy { ends, open_calls: slots.len() as u64 - sessions, freed, held_seconds }
}

impl History {
    /// Checks that from this second on, each estimate for these positions is within a factor of two
    /// of the actual wait, or at most `slack` seconds from it.
    fn check(&self, spec: PolicySpec, from: usize, positions: &[u64], slack: f64) {
        let mut reported = 0;
        for (now, (called, occupancy)) in self.seen.iter().enumerate().skip(from) {
            let forecast = estimator(spec).prepare(occupancy, None);
            for people in positions {
                let Some(at) = self.called.get((called + people - 1) as usize) else { continue };
                let wait = *at as f64 - now as f64;
                let eta = forecast.eta(position(*people)).as_secs_f64();
                let is_near = eta <= 2.0 * wait && wait <= 2.0 * eta;
                let message = format!("position {people} at {now} s: estimate {eta}, wait {wait}");
                assert!(is_near || (eta - wait).abs() <= slack, "{message}, {occupancy:?}");
                reported += 1;
            }
        }
        assert!(reported > 100 * positions.len(), "only {reported} estimates");
    }
}

fn spec(batch: u32, max_active: u32) -> PolicySpec {
    PolicySpec { batch, max_active, ..TEN_SLOTS }
}

#[test]
fn whole_sessions_are_estimated_right_from_the_first_snapshot_on() {
    let spec = spec(10, 10);
    let sale = Sale { spec, people: 100, claims_after: 0, stays: |_| u64::MAX };
    sale.run().check(spec, 0, &[1, 5, 10, 11, 20, 40, 90], 1.0);
}

#[test]
fn late_claims_cost_at_most_a_factor_of_two() {
    let spec = spec(2, 40);
    let sale = Sale { spec, people: 400, claims_after: 45, stays: |_| u64::MAX };
    sale.run().check(spec, 0, &[1, 20, 40, 41, 100, 350], 45.0);
}

#[test]
fn estimates_learn_that_people_leave_together_after_a_minute() {
    let spec = spec(10, 10);
    let sale = Sale { spec, people: 500, claims_after: 1, stays: |_| 60 };
    let history = sale.run();
    // Six times ten have left. Near the front the prior matters for longer.
    history.check(spec, 370, &[11, 20, 40, 90, 300], 0.0);
    history.check(spec, 370, &[1, 5, 10], 25.0);
}

#[test]
fn estimates_learn_that_people_leave_one_by_one() {
    let spec = spec(2, 100);
    let sale = Sale { spec, people: 2_000, claims_after: 1, stays: |_| 60 };
    let history = sale.run();
    history.check(spec, 130, &[50, 100, 110, 200, 500, 1_000], 0.0);
    // A step of the snapshot is as coarse as a sixteenth of the slots.
    history.check(spec, 130, &[1, 5, 25], 25.0);
}

/// Between 0 and 1, spread evenly over people.
fn spread(person: u64) -> f64 {
    (person as f64 * 0.618_033_988_749_895).fract()
}

#[test]
fn estimates_learn_that_people_leave_at_any_time() {
    let spec = spec(10, 100);
    for stays in [
        // Memoryless stays: the same share of those still inside leaves in each minute.
        (|person| (-60.0 * (1.0 - spread(person)).ln()) as u64) as fn(u64) -> u64,
        |person| (30.0 + 60.0 * spread(person)) as u64,
    ] {
        let history = Sale { spec, people: 3_000, claims_after: 1, stays }.run();
        history.check(spec, 240, &[50, 100, 110, 200, 500, 1_000], 0.0);
        history.check(spec, 240, &[1, 5, 25], 10.0);
    }
}

#[test]
fn early_leavers_do_not_hide_that_others_stay() {
    // Two minutes at the mean, most of which are still left.
    let stays = |person| (-120.0 * (1.0 - spread(person)).ln()) as u64;
    let spec = spec(100, 100);
    let sale = Sale { spec, people: 2_000, claims_after: 0, stays };
    sale.run().check(spec, 10, &[200, 500, 1_000], 0.0);
}
