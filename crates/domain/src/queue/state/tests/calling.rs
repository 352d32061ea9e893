//! Calling people, and ending calls and sessions.

use super::*;

#[test]
fn people_are_called_in_the_order_of_their_numbers_as_slots_come_free() {
    let (mut server, [mut a]) = Server::open(usual());
    for user in 1..=8 {
        a.gives(&mut server, user, user);
    }
    assert_eq!(server.counters(), (8, 3));
    assert_eq!(a.refresh(&mut server), 0, "all slots are taken");
    a.leave(&mut server, 2, 2).unwrap();
    assert_eq!(a.refresh(&mut server), 1);
    a.claim(&mut server, 1, 1).unwrap();
    assert_eq!(a.refresh(&mut server), 0, "a session keeps the slot of its call");
    server.pass([&mut a], CLAIM_WITHIN);
    assert_eq!(server.counters(), (8, 6), "3 and 4 have lapsed");
    server.pass([&mut a], SESSION_TTL - CLAIM_WITHIN);
    assert_eq!(server.counters(), (8, 8));
    let outcomes = server.state.snapshot().outcomes;
    assert_eq!((outcomes.claimed, outcomes.lapsed, outcomes.ended, outcomes.left), (1, 4, 1, 1));
}

#[test]
fn a_refresh_without_calls_still_ends_calls_and_sessions() {
    let (mut server, [mut a]) = Server::open(usual());
    for user in 1..=5 {
        a.gives(&mut server, user, user);
    }
    for _ in 0..10 {
        server.wait(seconds(1));
        a.step(&mut server, QueueState::refresh);
    }
    assert_eq!(server.counters(), (5, 3));
    assert_eq!(server.taken(), 0);
    assert_eq!(server.state.snapshot().outcomes.lapsed, 3);
}

#[test]
fn abandoned_numbers_cost_neither_budget_nor_slot() {
    let (mut server, [mut a]) = Server::open(PolicySpec { max_active: 4, ..usual() });
    for user in 1..=10 {
        a.gives(&mut server, user, user);
    }
    for user in [5, 6, 8] {
        a.leave(&mut server, user, user).unwrap();
    }
    for user in 1..=4 {
        a.leave(&mut server, user, user).unwrap();
    }
    server.wait(seconds(1));
    assert_eq!(a.refresh(&mut server), 3);
    assert_eq!(server.counters(), (10, 10), "7, 9 and 10");
    assert_eq!(server.taken(), 3);
    assert!(server.state.vacant.is_empty(), "they are passed");
}

#[test]
fn the_end_of_a_queue_of_abandoned_numbers_is_passed_with_the_first_free_slot() {
    let (mut server, [mut a]) = Server::open(PolicySpec { max_active: 1, ..usual() });
    for user in 1..=4 {
        a.gives(&mut server, user, user);
    }
    for user in 2..=4 {
        a.leave(&mut server, user, user).unwrap();
    }
    assert_eq!(a.refresh(&mut server), 0);
    assert_eq!(server.counters(), (4, 1));
    a.leave(&mut server, 1, 1).unwrap();
    assert_eq!(a.refresh(&mut server), 0);
    assert_eq!(server.counters(), (4, 4));
}

#[test]
fn a_call_is_over_at_the_moment_of_its_end_and_its_slot_free() {
    let (mut server, [mut a]) = Server::open(PolicySpec { max_active: 1, ..usual() });
    a.gives(&mut server, 1, 1);
    a.gives(&mut server, 2, 2);
    server.pass([&mut a], CLAIM_WITHIN - REFRESH);
    server.wait(REFRESH - Duration::from_micros(1));
    a.refresh(&mut server);
    let Ok(PlaceStatus::Called { until }) = a.place_status(&mut server, 1, 1) else {
        panic!("called")
    };
    assert_eq!(until.remaining, Duration::from_micros(1));
    server.wait(Duration::from_micros(1));
    a.refresh(&mut server);
    assert_eq!(a.claim(&mut server, 1, 1), Err(Refused::Gone));
    assert_eq!(server.counters(), (2, 2));
}

#[test]
fn a_session_is_over_at_the_moment_of_its_end_and_its_slot_free() {
    let (mut server, [mut a]) = Server::open(PolicySpec { max_active: 1, ..usual() });
    a.gives(&mut server, 1, 1);
    a.gives(&mut server, 2, 2);
    a.claim(&mut server, 1, 1).unwrap();
    server.pass([&mut a], SESSION_TTL - REFRESH);
    server.wait(REFRESH - Duration::from_micros(1));
    a.refresh(&mut server);
    assert!(a.claim(&mut server, 1, 1).is_ok());
    assert_eq!(server.counters(), (2, 1));
    server.wait(Duration::from_micros(1));
    a.refresh(&mut server);
    assert_eq!(a.claim(&mut server, 1, 1), Err(Refused::Gone));
    assert_eq!(server.counters(), (2, 2));
}

/// A queue of one batch that is called in one step.
fn rush(people: u32) -> (Server, [Node; 1]) {
    let spec = PolicySpec { batch: people, max_active: people, ..usual() };
    let (mut server, [mut a]) = Server::open(PolicySpec { max_waiting: people, ..spec });
    a.replica.note_counters(QueueCounters::new(u64::from(people), 0));
    server.pass([&mut a], RECOVERY + seconds(1));
    assert_eq!(server.taken(), u64::from(people));
    (server, [a])
}

#[test]
fn one_step_ends_a_bounded_number_of_calls_and_the_next_ones_the_rest() {
    let (mut server, [a]) = rush(12_000);
    for _ in 0..9 {
        server.wait(seconds(1));
        a.step(&mut server, |state, _| state.marks());
    }
    let mut taken = vec![];
    server.wait(seconds(1));
    for _ in 0..6 {
        a.step(&mut server, QueueState::refresh);
        taken.push(server.taken());
    }
    assert_eq!(taken, [9_500, 7_000, 4_500, 2_000, 0, 0]);
    assert_eq!(server.state.snapshot().outcomes.lapsed, 12_000);
}

#[test]
fn a_slot_that_is_not_freed_yet_counts_as_taken() {
    let (mut server, [mut a]) = rush(12_000);
    for _ in 0..9 {
        server.wait(seconds(1));
        a.step(&mut server, |state, _| state.marks());
    }
    a.replica.note_counters(QueueCounters::new(30_000, 0));
    server.pass([&mut a], RECOVERY);
    // All calls are over by now, and each step has ended 2,500 of them.
    assert!(server.taken() <= 12_000);
    assert_eq!(server.counters().0, 30_000);
}

#[test]
fn one_step_ends_a_bounded_number_of_sessions_and_the_next_ones_the_rest() {
    let (mut server, [mut a]) = rush(7_000);
    for number in 1..=7_000 {
        a.claim(&mut server, number, number).unwrap();
    }
    for _ in 0..19 {
        server.wait(seconds(1));
        a.step(&mut server, |state, _| state.marks());
    }
    server.wait(seconds(1));
    let mut ended = vec![];
    for _ in 0..7 {
        a.step(&mut server, QueueState::refresh);
        ended.push(server.state.snapshot().outcomes.ended);
    }
    // The calls, all used up, are ended first.
    assert_eq!(ended, [0, 0, 500, 3_000, 5_500, 7_000, 7_000]);
    assert_eq!(server.state.snapshot().outcomes.lapsed, 0);
    assert_eq!(server.taken(), 0);
}

/// Time passes in steps that end nothing.
fn wait_without_ending(server: &mut Server, node: &Node, steps: u64) {
    for _ in 0..steps {
        server.wait(seconds(1));
        node.step(server, |state, _| state.marks());
    }
}

/// Opens the call of a late holder until then.
fn recall(server: &mut Server, number: u64, until: Duration) {
    let ends = server.state.time + until;
    server.state.sessions.add_late(number, UserId::new(number).unwrap());
    assert!(server.state.sessions.recall_first(ends));
}

#[test]
fn calls_and_sessions_are_over_before_a_step_has_ended_them() {
    let spec = PolicySpec { session_ttl: CLAIM_WITHIN, ..usual() };
    let (mut server, [mut a]) = Server::open(spec);
    for user in 1..=2 {
        a.gives(&mut server, user, user);
    }
    a.claim(&mut server, 2, 2).unwrap();
    recall(&mut server, 3, CLAIM_WITHIN);
    wait_without_ending(&mut server, &a, 9);
    let recalled =
        |server: &Server| server.state.sessions.recall_of(3, server.state.time).is_some();
    assert!(matches!(a.place_status(&mut server, 1, 1), Ok(PlaceStatus::Called { .. })));
    assert!(matches!(a.place_status(&mut server, 2, 2), Ok(PlaceStatus::Active { .. })));
    assert_eq!((recalled(&server), server.state.snapshot().active), (true, 1));
    wait_without_ending(&mut server, &a, 1);
    assert_eq!(a.place_status(&mut server, 1, 1), Err(Refused::Gone));
    assert_eq!(a.place_status(&mut server, 2, 2), Err(Refused::Gone));
    assert_eq!((recalled(&server), server.state.snapshot().active), (false, 0));
    assert_eq!(server.state.snapshot().occupancy.ends, []);
    assert_eq!(server.state.snapshot().outcomes.lapsed, 0, "no step has counted it yet");
}

#[test]
fn a_step_at_its_limit_leaves_the_call_of_a_late_holder_to_the_next() {
    let (mut server, [a]) = rush(2_500);
    recall(&mut server, 1, CLAIM_WITHIN);
    wait_without_ending(&mut server, &a, 10);
    let mut lapsed = vec![];
    for _ in 0..2 {
        a.step(&mut server, QueueState::refresh);
        lapsed.push((server.state.snapshot().outcomes.lapsed, server.state.sessions.recalled()));
    }
    assert_eq!(lapsed, [(2_500, 1), (2_501, 0)]);
}

#[test]
fn the_call_of_a_late_holder_counts_toward_the_limit_of_a_step() {
    let (mut server, [mut a]) = rush(3_500);
    for number in 1..=3_500 {
        a.claim(&mut server, number, number).unwrap();
    }
    wait_without_ending(&mut server, &a, 10);
    for _ in 0..2 {
        a.step(&mut server, QueueState::refresh);
    }
    for number in 1..=2 {
        recall(&mut server, number, CLAIM_WITHIN);
    }
    wait_without_ending(&mut server, &a, 10);
    let mut ended = vec![];
    for _ in 0..2 {
        a.step(&mut server, QueueState::refresh);
        let outcomes = server.state.snapshot().outcomes;
        ended.push((outcomes.lapsed, outcomes.ended));
    }
    assert_eq!(ended, [(2, 2_498), (2, 3_500)]);
}

#[test]
fn one_step_forgets_a_bounded_number_of_released_places_and_the_next_ones_the_rest() {
    let (mut server, [mut a]) = rush(6_000);
    for number in 1..=6_000 {
        a.leave(&mut server, number, number).unwrap();
    }
    wait_without_ending(&mut server, &a, 10);
    for _ in 0..3 {
        a.step(&mut server, QueueState::refresh);
    }
    let barred =
        |server: &Server| (1..=6_000).filter(|n| server.state.sessions.is_barred(*n)).count();
    assert_eq!(barred(&server), 6_000, "none of their sessions may be restored while it could run");
    wait_without_ending(&mut server, &a, 10);
    let mut left = vec![];
    for _ in 0..4 {
        a.step(&mut server, QueueState::refresh);
        left.push(barred(&server));
    }
    assert_eq!(left, [3_500, 1_000, 0, 0]);
}

#[test]
fn no_data_is_kept_of_people_who_are_gone() {
    let (mut server, [mut a]) = Server::open(usual());
    for user in 1..=6 {
        a.gives(&mut server, user, user);
    }
    a.claim(&mut server, 1, 1).unwrap();
    a.leave(&mut server, 2, 2).unwrap();
    a.leave(&mut server, 5, 5).unwrap();
    // They join again before the call they gave up is over.
    a.gives(&mut server, 2, 7);
    server.pass([&mut a], CLAIM_WITHIN - REFRESH);
    a.finds(&mut server, 2, None, 7);
    assert!(!server.state.users.is_empty() && !server.state.held.is_empty());
    server.pass([&mut a], CLAIM_WITHIN * 3 + SESSION_TTL);
    assert_eq!(server.counters(), (7, 7));
    assert_eq!((server.state.users.len(), server.state.held.len()), (0, 0));
    assert!(server.state.vacant.is_empty());
    assert_eq!(server.state.calls, Calls::default());
    assert_eq!(server.state.sessions, Sessions::default());
}

#[test]
fn a_snapshot_has_the_ends_of_sessions_and_the_hold_times_of_slots() {
    let (mut server, [mut a]) = Server::open(PolicySpec { max_active: 40, batch: 40, ..usual() });
    for user in 1..=34 {
        a.gives(&mut server, user, user);
    }
    for user in 1..=17 {
        a.claim(&mut server, user, user).unwrap();
        a.claim(&mut server, user + 17, user + 17).unwrap();
        server.pass([&mut a], REFRESH);
    }
    let occupancy = server.state.snapshot().occupancy;
    assert_eq!(occupancy.open_calls, 0);
    assert_eq!(occupancy.ends.len(), 16);
    let age = REFRESH * 17;
    assert_eq!(occupancy.ends[0], (SESSION_TTL - age, 2));
    assert_eq!(occupancy.ends[15], (SESSION_TTL - REFRESH, 34));
    assert!(occupancy.ends.is_sorted());
    assert_eq!((occupancy.freed, occupancy.held_seconds), (0.0, 0.0));

    a.leave(&mut server, 1, 1).unwrap();
    let occupancy = server.state.snapshot().occupancy;
    assert_eq!(occupancy.freed, 1.0);
    assert_eq!(occupancy.held_seconds, age.as_secs_f64(), "from the call on");
    a.leave(&mut server, 2, 2).unwrap();
    let occupancy = server.state.snapshot().occupancy;
    assert_eq!(occupancy.freed, 1.995, "each weighs a two-hundredth less than the next");
    assert!((occupancy.held_seconds - age.as_secs_f64() * 1.995).abs() < 1e-5);
    assert_eq!(occupancy.ends.last().map(|(_, sessions)| *sessions), Some(32));
}

#[test]
fn ends_of_a_few_sessions_are_listed_one_by_one() {
    let (mut server, [mut a]) = Server::open(usual());
    for user in 1..=3 {
        a.gives(&mut server, user, user);
    }
    a.claim(&mut server, 1, 1).unwrap();
    server.pass([&mut a], seconds(1));
    a.claim(&mut server, 2, 2).unwrap();
    let occupancy = server.state.snapshot().occupancy;
    assert_eq!(occupancy.ends, [(SESSION_TTL - seconds(1), 1), (SESSION_TTL, 2)]);
    assert_eq!(occupancy.open_calls, 1);
}

#[test]
fn a_lapsed_call_held_its_slot_for_its_whole_time() {
    let (mut server, [mut a]) = Server::open(usual());
    a.gives(&mut server, 1, 1);
    server.pass([&mut a], CLAIM_WITHIN);
    let occupancy = server.state.snapshot().occupancy;
    assert_eq!((occupancy.freed, occupancy.held_seconds), (1.0, CLAIM_WITHIN.as_secs_f64()));
    a.gives(&mut server, 2, 2);
    server.pass([&mut a], seconds(4));
    a.leave(&mut server, 2, 2).unwrap();
    let occupancy = server.state.snapshot().occupancy;
    assert_eq!(occupancy.freed, 1.995);
    assert_eq!(occupancy.held_seconds, 10.0 * 0.995 + 4.0, "a released call held it for 4 s");
    a.gives(&mut server, 3, 3);
    a.claim(&mut server, 3, 3).unwrap();
    server.pass([&mut a], SESSION_TTL);
    let occupancy = server.state.snapshot().occupancy;
    assert!((occupancy.held_seconds - (13.95 * 0.995 + 20.0)).abs() < 1e-9, "{occupancy:?}");
}
