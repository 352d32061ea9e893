//! Numbers: who gets a new one, and who finds theirs.

use super::*;

#[test]
fn numbers_follow_each_other_and_a_user_who_joins_again_finds_theirs() {
    let (mut server, [mut a, mut b]) = Server::open(usual());
    a.gives(&mut server, 7, 1);
    b.gives(&mut server, 8, 2);
    b.finds(&mut server, 7, None, 1);
    a.gives(&mut server, 9, 3);
    assert_eq!(server.state.snapshot().outcomes.joined, 3);
}

#[test]
fn a_newcomer_is_called_with_the_join_if_budget_and_slots_allow() {
    let (mut server, [mut a]) = Server::open(usual());
    for user in 1..=4 {
        let JoinStep::Holds { place_status, .. } = a.join(&mut server, user) else {
            panic!("joins")
        };
        assert_eq!(
            matches!(place_status, PlaceStatus::Called { .. }),
            user <= 3,
            "{user}: {place_status:?}"
        );
    }
    assert_eq!(server.counters(), (4, 3));
}

#[test]
fn no_number_above_the_ceiling_is_issued_but_holders_find_theirs() {
    let (mut server, [mut a]) = Server::open(standstill());
    let give = |a: &mut Node, server: &mut Server, user| a.join_showing(server, user, None, 2);
    assert!(matches!(give(&mut a, &mut server, 1), JoinStep::Holds { .. }));
    assert!(matches!(give(&mut a, &mut server, 2), JoinStep::Holds { .. }));
    assert_eq!(give(&mut a, &mut server, 3), JoinStep::AboveCeiling);
    assert_eq!(server.counters().0, 2);
    assert!(matches!(give(&mut a, &mut server, 1), JoinStep::Holds { rejoined: true, .. }));
}

#[test]
fn no_number_above_the_highest_is_issued() {
    let (mut server, [mut a]) = Server::open(standstill());
    a.replica.note_counters(QueueCounters::new(QueueNumber::MAX - 1, QueueNumber::MAX - 1));
    server.pass([&mut a], RECOVERY);
    a.gives(&mut server, 1, QueueNumber::MAX);
    assert_eq!(a.join(&mut server, 2), JoinStep::AboveCeiling);
}

#[test]
fn a_full_queue_counts_people_and_not_numbers() {
    let spec = PolicySpec { max_waiting: 3, ..standstill() };
    let (mut server, [mut a]) = Server::open(spec);
    a.gives(&mut server, 1, 1);
    assert_eq!(server.counters(), (1, 1), "called at once");
    for user in 2..=4 {
        a.gives(&mut server, user, user);
    }
    assert_eq!(a.join(&mut server, 5), JoinStep::Full);
    a.finds(&mut server, 4, None, 4);
    a.leave(&mut server, 3, 3).unwrap();
    a.gives(&mut server, 5, 5);
    assert_eq!(a.join(&mut server, 6), JoinStep::Full);
    for round in 0..20 {
        a.leave(&mut server, 5, 5 + round).unwrap();
        a.gives(&mut server, 5, 6 + round);
    }
}

#[test]
fn skipped_numbers_do_not_fill_a_queue() {
    let spec = PolicySpec { max_waiting: 3, ..standstill() };
    let (mut server, [mut a]) = Server::open(spec);
    a.gives(&mut server, 1, 1);
    server.lose();
    server.pass([&mut Node::new(2)], RECOVERY);
    let generation = server.state.marks().generation;
    server.state.settle(generation, Some(Checkpoint::new(QueueCounters::new(1, 1), 10_000)));
    let mut b = Node::new(2);
    b.refresh(&mut server);
    for user in 2..=4 {
        b.gives(&mut server, user, 9_999 + user);
    }
    assert_eq!(server.counters(), (10_003, 1), "the remaining budget is unknown");
    assert_eq!(b.join(&mut server, 5), JoinStep::Full);
}

#[test]
fn the_count_of_abandoned_numbers_is_limited() {
    let (mut server, [mut a]) = Server::open(standstill());
    a.gives(&mut server, 1, 1);
    server.state.vacant = VacantNumbers::of(2..=1_000_000);
    server.state.counters = QueueCounters::new(1_000_002, 1);
    a.gives(&mut server, 5, 1_000_003);
    a.leave(&mut server, 5, 1_000_003).unwrap();
    assert_eq!(a.join(&mut server, 6), JoinStep::Full);
}

#[test]
fn the_number_of_a_token_is_found_after_the_store_lost_its_holder() {
    let (mut server, [mut a]) = Server::open(standstill());
    for user in 1..=4 {
        a.gives(&mut server, user, user);
    }
    server.lose();
    let mut b = Node::new(2);
    assert_eq!(b.rejoin(&mut server, 3, 3), JoinStep::NotReady, "witnesses come first");
    assert_eq!(server.counters(), (0, 0), "and a token is not one");
    server.pass([&mut b], RECOVERY);
    b.finds(&mut server, 3, Some(3), 3);
    assert_eq!(server.counters(), (10_003, 0), "no possibly issued number is reissued");
    b.finds(&mut server, 3, None, 3);
    b.finds(&mut server, 1, Some(1), 1);
    b.refresh(&mut server);
    b.gives(&mut server, 2, 10_004);
}

#[test]
fn a_number_unknown_to_the_store_is_found_by_its_token_and_not_reissued() {
    let (mut server, [mut a]) = Server::open(standstill());
    a.gives(&mut server, 1, 1);
    a.finds(&mut server, 2, Some(50), 50);
    assert_eq!(a.join(&mut server, 3), JoinStep::ViewBehind);
    a.refresh(&mut server);
    a.gives(&mut server, 3, 10_051);
    assert_eq!((a.position(50), a.position(10_051)), (1, 2));
}

#[test]
fn the_token_of_the_place_one_holds_changes_nothing() {
    let (mut server, [mut a]) = Server::open(standstill());
    for user in 1..=3 {
        a.gives(&mut server, user, user);
    }
    let before = server.state.marks().version;
    let JoinStep::Holds { number, rejoined, place_status, .. } = a.rejoin(&mut server, 2, 2) else {
        panic!("joins")
    };
    assert_eq!((number.get(), rejoined, place_status), (2, true, PlaceStatus::Waiting));
    assert_eq!(a.place_status(&mut server, 2, 2), Ok(PlaceStatus::Waiting));
    assert_eq!(server.state.marks().version, before);
}

#[test]
fn of_two_places_the_older_is_kept_and_the_younger_released() {
    for shows_older in [true, false] {
        let (mut server, [mut a]) = Server::open(standstill());
        for user in 1..=4 {
            a.gives(&mut server, user, user);
        }
        server.lose();
        let mut b = Node::new(2);
        b.replica.note_counters(QueueCounters::new(4, 1));
        server.pass([&mut b], RECOVERY);
        // Their place is lost, and they join again.
        b.gives(&mut server, 3, 5);
        let (first, second) = if shows_older { (5, 3) } else { (3, 5) };
        server.state.held.insert(UserId::new(3).unwrap(), first);
        b.finds(&mut server, 3, Some(second), 3);
        b.finds(&mut server, 3, None, 3);
        b.finds(&mut server, 3, Some(5), 3);
        assert_eq!(b.place_status(&mut server, 3, 5), Err(Refused::Gone));
        assert_eq!(b.place_status(&mut server, 3, 3), Ok(PlaceStatus::Waiting));
        b.refresh(&mut server);
        assert_eq!(b.replica.vacant().singles().collect::<Vec<_>>(), [5]);
        b.gives(&mut server, 9, 6);
    }
}

#[test]
fn presenting_another_users_number_has_no_effect() {
    let (mut server, [mut a]) = Server::open(standstill());
    a.gives(&mut server, 1, 1);
    a.gives(&mut server, 2, 2);
    let JoinStep::Holds { number, rejoined, .. } = a.rejoin(&mut server, 3, 2) else {
        panic!("joins")
    };
    assert_eq!((number.get(), rejoined), (3, false));
    a.finds(&mut server, 2, None, 2);
    // Nor their own number, once they have left.
    a.leave(&mut server, 2, 2).unwrap();
    let JoinStep::Holds { number, rejoined, .. } = a.rejoin(&mut server, 2, 2) else {
        panic!("joins")
    };
    assert_eq!((number.get(), rejoined), (4, false));
}

#[test]
fn a_place_that_is_over_is_followed_by_a_fresh_number() {
    let (mut server, [mut a]) = Server::open(usual());
    for user in 1..=3 {
        a.gives(&mut server, user, user);
    }
    a.claim(&mut server, 2, 2).unwrap();
    a.leave(&mut server, 3, 3).unwrap();
    a.gives(&mut server, 3, 4);
    server.pass([&mut a], CLAIM_WITHIN);
    a.gives(&mut server, 1, 5);
    a.finds(&mut server, 2, None, 2);
    server.pass([&mut a], SESSION_TTL);
    a.gives(&mut server, 2, 6);
}

#[test]
fn a_rejoin_returns_the_status_of_the_place() {
    let (mut server, [mut a]) = Server::open(PolicySpec { max_active: 2, ..usual() });
    for user in 1..=3 {
        a.gives(&mut server, user, user);
    }
    a.claim(&mut server, 1, 1).unwrap();
    let mut stands = |user| {
        let joined = a.join(&mut server, user);
        let JoinStep::Holds { place_status, rejoined: true, .. } = joined else {
            panic!("{joined:?}")
        };
        place_status
    };
    assert!(matches!(stands(1), PlaceStatus::Active { .. }));
    assert!(matches!(stands(2), PlaceStatus::Called { .. }));
    assert_eq!(stands(3), PlaceStatus::Waiting);
}
