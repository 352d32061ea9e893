//! Nodes that start: how they learn of earlier changes, and restore them after a loss.

use super::replays::before_a_loss;
use super::*;

#[test]
fn nodes_restarted_one_by_one_restore_a_lost_store() {
    let (mut server, mut nodes) = before_a_loss();
    server.pass(&mut nodes, REFRESH);
    for (at, id) in [(0, 11), (1, 12)] {
        nodes[at] = Node::new(id);
        server.pass(&mut nodes, REFRESH);
    }
    server.pass(&mut nodes, seconds(1));
    server.lose();
    server.pass(&mut nodes, RECOVERY + REFRESH);
    let [a, b] = &mut nodes;
    assert!(
        matches!(a.place_status(&mut server, 1, 1), Ok(PlaceStatus::Active { .. })),
        "still inside"
    );
    assert_eq!(server.state.snapshot().active, 1);
    for user in [7, 8] {
        assert_eq!(b.place_status(&mut server, user, user), Err(Refused::Gone), "they left");
    }
    assert_eq!(server.taken(), 3);
}

#[test]
fn a_call_released_before_a_node_started_does_not_reopen() {
    let (mut server, [mut a, mut b]) = Server::open(usual());
    for user in 1..=5 {
        a.gives(&mut server, user, user);
    }
    a.claim(&mut server, 1, 1).unwrap();
    a.leave(&mut server, 1, 1).unwrap();
    a.leave(&mut server, 2, 2).unwrap();
    server.pass([&mut a, &mut b], seconds(1));
    let mut fresh = Node::new(9);
    server.pass([&mut fresh], RECOVERY);
    server.lose();
    server.pass([&mut fresh], RECOVERY + REFRESH);
    for user in [1, 2] {
        assert_eq!(fresh.claim(&mut server, user, user), Err(Refused::Gone));
    }
    assert_eq!(server.taken(), 3, "3, 4 and 5 are called");
}

#[test]
fn a_call_used_up_by_a_short_session_before_a_node_started_does_not_reopen() {
    let spec = PolicySpec { session_ttl: seconds(3), ..usual() };
    let (mut server, [mut a]) = Server::open(spec);
    a.gives(&mut server, 1, 1);
    a.claim(&mut server, 1, 1).unwrap();
    server.pass([&mut a], seconds(4));
    let mut fresh = Node::new(9);
    server.pass([&mut fresh], RECOVERY);
    server.lose();
    server.pass([&mut fresh], RECOVERY + REFRESH);
    assert_eq!(fresh.claim(&mut server, 1, 1), Err(Refused::Gone));
}

#[test]
fn a_session_released_before_a_node_started_is_not_restored_by_one_that_missed_it() {
    let (mut server, [mut a, mut late]) = Server::open(usual());
    a.gives(&mut server, 1, 1);
    a.claim(&mut server, 1, 1).unwrap();
    server.pass([&mut late], REFRESH);
    a.leave(&mut server, 1, 1).unwrap();
    server.pass([&mut a], CLAIM_WITHIN + seconds(1));
    let mut fresh = Node::new(9);
    server.pass([&mut fresh], RECOVERY);
    server.lose();
    server.pass([&mut fresh, &mut late], RECOVERY + REFRESH);
    assert!(server.is_open());
    assert_eq!((server.taken(), late.claim(&mut server, 1, 1)), (0, Err(Refused::Gone)));
}
