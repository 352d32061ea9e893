//! The queue's own time, which calls and sessions run on.

use super::*;

/// How long a call and a session last, by an independent clock, if `disturb` happens to the server
/// after the call and again after the claim; it takes no time by that clock. Nodes refresh every
/// quarter of a second.
fn lasts(disturb: impl Fn(&mut Server, &mut Node)) -> (Duration, Duration) {
    let (mut server, [mut node]) = Server::open(usual());
    node.gives(&mut server, 1, 1);
    node.gives(&mut server, 2, 2);
    node.claim(&mut server, 2, 2).unwrap();
    node.refresh(&mut server);
    let mut call = None;
    for quarter in 1_u32..=400 {
        if quarter == 8 {
            disturb(&mut server, &mut node);
        }
        server.wait(REFRESH);
        node.refresh(&mut server);
        if call.is_none() && node.place_status(&mut server, 1, 1) == Err(Refused::Gone) {
            call = Some(REFRESH * quarter);
        }
        if node.place_status(&mut server, 2, 2) == Err(Refused::Gone) {
            return (call.unwrap(), REFRESH * quarter);
        }
    }
    panic!("a call or a session does not end")
}

#[test]
fn a_call_and_a_session_last_as_long_as_the_policy_says() {
    assert_eq!(lasts(|_, _| ()), (CLAIM_WITHIN, SESSION_TTL));
}

#[test]
fn no_step_of_a_clock_shortens_or_lengthens_them_by_more_than_a_second() {
    let second = seconds(1);
    for step in [60_000_000_i64, -60_000_000, 20_000_000, -1_000_000, 3_600_000_000] {
        let (call, session) =
            lasts(|server, _| server.clock = server.clock.strict_add_signed(step));
        assert!(call >= CLAIM_WITHIN - second && call <= CLAIM_WITHIN + second, "{step}: {call:?}");
        assert!(
            session >= SESSION_TTL - second && session <= SESSION_TTL + second,
            "{step}: {session:?}"
        );
    }
}

#[test]
fn a_clock_that_goes_back_and_is_set_right_costs_a_second_at_most() {
    let (call, session) = lasts(|server, node| {
        server.clock -= 20_000_000;
        node.refresh(server);
        server.clock += 20_000_000;
        node.refresh(server);
    });
    assert_eq!((call, session), (CLAIM_WITHIN - seconds(1), SESSION_TTL - seconds(1)));
}

#[test]
fn failovers_between_clocks_a_minute_apart_cost_a_second_each_at_most() {
    let (call, session) = lasts(|server, node| {
        for there in [true, false, true, false] {
            let minute = 60_000_000;
            server.clock = if there { server.clock + minute } else { server.clock - minute };
            server.restart();
            node.refresh(server);
        }
    });
    assert_eq!((call, session), (CLAIM_WITHIN - seconds(2), SESSION_TTL - seconds(2)));
}

#[test]
fn the_time_of_calls_and_sessions_stops_while_the_store_is_down() {
    let (mut server, [mut node]) = Server::open(usual());
    node.gives(&mut server, 1, 1);
    node.gives(&mut server, 2, 2);
    let inside = node.claim(&mut server, 2, 2).unwrap();
    server.wait(seconds(15));
    node.refresh(&mut server);
    let Ok(PlaceStatus::Called { until }) = node.place_status(&mut server, 1, 1) else {
        panic!("called")
    };
    assert_eq!(until.remaining, CLAIM_WITHIN - seconds(1));
    let Ok(PlaceStatus::Active { until }) = node.place_status(&mut server, 2, 2) else {
        panic!("inside")
    };
    assert_eq!(until.at, inside.at);
    assert_eq!(until.remaining, SESSION_TTL - seconds(1));
}

#[test]
fn the_time_of_calls_and_sessions_stops_while_the_store_is_at_its_memory_limit() {
    let (mut server, [mut node]) = Server::open(usual());
    node.gives(&mut server, 1, 1);
    node.gives(&mut server, 2, 2);
    node.claim(&mut server, 2, 2).unwrap();
    let before = server.state.marks().time;
    for _refresh in 0..100 {
        server.wait(REFRESH);
        let visit = Visit { is_at_limit: true, ..node.visit(&server) };
        server.state.begin(&visit);
        server.state.refresh(&visit);
    }
    assert_eq!(server.state.marks().time, before);
    assert_eq!(server.state.snapshot().outcomes.lapsed, 0);
    let Ok(PlaceStatus::Called { until }) = node.place_status(&mut server, 1, 1) else {
        panic!("called")
    };
    assert_eq!(
        until.remaining,
        CLAIM_WITHIN - seconds(1),
        "the first step after it adds at most a second"
    );
    node.claim(&mut server, 1, 1).unwrap();
}

#[test]
fn the_budget_follows_the_queues_own_time() {
    let spec = PolicySpec { max_active: 100, ..usual() };
    let (mut server, [mut node]) = Server::open(spec);
    for user in 1..=30 {
        node.gives(&mut server, user, user);
    }
    assert_eq!(server.counters(), (30, 5));
    server.clock += 3_600_000_000;
    node.refresh(&mut server);
    assert_eq!(server.counters(), (30, 10), "a clock an hour ahead is worth one second");
    server.clock -= 3_600_000_000;
    node.refresh(&mut server);
    assert_eq!(server.counters(), (30, 10));
    server.wait(REFRESH);
    node.refresh(&mut server);
    assert_eq!(server.counters(), (30, 11));
}

#[test]
fn the_pause_of_a_doubt_follows_the_queues_own_time() {
    let mut server = Server::new(usual());
    let mut node = Node::new(1);
    node.refresh(&mut server);
    server.clock += 3_600_000_000;
    node.refresh(&mut server);
    assert!(!server.is_open(), "a clock an hour ahead is worth one second of the pause");
    server.clock -= 3_600_000_000;
    node.refresh(&mut server);
    server.clock += 1_000_000;
    node.refresh(&mut server);
    assert!(server.is_open());
}

#[test]
fn a_session_has_as_much_time_left_after_a_loss_as_it_had_before() {
    let (mut server, [mut node]) = Server::open(usual());
    node.gives(&mut server, 1, 1);
    node.claim(&mut server, 1, 1).unwrap();
    server.pass([&mut node], seconds(5));
    server.lose();
    let mut other = Node::new(2);
    server.pass([&mut other], seconds(1));
    node.refresh(&mut server);
    let Ok(PlaceStatus::Active { until }) = node.place_status(&mut server, 1, 1) else {
        panic!("inside")
    };
    assert_eq!(until.remaining, SESSION_TTL - seconds(5));
}

#[test]
fn a_late_witness_ends_nothing_by_the_time_it_has_seen() {
    let (mut server, [mut late]) = Server::open(usual());
    late.gives(&mut server, 1, 1);
    server.pass([&mut late], seconds(60));
    server.lose();
    let mut node = Node::new(2);
    server.pass([&mut node], RECOVERY);
    for user in [11, 12] {
        node.gives(&mut server, user, user - 10);
    }
    node.claim(&mut server, 12, 2).unwrap();
    late.refresh(&mut server);
    let Ok(PlaceStatus::Called { until }) = node.place_status(&mut server, 11, 1) else {
        panic!("called")
    };
    assert_eq!(until.remaining, CLAIM_WITHIN);
    let Ok(PlaceStatus::Active { until }) = node.place_status(&mut server, 12, 2) else {
        panic!("inside")
    };
    assert_eq!(until.remaining, SESSION_TTL);
    server.pass([&mut node, &mut late], RECOVERY);
    node.refresh(&mut server);
    node.gives(&mut server, 13, 3);
}

#[test]
fn witnesses_that_refreshed_at_different_times_cut_no_call_short() {
    let (mut server, [mut a, mut b]) = Server::open(usual());
    a.gives(&mut server, 1, 1);
    a.refresh(&mut server);
    server.wait(REFRESH);
    b.refresh(&mut server);
    server.lose();
    a.refresh(&mut server);
    b.refresh(&mut server);
    let Ok(PlaceStatus::Called { until }) = b.place_status(&mut server, 1, 1) else {
        panic!("called")
    };
    assert_eq!(until.remaining, CLAIM_WITHIN);
}

#[test]
fn data_expired_by_a_clock_step_is_restored_by_nodes() {
    for restarts in [false, true] {
        let (mut server, [mut a, mut b]) = Server::open(usual());
        for user in 1..=8 {
            let node = if user % 2 == 0 { &mut a } else { &mut b };
            node.gives(&mut server, user, user);
        }
        a.claim(&mut server, 1, 1).unwrap();
        a.leave(&mut server, 8, 8).unwrap();
        server.pass([&mut a, &mut b], seconds(2));
        let Ok(PlaceStatus::Called { until: called }) = a.place_status(&mut server, 2, 2) else {
            panic!("called")
        };
        let Ok(PlaceStatus::Active { until: inside }) = a.place_status(&mut server, 1, 1) else {
            panic!("inside")
        };
        let generation = server.state.marks().generation;
        if restarts {
            server.restart();
        }
        server.expire();
        assert_eq!(b.join(&mut server, 9), JoinStep::NotReady);
        assert_eq!(b.place_status(&mut server, 4, 4), Ok(PlaceStatus::Waiting));
        assert!(server.state.marks().generation > generation && server.state.wants_replay());
        let begun = server.state.marks().generation;
        server.pass([&mut a, &mut b], RECOVERY);
        assert!(server.is_open());
        assert_eq!(server.state.marks().generation, begun, "detected once");
        for user in 1..=7 {
            a.finds(&mut server, user, None, user);
        }
        let Ok(PlaceStatus::Called { until }) = b.place_status(&mut server, 2, 2) else {
            panic!("called")
        };
        assert_eq!(until.at, called.at);
        let Ok(PlaceStatus::Active { until }) = b.place_status(&mut server, 1, 1) else {
            panic!("inside")
        };
        assert_eq!(until.at, inside.at);
        assert_eq!(b.place_status(&mut server, 8, 8), Err(Refused::Gone));
        b.gives(&mut server, 9, 9);
    }
}
