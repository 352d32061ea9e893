//! Replays of nodes to a store that lost data.

use super::*;
use crate::queue::Memory;

/// Ten joined through two nodes in turn; three are called, 1 is inside and 2 has left.
pub(super) fn before_a_loss() -> (Server, [Node; 2]) {
    let (mut server, [mut a, mut b]) = Server::open(usual());
    for user in 1..=10 {
        if user % 2 == 0 {
            a.gives(&mut server, user, user);
        } else {
            b.gives(&mut server, user, user);
        }
    }
    a.claim(&mut server, 1, 1).unwrap();
    b.leave(&mut server, 7, 7).unwrap();
    a.leave(&mut server, 8, 8).unwrap();
    (server, [a, b])
}

#[test]
fn a_loss_that_all_nodes_witness_loses_no_place() {
    let (mut server, nodes) = before_a_loss();
    for order in [[0, 1], [1, 0]] {
        let mut server = server.clone();
        let mut nodes = nodes.clone();
        server.pass(&mut nodes, REFRESH);
        let before = server.state.snapshot();
        server.lose();
        for node in order {
            nodes[node].refresh(&mut server);
        }
        server.pass(&mut nodes, RECOVERY);
        let after = server.state.snapshot();
        assert_eq!((after.counters, &after.vacant), (before.counters, &before.vacant));
        assert_eq!((after.called, after.active), (2, 1));
        let [a, b] = &mut nodes;
        for user in [1, 2, 3, 4, 5, 6, 9, 10] {
            a.finds(&mut server, user, None, user);
        }
        for user in [7, 8] {
            assert_eq!(b.place_status(&mut server, user, user), Err(Refused::Gone));
        }
        assert!(b.claim(&mut server, 1, 1).is_ok());
        assert!(b.claim(&mut server, 3, 3).is_ok());
    }
    server.pass(&mut nodes.clone(), REFRESH);
}

#[test]
fn replaying_twice_changes_nothing() {
    let (mut server, [mut a, mut b]) = before_a_loss();
    server.pass([&mut a, &mut b], REFRESH);
    a.refresh(&mut server);
    b.refresh(&mut server);
    server.lose();
    for node in [&mut a, &mut b] {
        let (_, memories) = node.snapshot(&mut server);
        node.notify(&mut server, &memories);
        let once = (server.state.snapshot().vacant, server.taken(), server.state.marks());
        node.notify(&mut server, &memories);
        assert_eq!((server.state.snapshot().vacant, server.taken(), server.state.marks()), once);
    }
}

#[test]
fn replays_for_an_ended_generation_are_ignored() {
    let (mut server, [mut a, mut b]) = before_a_loss();
    a.refresh(&mut server);
    server.lose();
    let (_, memories) = a.snapshot(&mut server);
    server.lose();
    b.refresh(&mut server);
    b.refresh(&mut server);
    assert!(!memories.is_empty());
    let generation = a.replica.witness().generation;
    server.lose();
    b.refresh(&mut server);
    if generation != server.state.marks().generation {
        assert!(!b.step(&mut server, |state, _| state.replay(generation, &memories)));
    }
    assert!(!server.state.replay(server.state.marks().generation + 1, &memories));
    assert!(server.state.replay(server.state.marks().generation, &memories));
}

#[test]
fn nodes_follow_what_the_others_replayed() {
    let (mut server, [mut a, mut b]) = before_a_loss();
    server.lose();
    // Neither has refreshed since 1 claimed through A, 7 left through B and 8 through A.
    for node in [&mut a, &mut b] {
        node.refresh(&mut server);
    }
    a.refresh(&mut server);
    for node in [&mut a, &mut b] {
        assert_eq!(node.replica.vacant().singles().collect::<Vec<_>>(), [7, 8]);
        assert_eq!(node.position(10), 5, "behind 4, 5, 6 and 9");
    }
    assert!(a.replica.session(&server.place(1, 1), server.state.time).is_some());
}

#[test]
fn an_open_call_restarts_at_the_recovery() {
    let (mut server, [mut a, mut b]) = before_a_loss();
    server.pass([&mut a, &mut b], seconds(8));
    for node in [&mut a, &mut b] {
        node.refresh(&mut server);
    }
    server.lose();
    a.refresh(&mut server);
    let Ok(PlaceStatus::Called { until }) = a.place_status(&mut server, 2, 2) else {
        panic!("called")
    };
    assert_eq!(until.remaining, CLAIM_WITHIN);
    assert_eq!(server.taken(), 3);
}

#[test]
fn no_more_calls_reopen_than_the_budget_allowed() {
    let (mut server, [mut a]) = Server::open(PolicySpec { max_active: 1_000, ..usual() });
    a.replica.note_counters(QueueCounters::new(1_000, 900));
    a.refresh(&mut server);
    // Five a second for ten seconds, and one saved batch.
    assert_eq!(server.taken(), 55);
    assert_eq!(a.place_status(&mut server, 845, 845), Err(Refused::NotReady));
    assert!(matches!(a.place_status(&mut server, 846, 846), Ok(PlaceStatus::Called { .. })));
}

#[test]
fn a_known_holder_is_not_replaced_by_a_replay() {
    let (mut server, [mut a]) = Server::open(standstill());
    a.gives(&mut server, 1, 1);
    a.gives(&mut server, 2, 2);
    let generation = server.state.marks().generation;
    let holder = |number, user| Memory::Holder { number, user: UserId::new(user).unwrap() };
    assert!(server.state.replay(generation, &[holder(2, 9), holder(3, 9), holder(1, 9)]));
    a.finds(&mut server, 2, None, 2);
    a.gives(&mut server, 9, 3);
}

#[test]
fn of_two_places_of_a_user_the_younger_is_the_one_they_hold() {
    let (mut server, [mut a]) = Server::open(standstill());
    a.replica.note_counters(QueueCounters::new(9, 0));
    server.pass([&mut a], RECOVERY);
    let generation = server.state.marks().generation;
    let holder = |number| Memory::Holder { number, user: UserId::new(5).unwrap() };
    assert!(server.state.replay(generation, &[holder(8), holder(3)]));
    a.finds(&mut server, 5, None, 8);
    a.finds(&mut server, 5, Some(3), 3);
    assert_eq!(a.place_status(&mut server, 5, 8), Err(Refused::Gone));
}

#[test]
fn a_user_keeps_their_number_if_a_node_replays_a_wrong_one_for_them() {
    let (mut server, [mut a]) = Server::open(standstill());
    a.replica.note_counters(QueueCounters::new(9, 0));
    server.pass([&mut a], RECOVERY);
    let generation = server.state.marks().generation;
    let holder = |number, user| Memory::Holder { number, user: UserId::new(user).unwrap() };
    let left = Memory::Change(Change::Abandoned(8));
    // 5 belongs to another user, and 8 is over.
    let memories = [left, holder(3, 33), holder(5, 55), holder(5, 33), holder(8, 33)];
    assert!(server.state.replay(generation, &memories));
    a.finds(&mut server, 33, None, 3);
    a.finds(&mut server, 55, None, 5);
}

#[test]
fn a_replayed_release_ends_a_call_a_session_or_a_late_holder() {
    let (mut server, [mut a, mut b]) = Server::open(usual());
    for user in 1..=3 {
        a.gives(&mut server, user, user);
    }
    a.claim(&mut server, 2, 2).unwrap();
    server.pass([&mut a, &mut b], CLAIM_WITHIN);
    for user in 4..=5 {
        a.gives(&mut server, user, user);
    }
    assert_eq!(server.taken(), 3, "the session of 2, whose call is over, and the calls of 4 and 5");
    server.state.sessions.add_late(1, UserId::new(1).unwrap());
    let generation = server.state.marks().generation;
    for number in [1, 2, 4] {
        let version = server.state.marks().version;
        assert!(server.state.replay(generation, &[Memory::Change(Change::Released(number))]));
        let changes = server.state.changes_since(generation, version).unwrap();
        assert_eq!(changes, [Change::Released(number)]);
        assert_eq!(a.place_status(&mut server, number, number), Err(Refused::Gone));
        assert_eq!(server.state.owner(number), None);
    }
    assert_eq!((server.taken(), server.state.sessions.late()), (1, 0));
}

#[test]
fn numbers_inside_or_late_are_not_skipped() {
    let (mut server, [mut a]) = Server::open(usual());
    for user in 1..=3 {
        a.gives(&mut server, user, user);
    }
    a.claim(&mut server, 2, 2).unwrap();
    server.pass([&mut a], CLAIM_WITHIN);
    assert!(server.state.users.is_empty(), "all calls are over");
    let (generation, ends) = (server.state.marks().generation, server.state.time + CLAIM_WITHIN);
    server.state.sessions.add_late(3, UserId::new(3).unwrap());
    server.state.sessions.recall_first(ends);
    server.state.sessions.add_late(1, UserId::new(1).unwrap());
    let version = server.state.marks().version;
    assert!(server.state.replay(generation, &[Memory::Change(Change::Skipped { from: 0, to: 3 })]));
    assert_eq!((server.state.vacant.len(), server.state.marks().version), (0, version));
}

#[test]
fn a_skipped_number_that_follows_a_known_one_is_skipped() {
    let (mut server, [mut a]) = Server::open(standstill());
    a.replica.note_counters(QueueCounters::new(9, 0));
    server.pass([&mut a], RECOVERY);
    let generation = server.state.marks().generation;
    let holder = Memory::Holder { number: 2, user: UserId::new(2).unwrap() };
    let skipped = Memory::Change(Change::Skipped { from: 2, to: 3 });
    assert!(server.state.replay(generation, &[holder, skipped]));
    assert_eq!(server.state.vacant.ranges().collect::<Vec<_>>(), [(2, 3)]);
}

#[test]
fn a_holder_of_a_number_that_is_over_is_not_restored() {
    let (mut server, [mut a]) = Server::open(usual());
    a.gives(&mut server, 1, 1);
    a.gives(&mut server, 2, 2);
    a.gives(&mut server, 3, 3);
    a.gives(&mut server, 4, 4);
    server.restart();
    a.refresh(&mut server);
    a.leave(&mut server, 4, 4).unwrap();
    a.leave(&mut server, 1, 1).unwrap();
    let generation = server.state.marks().generation;
    let holder = |number| Memory::Holder { number, user: UserId::new(number).unwrap() };
    assert!(server.state.replay(generation, &[holder(1), holder(4)]));
    a.gives(&mut server, 1, 5);
    a.gives(&mut server, 4, 6);
}

#[test]
fn a_session_is_restored_for_its_holder_while_it_lasts_and_once() {
    let (mut server, [mut a]) = Server::open(usual());
    for user in 1..=5 {
        a.gives(&mut server, user, user);
    }
    let generation = server.state.marks().generation;
    let now = server.state.time;
    let session = |number, user, until| {
        let user = UserId::new(user).unwrap();
        Memory::Change(Change::Claimed { number, user, until: now + Duration::from_secs(until) })
    };
    let before = server.state.marks().version;
    let not_taken = [session(1, 9, 5), session(2, 2, 0), session(4, 4, 5), session(9, 9, 5)];
    assert!(server.state.replay(generation, &not_taken));
    assert_eq!(server.state.marks().version, before);
    assert_eq!(server.state.snapshot().active, 0);
    assert!(server.state.replay(generation, &[session(2, 2, 5), session(2, 2, 7)]));
    assert_eq!(server.state.marks().version, before + 1);
    assert_eq!((server.state.snapshot().active, server.taken()), (1, 3));
    assert_eq!(a.claim(&mut server, 2, 2).unwrap().remaining, seconds(5));
    a.leave(&mut server, 2, 2).unwrap();
    assert!(server.state.replay(generation, &[session(2, 2, 5)]));
    assert_eq!(a.claim(&mut server, 2, 2), Err(Refused::Gone));
    server.pass([&mut a], SESSION_TTL + CLAIM_WITHIN + seconds(1));
    assert!(server.state.snapshot().called <= 1);
}

#[test]
fn a_session_shorter_than_its_call_is_not_restored_once_it_is_over() {
    let (mut server, [mut a]) = Server::open(PolicySpec { session_ttl: seconds(2), ..usual() });
    a.gives(&mut server, 1, 1);
    a.claim(&mut server, 1, 1).unwrap();
    server.pass([&mut a], seconds(3));
    assert_eq!((server.state.snapshot().active, server.state.snapshot().called), (0, 0));
    let (marks, until) = (server.state.marks(), server.state.time + seconds(1));
    let session = Change::Claimed { number: 1, user: UserId::new(1).unwrap(), until };
    assert!(server.state.replay(marks.generation, &[Memory::Change(session)]));
    assert_eq!((server.state.snapshot().active, server.state.marks().version), (0, marks.version));
}

#[test]
fn numbers_above_the_last_are_not_skipped() {
    let (mut server, [mut a]) = Server::open(standstill());
    a.replica.note_counters(QueueCounters::new(9, 0));
    server.pass([&mut a], RECOVERY);
    let marks = server.state.marks();
    let skipped = |from, to| Memory::Change(Change::Skipped { from, to });
    assert!(server.state.replay(marks.generation, &[skipped(9, 20), skipped(15, 20)]));
    assert_eq!((server.state.marks(), server.state.vacant.len()), (marks, 0));
    assert!(server.state.replay(marks.generation, &[skipped(7, 20)]));
    assert_eq!(server.state.vacant.ranges().collect::<Vec<_>>(), [(7, 9)]);
    assert_eq!(server.state.marks().version, marks.version + 1);
}

#[test]
fn a_restored_session_holds_its_slot_since_it_began() {
    let (mut server, [mut a]) = Server::open(usual());
    server.pass([&mut a], seconds(10));
    a.gives(&mut server, 1, 1);
    let copy = server.clone();
    a.claim(&mut server, 1, 1).unwrap();
    server.pass([&mut a], seconds(6));
    server.become_copy(&copy);
    server.wait(seconds(1));
    a.refresh(&mut server);
    a.finds(&mut server, 1, None, 1);
    a.leave(&mut server, 1, 1).unwrap();
    let occupancy = server.state.snapshot().occupancy;
    assert_eq!((occupancy.freed, occupancy.held_seconds), (1.0, 6.0));
}

#[test]
fn a_log_with_a_gap_is_not_taken_as_complete() {
    let (mut server, [mut a, b]) = Server::open(standstill());
    for user in 1..=9 {
        a.gives(&mut server, user, user);
    }
    for user in 2..=4 {
        a.leave(&mut server, user, user).unwrap();
    }
    let marks = server.state.marks();
    let since = |server: &Server, version| server.state.changes_since(marks.generation, version);
    assert_eq!(since(&server, marks.version).unwrap(), []);
    assert_eq!(
        since(&server, marks.version - 2).unwrap(),
        [Change::Abandoned(3), Change::Abandoned(4)]
    );
    assert_eq!(since(&server, marks.version - 3).unwrap().len(), 3);
    assert_eq!(since(&server, marks.version - 4), None, "before the doubt");
    assert_eq!(since(&server, marks.version + 1), None, "from a later store");
    assert_eq!(server.state.changes_since(marks.generation + 1, marks.version), None);
    drop(b);
}

#[test]
fn the_log_keeps_ten_thousand_changes() {
    let (mut server, [mut a]) = Server::open(standstill());
    a.replica.note_counters(QueueCounters::new(10_100, 0));
    server.pass([&mut a], RECOVERY);
    let (marks, before) = (server.state.marks(), a.clone());
    for number in 2..=10_002 {
        a.leave(&mut server, number, number).unwrap();
    }
    let all = server.state.changes_since(marks.generation, marks.version);
    assert_eq!(all, None, "10,001 of them");
    let later = server.state.changes_since(marks.generation, marks.version + 1).unwrap();
    assert_eq!((later.len(), later[0]), (10_000, Change::Abandoned(3)));
    // A node that missed more gets all vacant numbers.
    let mut late = before;
    late.refresh(&mut server);
    a.refresh(&mut server);
    assert_eq!(late.replica.vacant().len(), 10_001);
    assert_eq!((late.position(10_100), a.position(10_100)), (98, 98));
}

/// The copy lacks that a waiting user left, and the node that has the change reports late.
#[test]
fn a_place_released_just_before_a_failover_stays_over_although_the_copy_has_called_it() {
    let (mut server, [mut a, mut b]) = Server::open(PolicySpec { max_active: 1, ..usual() });
    a.gives(&mut server, 1, 1);
    a.gives(&mut server, 2, 2);
    server.pass([&mut a, &mut b], CLAIM_WITHIN - RECOVERY);
    let copy = server.clone();
    a.leave(&mut server, 2, 2).unwrap();
    server.become_copy(&copy);
    let (_, memories) = a.snapshot(&mut server);
    server.pass([&mut b], RECOVERY + REFRESH);
    assert_eq!(server.counters(), (2, 2), "the call of 1 has lapsed");
    a.notify(&mut server, &memories);
    assert_eq!(server.taken(), 0);
    assert_eq!(a.claim(&mut server, 2, 2), Err(Refused::Gone));
}

#[test]
fn replays_of_several_nodes_restore_no_released_place() {
    for (order, is_fresh) in [([0, 1], false), ([1, 0], false), ([0, 1], true), ([1, 0], true)] {
        let (mut server, [a, mut b]) = Server::open(usual());
        for user in 1..=5 {
            b.gives(&mut server, user, user);
        }
        b.claim(&mut server, 1, 1).unwrap();
        let mut nodes = [a, b];
        // Long enough for the call that became the session to lapse.
        server.pass(&mut nodes, CLAIM_WITHIN + REFRESH);
        if is_fresh {
            // Another node, which does not know the session.
            nodes[1] = Node::new(3);
            nodes[1].refresh(&mut server);
        }
        let [_, b] = &mut nodes;
        b.leave(&mut server, 1, 1).unwrap();
        b.leave(&mut server, 5, 5).unwrap();
        b.refresh(&mut server);
        server.lose();
        for node in order {
            nodes[node].refresh(&mut server);
        }
        server.pass(&mut nodes, RECOVERY);
        for user in [1, 5] {
            assert_eq!(
                nodes[0].claim(&mut server, user, user),
                Err(Refused::Gone),
                "{user}, {order:?}"
            );
        }
    }
}

#[test]
fn a_place_released_during_a_recovery_is_not_restored_by_a_later_replay() {
    let (mut server, [mut a, mut b]) = Server::open(usual());
    a.gives(&mut server, 1, 1);
    a.claim(&mut server, 1, 1).unwrap();
    for node in [&mut a, &mut b] {
        node.refresh(&mut server);
    }
    server.pass([&mut a, &mut b], CLAIM_WITHIN + REFRESH);
    for node in [&mut a, &mut b] {
        node.refresh(&mut server);
    }
    server.lose();
    a.refresh(&mut server);
    let (_, late) = b.snapshot(&mut server);
    a.leave(&mut server, 1, 1).unwrap();
    b.notify(&mut server, &late);
    assert_eq!(server.taken(), 0);
    server.pass([&mut a, &mut b], RECOVERY);
    assert_eq!(a.claim(&mut server, 1, 1), Err(Refused::Gone));
}

#[test]
fn calls_that_a_witness_knows_to_be_over_do_not_reopen() {
    for order in [[0, 1], [1, 0]] {
        let (mut server, [mut a, mut b]) = Server::open(usual());
        for user in 1..=3 {
            a.gives(&mut server, user, user);
        }
        a.claim(&mut server, 3, 3).unwrap();
        server.pass([&mut a, &mut b], CLAIM_WITHIN - REFRESH);
        a.refresh(&mut server);
        b.refresh(&mut server);
        server.wait(REFRESH);
        b.refresh(&mut server);
        assert_eq!(server.state.snapshot().outcomes.lapsed, 2, "which A does not know");
        server.lose();
        let mut nodes = [a, b];
        for node in order {
            nodes[node].refresh(&mut server);
        }
        server.pass(&mut nodes, RECOVERY);
        assert_eq!(nodes[0].claim(&mut server, 1, 1), Err(Refused::Gone), "{order:?}");
        assert!(nodes[0].claim(&mut server, 3, 3).is_ok());
        assert_eq!(server.taken(), 1);
    }
}

/// A server, and nodes that know the length of this policy's sessions.
fn open_with_sessions<const N: usize>(policy: PolicySpec) -> (Server, [Node; N]) {
    let mut server = Server::new(policy);
    let replica = |n| Replica::new(NodeId(n as u64 + 1), false, policy.session_ttl);
    let mut nodes = std::array::from_fn(|n| Node { replica: replica(n) });
    server.pass(&mut nodes, RECOVERY);
    (server, nodes)
}

/// After a loss the call reopens for its whole time, and the session it became ends before that.
#[test]
fn the_call_of_an_ended_session_does_not_reopen() {
    let policy = PolicySpec { max_active: 1, session_ttl: CLAIM_WITHIN, ..usual() };
    let (mut server, [mut a, mut b]) = open_with_sessions(policy);
    a.gives(&mut server, 1, 1);
    b.gives(&mut server, 2, 2);
    a.claim(&mut server, 1, 1).unwrap();
    server.pass([&mut a, &mut b], CLAIM_WITHIN - seconds(2));
    server.lose();
    server.pass([&mut a, &mut b], seconds(5));
    assert_eq!((server.counters(), server.taken()), ((2, 2), 1), "1 is over, and 2 is called");
    server.lose();
    server.pass([&mut a, &mut b], RECOVERY);
    assert_eq!(server.taken(), 1, "the call of 2");
    assert_eq!(a.claim(&mut server, 1, 1), Err(Refused::Gone));
    assert!(b.claim(&mut server, 2, 2).is_ok());
}

#[test]
fn a_session_shorter_than_its_call_uses_the_call_up() {
    let (mut server, [mut a]) =
        open_with_sessions(PolicySpec { session_ttl: seconds(4), ..usual() });
    a.gives(&mut server, 1, 1);
    a.claim(&mut server, 1, 1).unwrap();
    server.pass([&mut a], seconds(5));
    assert_eq!(server.taken(), 0);
    server.lose();
    server.pass([&mut a], RECOVERY);
    assert_eq!(server.taken(), 0);
    assert_eq!(a.claim(&mut server, 1, 1), Err(Refused::Gone));
}

/// The node admitted a user long after its last refresh.
#[test]
fn a_replayed_session_has_no_more_time_left_than_a_session_lasts() {
    let (mut server, [mut a]) = Server::open(usual());
    a.gives(&mut server, 1, 1);
    a.refresh(&mut server);
    for _ in 0..4 {
        server.wait(seconds(1));
        assert!(a.place_status(&mut server, 1, 1).is_ok());
    }
    a.claim(&mut server, 1, 1).unwrap();
    server.lose();
    a.refresh(&mut server);
    let Ok(PlaceStatus::Active { until }) = a.place_status(&mut server, 1, 1) else {
        panic!("inside")
    };
    assert_eq!(until.remaining, SESSION_TTL);
}

#[test]
fn no_claim_exceeds_the_slots() {
    let (mut server, [mut a]) = Server::open(PolicySpec { max_active: 2, ..usual() });
    // A lost store called nine; which of those calls are over is unknown.
    a.replica.note_counters(QueueCounters::new(9, 9));
    server.pass([&mut a], RECOVERY);
    assert_eq!(server.state.snapshot().called, 9);
    assert!(a.claim(&mut server, 5, 5).is_ok());
    assert!(a.claim(&mut server, 3, 3).is_ok());
    assert_eq!(a.claim(&mut server, 4, 4), Err(Refused::NotReady), "later, perhaps");
    assert!(a.claim(&mut server, 5, 5).is_ok());
    a.leave(&mut server, 5, 5).unwrap();
    assert!(a.claim(&mut server, 4, 4).is_ok());
    assert_eq!(server.state.snapshot().active, 2);
}

/// Others have the slots by the time a node that remembers their former holders reports.
#[test]
fn no_replay_exceeds_the_slots() {
    let (mut server, [mut a]) = Server::open(PolicySpec { max_active: 2, ..usual() });
    for user in 1..=4 {
        a.gives(&mut server, user, user);
    }
    for user in [1, 2] {
        a.claim(&mut server, user, user).unwrap();
    }
    a.refresh(&mut server);
    server.lose();
    let mut b = Node::new(2);
    b.replica.note_counters(QueueCounters::new(4, 0));
    b.replica.note_incarnation(server.life());
    server.pass([&mut b], RECOVERY + CLAIM_WITHIN + seconds(1));
    assert_eq!(server.counters(), (4, 4), "the calls of 1 and 2 have lapsed");
    assert!(b.claim(&mut server, 3, 3).is_ok());
    let mut again = a.clone();
    for node in [&mut a, &mut again] {
        node.refresh(&mut server);
        assert_eq!(server.state.snapshot().active, 2, "3 and 1");
        assert_eq!(b.place_status(&mut server, 2, 2), Ok(PlaceStatus::Waiting));
    }
    server.pass([&mut a, &mut b], RECOVERY);
    assert_eq!(b.claim(&mut server, 4, 4), Err(Refused::NotReady));
    b.leave(&mut server, 3, 3).unwrap();
    assert!(b.claim(&mut server, 4, 4).is_ok());
    a.leave(&mut server, 1, 1).unwrap();
    server.wait(seconds(1));
    a.refresh(&mut server);
    assert!(a.claim(&mut server, 2, 2).is_ok());
    assert_eq!((server.state.snapshot().active, server.taken()), (2, 2));
}

#[test]
fn a_call_released_after_a_loss_is_not_restored_by_a_late_node() {
    let (mut server, [mut a]) = Server::open(usual());
    a.gives(&mut server, 1, 1);
    a.claim(&mut server, 1, 1).unwrap();
    a.refresh(&mut server);
    server.lose();
    let mut b = Node::new(2);
    b.replica.note_counters(QueueCounters::new(1, 1));
    server.pass([&mut b], RECOVERY);
    assert!(matches!(b.leave(&mut server, 1, 1), Ok(PlaceStatus::Called { .. })));
    server.pass([&mut b], CLAIM_WITHIN);
    a.refresh(&mut server);
    assert_eq!(server.taken(), 0);
}

#[test]
fn a_version_that_a_witness_raises_leaves_no_gap_in_the_log() {
    let (mut server, [mut a, mut b]) = Server::open(standstill());
    for user in 1..=9 {
        a.gives(&mut server, user, user);
    }
    for user in 4..=7 {
        a.leave(&mut server, user, user).unwrap();
    }
    b.refresh(&mut server);
    server.lose();
    let mut c = Node::new(3);
    c.replica.note_counters(QueueCounters::new(9, 1));
    c.replica.note_incarnation(server.life());
    c.refresh(&mut server);
    c.leave(&mut server, 2, 2).unwrap();
    c.leave(&mut server, 3, 3).unwrap();
    let before = server.state.marks();
    // B has followed more changes than there have been since.
    b.step(&mut server, |_, _| ());
    let after = server.state.marks();
    assert_eq!((after.generation, after.version), (before.generation, b.replica.witness().version));
    assert!(after.version > before.version);
    for version in 0..after.version {
        let changes = server.state.changes_since(after.generation, version);
        let reported = changes.map_or(0, |changes| changes.len() as u64);
        assert!(reported == 0 || before.version >= version + reported, "{version}: {reported}");
    }
}

#[test]
fn a_late_witness_with_no_more_changes_keeps_the_log() {
    let (mut server, [mut a, b]) = Server::open(standstill());
    for user in 1..=9 {
        a.gives(&mut server, user, user);
    }
    server.lose();
    let mut c = Node::new(3);
    c.replica.note_counters(QueueCounters::new(8, 1));
    c.replica.note_incarnation(server.life());
    c.refresh(&mut server);
    c.leave(&mut server, 2, 2).unwrap();
    c.leave(&mut server, 3, 3).unwrap();
    let marks = server.state.marks();
    let mut visit = b.visit(&server);
    visit.witness =
        Witness { counters: QueueCounters::new(9, 1), version: marks.version, ..visit.witness };
    server.state.begin(&visit);
    assert_eq!((server.counters(), server.state.marks().version), ((9, 1), marks.version));
    let changes = server.state.changes_since(marks.generation, marks.version - 2);
    assert_eq!(changes.unwrap(), [Change::Abandoned(2), Change::Abandoned(3)]);
}
