//! Numbers that a recovery skips, and holders of them who turn up.

use super::settling::settle;
use super::*;
use crate::queue::Memory;

/// Numbers 101 to 10,100 are skipped; 1 to 100 wait, and 10,101 on.
fn with_skipped_numbers(spec: PolicySpec) -> (Server, [Node; 2]) {
    let mut server = Server::new(spec);
    let mut nodes = [1, 2].map(Node::new);
    nodes[0].replica.note_counters(QueueCounters::new(4, 0));
    nodes[0].refresh(&mut server);
    settle(&mut server, &mut nodes[0], Some(Checkpoint::new(QueueCounters::new(4, 0), 10_100)));
    for _ in 0..8 {
        server.wait(REFRESH);
        for node in &nodes {
            node.step(&mut server, |state, visit| state.register(visit.witness.node));
        }
    }
    server.wait(REFRESH);
    for node in &mut nodes {
        let memories = node.step(&mut server, |state, visit| {
            state.refresh(visit);
            state.answer_to(&visit.witness)
        });
        node.replica.follow(memories);
    }
    (server, nodes)
}

#[test]
fn skipped_numbers_are_not_called_and_cost_no_slot_or_position() {
    let (mut server, [mut a, mut b]) = with_skipped_numbers(usual());
    assert_eq!(server.counters(), (10_100, 0));
    a.gives(&mut server, 21, 10_101);
    b.gives(&mut server, 22, 10_102);
    assert_eq!(server.counters(), (10_102, 3));
    b.refresh(&mut server);
    assert_eq!((b.position(10_101), b.position(10_102)), (2, 3));
    for user in 1..=3 {
        a.leave(&mut server, user, user).unwrap();
    }
    server.wait(seconds(1));
    assert_eq!(a.refresh(&mut server), 3);
    assert_eq!(server.counters(), (10_102, 10_102));
    assert_eq!(server.taken(), 3);
    assert!(a.claim(&mut server, 22, 10_102).is_ok());
}

#[test]
fn the_holder_of_a_skipped_number_who_turns_up_in_time_is_called_in_turn() {
    let (mut server, [mut a, mut b]) = with_skipped_numbers(standstill());
    a.gives(&mut server, 21, 10_101);
    assert_eq!(a.place_status(&mut server, 5_000, 5_000), Ok(PlaceStatus::Waiting));
    b.finds(&mut server, 5_000, None, 5_000);
    b.finds(&mut server, 6_000, Some(6_000), 6_000);
    b.refresh(&mut server);
    assert_eq!((b.position(5_000), b.position(6_000), b.position(10_101)), (4, 5, 6));
    assert_eq!(a.claim(&mut server, 9, 5_000), Err(Refused::NotHolder), "the holder is known now");
    assert_eq!(a.leave(&mut server, 6_000, 6_000), Ok(PlaceStatus::Waiting));
    a.refresh(&mut server);
    b.refresh(&mut server);
    assert_eq!((a.position(10_101), b.position(10_101)), (5, 5));
    assert_eq!(a.place_status(&mut server, 6_000, 6_000), Err(Refused::Gone));
}

/// The same, after six more joined and the first four left: the queue has passed the skipped
/// numbers.
fn past_the_skipped_numbers() -> (Server, [Node; 2]) {
    let (mut server, [mut a, mut b]) = with_skipped_numbers(usual());
    for user in 21..=26 {
        a.gives(&mut server, user, 10_080 + user);
    }
    for user in 1..=4 {
        server.wait(seconds(1));
        a.refresh(&mut server);
        a.leave(&mut server, user, user).unwrap();
    }
    server.wait(seconds(1));
    b.refresh(&mut server);
    (server, [a, b])
}

#[test]
fn the_holder_of_a_skipped_number_who_turns_up_late_is_called_first() {
    let (mut server, [mut a, mut b]) = past_the_skipped_numbers();
    assert_eq!(server.counters(), (10_106, 10_103));
    // Two late holders, while all slots are taken.
    for user in [7_000, 5_000] {
        assert_eq!(b.place_status(&mut server, user, user), Ok(PlaceStatus::Waiting));
        assert_eq!(b.claim(&mut server, user, user), Err(Refused::NotYet));
    }
    a.leave(&mut server, 21, 10_101).unwrap();
    b.refresh(&mut server);
    assert!(matches!(b.place_status(&mut server, 5_000, 5_000), Ok(PlaceStatus::Called { .. })));
    assert_eq!(b.place_status(&mut server, 7_000, 7_000), Ok(PlaceStatus::Waiting));
    assert_eq!(server.taken(), 3);
    assert!(a.claim(&mut server, 5_000, 5_000).is_ok());
    assert_eq!(server.taken(), 3);
    a.leave(&mut server, 5_000, 5_000).unwrap();
    assert_eq!(a.claim(&mut server, 5_000, 5_000), Err(Refused::Gone));
    server.wait(seconds(1));
    b.refresh(&mut server);
    assert!(matches!(b.place_status(&mut server, 7_000, 7_000), Ok(PlaceStatus::Called { .. })));
    assert_eq!(server.counters(), (10_106, 10_103));
    // Not claimed, it lapses like any call, and the next in the queue are called.
    server.pass([&mut a, &mut b], CLAIM_WITHIN);
    assert_eq!(b.claim(&mut server, 7_000, 7_000), Err(Refused::Gone));
    assert_eq!(server.counters(), (10_106, 10_106));
}

#[test]
fn the_call_of_a_late_holder_takes_a_slot_like_any_other() {
    let (mut server, [mut a, mut b]) = past_the_skipped_numbers();
    for user in [7_000, 5_000] {
        assert_eq!(b.place_status(&mut server, user, user), Ok(PlaceStatus::Waiting));
    }
    a.leave(&mut server, 21, 10_101).unwrap();
    assert_eq!(b.refresh(&mut server), 1);
    assert!(matches!(b.place_status(&mut server, 5_000, 5_000), Ok(PlaceStatus::Called { .. })));
    server.wait(seconds(1));
    assert_eq!(b.refresh(&mut server), 0, "two calls and that of 5,000 take all slots");
    assert_eq!(b.place_status(&mut server, 7_000, 7_000), Ok(PlaceStatus::Waiting));
    assert_eq!(server.taken(), 3);
}

#[test]
fn a_late_holder_of_the_last_passed_number_leaves_like_any_other() {
    let (mut server, [mut a, b]) = with_skipped_numbers(usual());
    drop(b);
    for user in 1..=4 {
        a.leave(&mut server, user, user).unwrap();
    }
    server.wait(seconds(1));
    a.refresh(&mut server);
    assert_eq!(server.counters(), (10_100, 10_100));
    assert_eq!(a.place_status(&mut server, 10_100, 10_100), Ok(PlaceStatus::Waiting));
    assert_eq!(server.state.sessions.late(), 1);
    assert_eq!(a.leave(&mut server, 10_100, 10_100), Ok(PlaceStatus::Waiting));
    assert_eq!(server.state.sessions.late(), 0);
    let marks = server.state.marks();
    let change = server.state.changes_since(marks.generation, marks.version - 1).unwrap();
    assert_eq!(change, [Change::Released(10_100)]);
    assert_eq!(a.place_status(&mut server, 10_100, 10_100), Err(Refused::Gone));
}

#[test]
fn dropping_ended_calls_keeps_the_holders_with_sessions() {
    let (mut server, [mut a, mut b]) = with_skipped_numbers(usual());
    for user in 21..=23 {
        a.gives(&mut server, user, 10_080 + user);
    }
    for user in 1..=4 {
        a.leave(&mut server, user, user).unwrap();
        server.wait(seconds(1));
        a.refresh(&mut server);
    }
    assert_eq!(server.counters(), (10_103, 10_103));
    a.claim(&mut server, 22, 10_102).unwrap();
    // The holder of the number before the first called one turns up late.
    a.finds(&mut server, 10_100, Some(10_100), 10_100);
    server.state.forget_calls_up_to(10_103);
    assert_eq!(server.state.snapshot().called, 0);
    let is_known = |number: u64| server.state.users.contains_key(&number);
    assert_eq!([10_101, 10_102, 10_103].map(is_known), [false, true, false]);
    b.finds(&mut server, 22, None, 10_102);
    b.finds(&mut server, 10_100, None, 10_100);
    b.gives(&mut server, 21, 10_104);
}

#[test]
fn a_late_holder_may_leave_before_and_after_being_called() {
    let (mut server, [mut a, b]) = with_skipped_numbers(usual());
    drop(b);
    a.gives(&mut server, 21, 10_101);
    a.leave(&mut server, 1, 1).unwrap();
    server.wait(seconds(1));
    a.refresh(&mut server);
    for user in [2, 3] {
        a.leave(&mut server, user, user).unwrap();
    }
    server.wait(seconds(1));
    a.refresh(&mut server);
    assert_eq!(server.counters(), (10_101, 10_101));
    a.gives(&mut server, 22, 10_102);
    assert_eq!(server.taken(), 3);
    for user in [5_000, 6_000] {
        a.finds(&mut server, user, Some(user), user);
    }
    assert_eq!(a.leave(&mut server, 5_000, 5_000), Ok(PlaceStatus::Waiting));
    assert_eq!(a.place_status(&mut server, 5_000, 5_000), Err(Refused::Gone));
    a.leave(&mut server, 21, 10_101).unwrap();
    server.wait(seconds(1));
    a.refresh(&mut server);
    assert!(matches!(a.leave(&mut server, 6_000, 6_000), Ok(PlaceStatus::Called { .. })));
    assert_eq!(a.place_status(&mut server, 6_000, 6_000), Err(Refused::Gone));
    assert_eq!(server.taken(), 2);
}

#[test]
fn skipped_numbers_stay_skipped_through_restarts_and_losses_that_nodes_witness() {
    type Mishap = fn(&mut Server);
    let mishaps: [(&str, Mishap); 2] = [("restart", Server::restart), ("loss", Server::lose)];
    for (name, mishap) in mishaps {
        let (mut server, [mut a, mut b]) = with_skipped_numbers(usual());
        for node in [&mut a, &mut b] {
            node.refresh(&mut server);
        }
        mishap(&mut server);
        server.pass([&mut a, &mut b], RECOVERY);
        for node in [&mut a, &mut b] {
            node.refresh(&mut server);
            node.refresh(&mut server);
        }
        a.refresh(&mut server);
        a.gives(&mut server, 21, 10_101);
        a.refresh(&mut server);
        b.refresh(&mut server);
        assert_eq!((a.position(10_101), b.position(10_101)), (2, 2), "{name}: behind 4");
        assert_eq!(server.state.vacant.people_waiting(server.state.counters), 2, "{name}");
    }
}

#[test]
fn a_skipped_number_issued_by_a_late_node_keeps_its_holder() {
    // A issued 5 to 9, the store was lost with the other nodes, and A returns when the pause is
    // over.
    let (mut server, [mut late]) = Server::open(standstill());
    for user in 1..=9 {
        late.gives(&mut server, user, user);
    }
    late.refresh(&mut server);
    late.leave(&mut server, 6, 6).unwrap();
    late.replica.note_counters(QueueCounters::new(12, 1));
    server.lose();
    let mut b = Node::new(2);
    b.replica.note_counters(QueueCounters::new(4, 1));
    server.pass([&mut b], RECOVERY);
    settle(&mut server, &mut b, Some(Checkpoint::new(QueueCounters::new(4, 1), 100)));
    b.refresh(&mut server);
    b.gives(&mut server, 21, 101);
    server.pass([&mut late, &mut b], RECOVERY);
    late.refresh(&mut server);
    for user in [5, 7, 8, 9] {
        b.finds(&mut server, user, None, user);
    }
    b.finds(&mut server, 12, Some(12), 12);
    assert_eq!(
        b.place_status(&mut server, 6, 6),
        Err(Refused::Gone),
        "a released place stays over"
    );
    b.finds(&mut server, 11, Some(11), 11);
    for node in [&mut b, &mut late] {
        node.refresh(&mut server);
    }
    assert_eq!((b.position(101), late.position(101)), (b.position(101), b.position(101)));
}

/// Replays of a node without skipped numbers, and of one that knows only those.
#[test]
fn known_facts_of_a_number_override_that_it_was_skipped() {
    let (mut server, [mut a]) = Server::open(usual());
    a.replica.note_counters(QueueCounters::new(100, 50));
    a.refresh(&mut server);
    settle(&mut server, &mut a, Some(Checkpoint::new(QueueCounters::new(4, 4), 100)));
    let generation = server.state.marks().generation;
    let until = server.state.time + SESSION_TTL;
    let user = |number| UserId::new(number).unwrap();
    let skipped = Memory::Change(Change::Skipped { from: 10, to: 90 });
    let known = [
        skipped,
        Memory::Change(Change::Released(48)),
        Memory::Change(Change::Claimed { number: 49, user: user(49), until }),
        Memory::Change(Change::Abandoned(60)),
        Memory::Change(Change::Abandoned(30)),
        Memory::Holder { number: 70, user: user(70) },
        Memory::Holder { number: 40, user: user(40) },
    ];
    assert!(server.state.replay(generation, &known));
    let mut followed = a.clone();
    for again in [skipped, Memory::Change(Change::Skipped { from: 20, to: 80 })] {
        let version = server.state.marks().version;
        assert!(server.state.replay(generation, &[again]));
        assert_eq!(server.state.marks().version, version, "known already");
    }
    let more = Memory::Change(Change::Skipped { from: 5, to: 95 });
    assert!(server.state.replay(generation, &[more]));
    for node in [&mut a, &mut followed] {
        node.refresh(&mut server);
        assert_eq!(node.replica.vacant(), &server.state.vacant);
    }
    assert_eq!(server.state.vacant.singles().collect::<Vec<_>>(), [60]);
    assert_eq!(
        server.state.vacant.count_up_to(100),
        90 - 5,
        "48, 49, 30, 70, 40 are found, 60 counts"
    );
    server.pass([&mut a], RECOVERY);
    for number in [30, 48, 60] {
        assert_eq!(a.claim(&mut server, number, number), Err(Refused::Gone), "{number}");
    }
    assert!(a.claim(&mut server, 49, 49).is_ok());
    a.leave(&mut server, 49, 49).unwrap();
    assert_eq!(a.claim(&mut server, 49, 49), Err(Refused::Gone), "no second call");
    a.finds(&mut server, 70, None, 70);
    a.finds(&mut server, 40, None, 40);
    assert!(
        matches!(a.place_status(&mut server, 40, 40), Ok(PlaceStatus::Called { .. })),
        "late, so called first"
    );
}

/// A restart may keep the last issued number at the end of a skipped range.
#[test]
fn skipped_numbers_stay_skipped_without_joins_since() {
    let (mut server, [mut a, mut b]) = with_skipped_numbers(usual());
    server.restart();
    for node in [&mut a, &mut b] {
        node.snapshot(&mut server);
    }
    assert!(server.is_open());
    assert_eq!(server.state.snapshot().vacant.ranges().collect::<Vec<_>>(), [(4, 10_100)]);
    server.wait(seconds(1));
    b.snapshot(&mut server);
    assert_eq!(server.counters(), (10_100, 3), "the first of 1 to 4, up to the slots");
}

#[test]
fn a_skipped_number_released_for_an_older_place_is_over() {
    for is_passed in [false, true] {
        let (mut server, [mut a, mut b]) = with_skipped_numbers(usual());
        a.gives(&mut server, 21, 10_101);
        if is_passed {
            for user in 1..=4 {
                a.leave(&mut server, user, user).unwrap();
                server.pass([&mut a, &mut b], seconds(1));
            }
            assert_eq!(server.counters(), (10_101, 10_101));
            a.finds(&mut server, 5, Some(50), 50);
        } else {
            a.finds(&mut server, 4, Some(4), 4);
        }
        let (user, older) = if is_passed { (5, 50) } else { (4, 4) };
        a.finds(&mut server, user, Some(5_000), older);
        assert_eq!(b.place_status(&mut server, user, 5_000), Err(Refused::Gone), "{is_passed}");
        b.finds(&mut server, user, Some(5_000), older);
        server.pass([&mut a, &mut b], seconds(1));
        assert_eq!(b.replica.vacant(), &server.state.vacant);
    }
}
