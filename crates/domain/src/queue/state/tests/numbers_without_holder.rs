//! Numbers issued by a server that was lost before any client received them.

use super::*;

/// Slots limit nothing: five people a second are called.
fn roomy() -> PolicySpec {
    PolicySpec { max_active: 100, ..usual() }
}

/// Joins whose responses are lost: no node receives them.
fn join_without_answer(server: &mut Server, node: &Node, users: std::ops::RangeInclusive<u64>) {
    for user in users {
        let user = UserId::new(user).unwrap();
        let joined = node.step(server, |state, visit| state.join(visit, user, None, u64::MAX));
        assert!(matches!(joined, JoinStep::Holds { rejoined: false, .. }), "{joined:?}");
    }
}

/// Two people joined, the second after a replica was copied. The responses to three more joins were
/// lost with the primary, which had called `called` people. The nodes have not met the replica yet.
fn before_the_takeover(spec: PolicySpec) -> (Server, [Node; 2]) {
    let (mut server, [mut a, mut b]) = Server::open(spec);
    a.gives(&mut server, 1, 1);
    server.pass([&mut a, &mut b], REFRESH);
    let replica = server.clone();
    b.gives(&mut server, 2, 2);
    join_without_answer(&mut server, &a, 3..=5);
    server.pass([&mut a, &mut b], seconds(2));
    server.become_copy(&replica);
    (server, [a, b])
}

#[test]
fn numbers_that_no_node_received_cost_no_position() {
    let (mut server, [mut a, mut b]) = before_the_takeover(standstill());
    server.pass([&mut a, &mut b], RECOVERY);
    a.gives(&mut server, 3, 6);
    server.pass([&mut a, &mut b], REFRESH);
    for node in [&a, &b] {
        assert_eq!(node.replica.vacant().ranges().collect::<Vec<_>>(), [(2, 5)]);
        assert_eq!(node.position(6), node.position(2) + 1);
    }
}

fn skipped(server: &Server) -> Vec<(u64, u64)> {
    server.state.vacant.ranges().collect()
}

#[test]
fn numbers_that_a_node_received_between_them_are_not_skipped() {
    let (mut server, [mut a, mut b]) = Server::open::<2>(standstill());
    let replica = server.clone();
    a.gives(&mut server, 1, 1);
    join_without_answer(&mut server, &a, 2..=2);
    a.gives(&mut server, 3, 3);
    join_without_answer(&mut server, &a, 4..=6);
    b.gives(&mut server, 7, 7);
    join_without_answer(&mut server, &a, 8..=8);
    server.pass([&mut a, &mut b], REFRESH);
    server.become_copy(&replica);
    server.pass([&mut a, &mut b], RECOVERY);
    assert_eq!(skipped(&server), [(1, 2), (3, 6), (7, 8)]);
    for user in [1, 3, 7] {
        a.finds(&mut server, user, None, user);
    }
}

#[test]
fn a_number_that_the_copy_had_may_have_a_holder() {
    let (mut server, [mut a]) = Server::open::<1>(standstill());
    a.gives(&mut server, 1, 1);
    join_without_answer(&mut server, &a, 2..=3);
    server.pass([&mut a], REFRESH);
    server.lose();
    server.pass([&mut a], RECOVERY);
    // A node that is gone may have received 2 or 3.
    let replica = server.clone();
    join_without_answer(&mut server, &a, 4..=4);
    server.pass([&mut a], REFRESH);
    server.become_copy(&replica);
    server.pass([&mut a], RECOVERY);
    assert_eq!(skipped(&server), [(3, 4)]);
}

#[test]
fn a_number_whose_call_is_over_needs_no_skipping() {
    let (mut server, [mut a]) = Server::open::<1>(roomy());
    let replica = server.clone();
    join_without_answer(&mut server, &a, 1..=3);
    server.pass([&mut a], CLAIM_WITHIN + seconds(1));
    assert_eq!((server.counters(), server.taken()), ((3, 3), 0));
    server.become_copy(&replica);
    server.pass([&mut a], RECOVERY);
    assert_eq!((server.counters(), server.taken(), skipped(&server)), ((3, 3), 0, vec![]));
}

#[test]
fn numbers_that_no_node_received_hold_no_slot() {
    let (mut server, [mut a, mut b]) = before_the_takeover(roomy());
    a.refresh(&mut server);
    assert_eq!(
        (server.counters(), server.taken()),
        ((5, 5), 5),
        "while the other node may hold them"
    );
    server.pass([&mut a, &mut b], RECOVERY);
    assert_eq!((server.counters(), server.taken()), ((5, 5), 2));
    for user in [1, 2] {
        assert!(b.claim(&mut server, user, user).is_ok());
    }
}

#[test]
fn a_holder_of_a_skipped_number_is_called_first() {
    let (mut server, [mut a, mut b]) = before_the_takeover(PolicySpec { max_active: 5, ..usual() });
    server.pass([&mut a, &mut b], RECOVERY);
    for user in 6..=9 {
        a.gives(&mut server, user, user);
    }
    a.finds(&mut server, 4, Some(4), 4);
    assert_eq!(a.place_status(&mut server, 4, 4), Ok(PlaceStatus::Waiting));
    // 1, 2, 6, 7 and 8 have the slots.
    a.leave(&mut server, 1, 1).unwrap();
    server.pass([&mut a, &mut b], REFRESH);
    assert!(a.claim(&mut server, 4, 4).is_ok());
    assert_eq!(a.place_status(&mut server, 9, 9), Ok(PlaceStatus::Waiting));
}

#[test]
fn a_node_that_was_live_and_stays_silent_may_have_received_them() {
    let (mut server, [mut a, _b]) = before_the_takeover(roomy());
    server.pass([&mut a], RECOVERY + REFRESH);
    assert!(server.is_open());
    assert_eq!(server.taken(), 5);
    assert!(server.state.snapshot().vacant.is_empty());
}

#[test]
fn a_node_that_has_not_replayed_all_it_remembers_may_have_received_them() {
    let (mut server, [mut a, mut b]) = before_the_takeover(roomy());
    let mut left = RECOVERY + REFRESH;
    while left > Duration::ZERO {
        a.refresh(&mut server);
        b.snapshot(&mut server);
        server.wait(REFRESH);
        left -= REFRESH;
    }
    a.refresh(&mut server);
    assert!(server.is_open());
    assert_eq!(server.taken(), 5);
}

#[test]
fn a_node_that_stopped_long_before_cannot_have_received_them() {
    let (mut server, [mut a, mut b, mut stopped]) = Server::open(roomy());
    stopped.refresh(&mut server);
    server.pass([&mut a, &mut b], NodeRecord::TIMEOUT);
    let replica = server.clone();
    join_without_answer(&mut server, &a, 1..=3);
    server.pass([&mut a, &mut b], REFRESH);
    server.become_copy(&replica);
    server.pass([&mut a, &mut b], RECOVERY);
    assert_eq!((server.counters(), server.taken()), ((3, 3), 0));
}

#[test]
fn an_empty_store_does_not_know_who_may_have_received_them() {
    let (mut server, [mut a]) = Server::open(roomy());
    join_without_answer(&mut server, &a, 1..=3);
    server.pass([&mut a], REFRESH);
    server.lose();
    server.pass([&mut a], RECOVERY);
    assert_eq!((server.counters(), server.taken()), ((3, 3), 3));
}

#[test]
fn a_token_alone_skips_nothing() {
    let (mut server, [mut a]) = Server::open(standstill());
    a.gives(&mut server, 1, 1);
    a.replica.note_counters(QueueCounters::new(9, 0));
    server.pass([&mut a], RECOVERY);
    a.gives(&mut server, 2, 10);
    assert_eq!(a.position(10), 9, "the first is called, and the numbers 2 to 9 may have holders");
}

#[test]
fn a_restart_that_lost_nothing_skips_nothing() {
    let (mut server, [mut a, mut b]) = Server::open(roomy());
    join_without_answer(&mut server, &a, 1..=3);
    server.pass([&mut a, &mut b], REFRESH);
    server.restart();
    server.pass([&mut a, &mut b], REFRESH);
    assert!(server.is_open());
    a.finds(&mut server, 3, None, 3);
    assert_eq!(server.taken(), 3);
}
