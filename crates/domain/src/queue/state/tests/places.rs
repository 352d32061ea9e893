//! A single place: its status, its claim and its release.

use super::*;

/// The highest number that a token can carry.
const NEVER_GIVEN: u64 = QueueNumber::MAX;

#[test]
fn a_call_is_claimed_once_and_claiming_again_finds_the_session() {
    let (mut server, [mut a, mut b]) = Server::open(usual());
    a.gives(&mut server, 7, 1);
    let first = a.claim(&mut server, 7, 1).unwrap();
    assert_eq!(first.remaining, SESSION_TTL);
    server.pass([&mut a, &mut b], seconds(1));
    let again = b.claim(&mut server, 7, 1).unwrap();
    assert_eq!((again.at, again.remaining), (first.at, SESSION_TTL - seconds(1)));
    assert_eq!(server.state.snapshot().outcomes.claimed, 1);
}

#[test]
fn each_refusal_has_its_reason() {
    let (mut server, [mut a]) = Server::open(PolicySpec { max_active: 2, ..usual() });
    for user in 1..=4 {
        a.gives(&mut server, user, user);
    }
    assert_eq!(a.claim(&mut server, 9, NEVER_GIVEN), Err(Refused::NotFound));
    assert_eq!(a.claim(&mut server, 3, 3), Err(Refused::NotYet));
    assert_eq!(a.claim(&mut server, 9, 1), Err(Refused::NotHolder));
    assert_eq!(a.claim(&mut server, 9, 3), Err(Refused::NotHolder));
    assert_eq!(a.leave(&mut server, 9, NEVER_GIVEN), Err(Refused::NotFound));
    assert_eq!(a.leave(&mut server, 9, 1), Err(Refused::NotHolder));
    a.leave(&mut server, 3, 3).unwrap();
    assert_eq!(a.claim(&mut server, 3, 3), Err(Refused::Gone));
    assert_eq!(a.leave(&mut server, 3, 3), Err(Refused::Gone));
    assert_eq!(a.claim(&mut server, 9, 3), Err(Refused::Gone));
    a.leave(&mut server, 1, 1).unwrap();
    assert_eq!(a.claim(&mut server, 1, 1), Err(Refused::Gone));
    server.pass([&mut a], CLAIM_WITHIN);
    assert_eq!(a.claim(&mut server, 2, 2), Err(Refused::Gone));
    assert_eq!(server.state.snapshot().outcomes.left, 2);
}

#[test]
fn a_place_has_the_status_of_its_number() {
    let (mut server, [mut a]) = Server::open(PolicySpec { max_active: 2, ..usual() });
    for user in 1..=3 {
        a.gives(&mut server, user, user);
    }
    let until = a.claim(&mut server, 1, 1).unwrap();
    assert_eq!(a.place_status(&mut server, 1, 1), Ok(PlaceStatus::Active { until }));
    assert!(matches!(a.place_status(&mut server, 2, 2), Ok(PlaceStatus::Called { .. })));
    assert_eq!(a.place_status(&mut server, 3, 3), Ok(PlaceStatus::Waiting));
    assert_eq!(a.place_status(&mut server, 4, NEVER_GIVEN), Err(Refused::NotFound));
    assert_eq!(a.place_status(&mut server, 4, 3), Err(Refused::NotHolder));
}

#[test]
fn a_release_returns_the_former_status_and_frees_the_slot() {
    let (mut server, [mut a]) = Server::open(PolicySpec { max_active: 2, ..usual() });
    for user in 1..=3 {
        a.gives(&mut server, user, user);
    }
    a.claim(&mut server, 1, 1).unwrap();
    assert_eq!(a.leave(&mut server, 3, 3), Ok(PlaceStatus::Waiting));
    assert!(matches!(a.leave(&mut server, 2, 2), Ok(PlaceStatus::Called { .. })));
    assert!(matches!(a.leave(&mut server, 1, 1), Ok(PlaceStatus::Active { .. })));
    assert_eq!(server.taken(), 0);
    assert_eq!(server.state.snapshot().vacant.singles().collect::<Vec<_>>(), [3]);
    a.gives(&mut server, 1, 4);
}

#[test]
fn a_session_outlives_the_end_of_its_call() {
    let (mut server, [mut a]) = Server::open(usual());
    a.gives(&mut server, 1, 1);
    a.claim(&mut server, 1, 1).unwrap();
    server.pass([&mut a], CLAIM_WITHIN + seconds(1));
    assert_eq!(a.claim(&mut server, 9, 1), Err(Refused::NotHolder));
    a.finds(&mut server, 1, None, 1);
    a.leave(&mut server, 1, 1).unwrap();
    assert_eq!(a.claim(&mut server, 1, 1), Err(Refused::Gone));
    assert_eq!(server.taken(), 0);
}

#[test]
fn a_session_may_be_shorter_than_a_call() {
    let spec = PolicySpec { session_ttl: seconds(2), max_active: 1, ..usual() };
    let (mut server, [mut a]) = Server::open(spec);
    a.gives(&mut server, 1, 1);
    a.gives(&mut server, 2, 2);
    a.claim(&mut server, 1, 1).unwrap();
    server.pass([&mut a], seconds(2));
    assert_eq!(a.claim(&mut server, 1, 1), Err(Refused::Gone), "the call is used up");
    assert_eq!(server.counters(), (2, 2));
    server.pass([&mut a], CLAIM_WITHIN);
    let outcomes = server.state.snapshot().outcomes;
    assert_eq!((outcomes.ended, outcomes.lapsed), (1, 1));
}

#[test]
fn a_claim_in_doubt_is_not_ready_and_never_gone() {
    let (mut server, [mut a]) = Server::open(usual());
    for user in 1..=3 {
        a.gives(&mut server, user, user);
    }
    a.claim(&mut server, 1, 1).unwrap();
    a.leave(&mut server, 3, 3).unwrap();
    a.refresh(&mut server);
    server.lose();
    // A node without data, and so a store without data.
    let mut b = Node::new(2);
    for (user, number) in [(1, 1), (2, 2), (3, 3), (9, 9), (9, 1)] {
        assert_eq!(b.claim(&mut server, user, number), Err(Refused::NotReady));
        assert_eq!(b.place_status(&mut server, user, number), Err(Refused::NotReady));
        assert_eq!(b.leave(&mut server, user, number), Err(Refused::NotReady));
    }
    // The store has its data again, and is still in doubt.
    a.refresh(&mut server);
    assert!(!server.is_open());
    assert!(b.claim(&mut server, 1, 1).is_ok(), "sessions continue");
    assert_eq!(b.claim(&mut server, 2, 2), Err(Refused::NotReady));
    assert!(matches!(b.place_status(&mut server, 2, 2), Ok(PlaceStatus::Called { .. })));
    assert_eq!(b.claim(&mut server, 3, 3), Err(Refused::NotReady));
    assert_eq!(b.claim(&mut server, 9, 1), Err(Refused::NotReady), "another user's");
    server.pass([&mut a, &mut b], RECOVERY);
    assert!(b.claim(&mut server, 2, 2).is_ok());
    assert_eq!(b.claim(&mut server, 3, 3), Err(Refused::Gone));
    assert_eq!(b.claim(&mut server, 9, 1), Err(Refused::NotHolder));
    assert_eq!(b.claim(&mut server, 9, NEVER_GIVEN), Err(Refused::NotFound));
}

#[test]
fn a_place_can_be_released_while_in_doubt() {
    let (mut server, [mut a]) = Server::open(standstill());
    for user in 1..=3 {
        a.gives(&mut server, user, user);
    }
    server.lose();
    a.refresh(&mut server);
    assert!(!server.is_open());
    assert_eq!(a.leave(&mut server, 2, 2), Ok(PlaceStatus::Waiting));
    assert_eq!(a.place_status(&mut server, 2, 2), Err(Refused::NotReady));
    server.pass([&mut a], RECOVERY);
    assert_eq!(a.place_status(&mut server, 2, 2), Err(Refused::Gone));
}

/// A late witness after the pause: users 1 and 11 both hold number 1.
fn two_users_with_one_number() -> (Server, Node, Node) {
    let (mut server, [mut a]) = Server::open(usual());
    a.gives(&mut server, 1, 1);
    a.refresh(&mut server);
    server.lose();
    let mut b = Node::new(2);
    server.pass([&mut b], RECOVERY);
    b.refresh(&mut server);
    b.gives(&mut server, 11, 1);
    (server, a, b)
}

#[test]
fn of_two_users_with_one_number_the_known_holder_is_admitted() {
    let (mut server, mut a, mut b) = two_users_with_one_number();
    a.refresh(&mut server);
    server.pass([&mut a, &mut b], RECOVERY);
    assert_eq!(a.claim(&mut server, 1, 1), Err(Refused::NotHolder));
    assert!(b.claim(&mut server, 11, 1).is_ok());
    assert_eq!(a.claim(&mut server, 1, 1), Err(Refused::NotHolder));
    assert_eq!(server.taken(), 1);
}

#[test]
fn of_two_unknown_users_with_one_number_the_first_claim_wins() {
    for first in [1, 11] {
        let (mut server, mut a, mut b) = two_users_with_one_number();
        // The holders are lost again, with both nodes.
        server.lose();
        let mut c = Node::new(3);
        c.replica.note_counters(QueueCounters::new(1, 1));
        server.pass([&mut c], RECOVERY);
        let second = 12 - first;
        assert!(c.claim(&mut server, first, 1).is_ok());
        for node in [&mut a, &mut b, &mut c] {
            node.replica.note_counters(QueueCounters::START);
            assert_eq!(node.claim(&mut server, second, 1).unwrap_err(), {
                if server.is_open() { Refused::NotHolder } else { Refused::NotReady }
            });
        }
        assert_eq!(server.taken(), 1);
    }
}

#[test]
fn a_number_never_issued_cannot_be_claimed() {
    let (mut server, [mut a]) = Server::open(usual());
    a.gives(&mut server, 1, 1);
    a.leave(&mut server, 1, 1).unwrap();
    a.gives(&mut server, 2, 2);
    assert_eq!(a.claim(&mut server, 9, 2), Err(Refused::NotHolder));
    assert!(a.claim(&mut server, 2, 2).is_ok());
}

#[test]
fn reading_the_status_of_a_place_binds_no_user_to_it() {
    let mut server = Server::new(usual());
    let mut node = Node::new(1);
    node.replica.note_counters(QueueCounters::new(1, 1));
    server.pass([&mut node], RECOVERY);
    // The holder of number 1 is lost with the store before.
    for user in [1, 11] {
        assert!(matches!(node.place_status(&mut server, user, 1), Ok(PlaceStatus::Called { .. })));
    }
    assert!(node.claim(&mut server, 11, 1).is_ok(), "the first claim wins");
    assert_eq!(node.place_status(&mut server, 1, 1), Err(Refused::NotHolder));
}

/// A store that lost numbers 1 to 3, all called, and a node that does not know their holders.
fn after_holders_were_lost(max_active: u32) -> (Server, Node) {
    let mut server = Server::new(PolicySpec { max_active, ..usual() });
    let mut node = Node::new(1);
    node.replica.note_counters(QueueCounters::new(3, 3));
    server.pass([&mut node], RECOVERY);
    node.refresh(&mut server);
    (server, node)
}

#[test]
fn claiming_a_second_place_keeps_the_older_one_and_one_slot() {
    for claims in [[4, 2], [2, 4]] {
        let (mut server, mut node) = after_holders_were_lost(9);
        node.gives(&mut server, 7, 4);
        let [first, second] = claims.map(|number| node.claim(&mut server, 7, number));
        assert!(first.is_ok());
        assert_eq!(second.err(), if claims[1] == 4 { Some(Refused::Gone) } else { None });
        node.finds(&mut server, 7, None, 2);
        assert_eq!(node.claim(&mut server, 7, 4), Err(Refused::Gone));
        let (snapshot, outcomes) = (server.state.snapshot(), server.state.snapshot().outcomes);
        assert_eq!((snapshot.active, snapshot.called, outcomes.left), (1, 2, 0));
    }
}

#[test]
fn claiming_a_younger_place_releases_it_in_favor_of_the_held_one() {
    let (mut server, mut node) = after_holders_were_lost(9);
    node.finds(&mut server, 7, Some(1), 1);
    assert_eq!(node.claim(&mut server, 7, 3), Err(Refused::Gone));
    assert_eq!(node.place_status(&mut server, 7, 3), Err(Refused::Gone));
    assert!(node.claim(&mut server, 7, 1).is_ok());
    assert_eq!(server.taken(), 2, "number 2 is still called");
}

#[test]
fn a_session_of_a_younger_place_ends_in_favor_of_the_older_one() {
    let (mut server, mut node) = after_holders_were_lost(1);
    assert!(node.claim(&mut server, 7, 3).is_ok());
    assert_eq!(node.claim(&mut server, 8, 2), Err(Refused::NotReady), "the slot is taken");
    assert!(node.claim(&mut server, 7, 1).is_ok());
    assert_eq!(server.state.snapshot().active, 1);
}

#[test]
fn a_waiting_or_ended_place_does_not_release_another() {
    let (mut server, mut node) = after_holders_were_lost(9);
    node.finds(&mut server, 7, Some(1), 1);
    node.leave(&mut server, 7, 1).unwrap();
    assert!(node.claim(&mut server, 7, 2).is_ok(), "the first one is over");
    let mut server = Server::new(PolicySpec { max_active: 1, ..usual() });
    node.replica = Node::new(1).replica;
    node.replica.note_counters(QueueCounters::new(5, 1));
    server.pass([&mut node], RECOVERY);
    node.refresh(&mut server);
    node.finds(&mut server, 7, Some(1), 1);
    assert_eq!(node.claim(&mut server, 7, 4), Err(Refused::NotYet), "not called");
    assert_eq!(node.place_status(&mut server, 7, 4), Ok(PlaceStatus::Waiting));
    assert!(node.claim(&mut server, 7, 1).is_ok());
}

#[test]
fn a_store_in_doubt_releases_no_second_place() {
    let (mut server, mut node) = after_holders_were_lost(9);
    assert!(node.claim(&mut server, 7, 1).is_ok());
    server.state.held.insert(UserId::new(7).unwrap(), 2);
    server.restart();
    let other = Node::new(2);
    let place = server.place(7, 1);
    assert!(other.step(&mut server, |state, _| state.claim(&place)).is_ok(), "sessions continue");
    assert!(matches!(other.place_status(&mut server, 7, 2), Ok(PlaceStatus::Called { .. })));
}
