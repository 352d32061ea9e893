//! When a store that may have lost data opens again.

use super::*;

#[test]
fn an_empty_store_met_by_a_node_that_knows_nothing_stays_closed_for_the_whole_pause() {
    let mut server = Server::new(usual());
    let mut node = Node::new(1);
    node.refresh(&mut server);
    for _ in 0..7 {
        server.wait(REFRESH);
        node.refresh(&mut server);
        assert!(!server.is_open());
        assert_eq!(node.join(&mut server, 7), JoinStep::NotReady);
    }
    server.wait(REFRESH);
    node.refresh(&mut server);
    assert!(server.is_open());
    node.gives(&mut server, 7, 1);
}

#[test]
fn joins_alone_do_not_open_a_store_to_a_node_that_has_not_registered() {
    let mut server = Server::new(usual());
    let mut node = Node::new(1);
    for _ in 0..20 {
        assert_eq!(node.join(&mut server, 7), JoinStep::NotReady);
        server.wait(seconds(1));
    }
    assert!(server.is_open(), "for registered nodes");
    node.refresh(&mut server);
    assert_eq!(node.join(&mut server, 7), JoinStep::NotReady, "a second of probation");
    server.pass([&mut node], seconds(1));
    node.refresh(&mut server);
    node.gives(&mut server, 7, 1);
}

/// Fault 1 of the issue: node A issued numbers, the store lost all, and a fresh node B came first,
/// in the middle or last.
#[test]
fn the_witness_of_a_loss_counts_in_any_order_of_arrival() {
    for arrives_at in 0..=8 {
        let (mut server, [mut a]) = Server::open(usual());
        for user in 1..=40 {
            a.gives(&mut server, user, user);
        }
        a.refresh(&mut server);
        server.lose();
        let mut b = Node::new(2);
        for step in 0..40 {
            if step >= arrives_at {
                a.refresh(&mut server);
            }
            b.refresh(&mut server);
            let joined = b.join(&mut server, 1_000);
            if let JoinStep::Holds { number, .. } = joined {
                assert_eq!(number.get(), 41, "A came at step {arrives_at}, this is step {step}");
            }
            server.wait(REFRESH);
        }
        b.finds(&mut server, 1_000, None, 41);
        b.finds(&mut server, 30, None, 30);
    }
}

#[test]
fn a_silent_node_delays_opening_by_at_most_the_pause() {
    let (mut server, [mut a, mut b]) = Server::open(usual());
    a.gives(&mut server, 1, 1);
    server.pass([&mut a, &mut b], REFRESH);
    server.restart();
    b.refresh(&mut server);
    assert!(!server.is_open(), "A has not reported");
    server.pass([&mut b], RECOVERY - REFRESH);
    assert!(!server.is_open());
    server.pass([&mut b], REFRESH);
    assert!(server.is_open());
    b.gives(&mut server, 2, 2);
}

#[test]
fn after_a_clean_restart_the_queue_opens_once_each_registered_node_has_reported() {
    let (mut server, [mut a, mut b]) = Server::open(standstill());
    a.gives(&mut server, 1, 1);
    a.gives(&mut server, 2, 2);
    server.pass([&mut a, &mut b], REFRESH);
    a.refresh(&mut server);
    server.restart();
    a.refresh(&mut server);
    assert!(!server.is_open());
    assert_eq!(a.join(&mut server, 3), JoinStep::NotReady);
    b.refresh(&mut server);
    assert!(server.is_open(), "both have reported, and no time has passed");
    a.refresh(&mut server);
    a.gives(&mut server, 3, 3);
}

#[test]
fn a_node_that_has_not_been_seen_for_five_seconds_is_not_waited_for() {
    let (mut server, [mut a, mut b]) = Server::open(usual());
    b.refresh(&mut server);
    server.pass([&mut a], seconds(5));
    server.restart();
    a.refresh(&mut server);
    assert!(server.is_open());
}

#[test]
fn a_store_whose_copy_lacks_what_one_witness_knows_waits_for_the_whole_pause() {
    let (mut server, [mut a, mut b]) = Server::open(standstill());
    let copy = server.clone();
    a.gives(&mut server, 1, 1);
    server.become_copy(&copy);
    b.refresh(&mut server);
    a.refresh(&mut server);
    assert_eq!(server.counters(), (1, 1), "raised at once");
    assert!(!server.is_open(), "there may be other witnesses");
    server.pass([&mut a, &mut b], RECOVERY - REFRESH);
    assert!(!server.is_open());
    server.pass([&mut a, &mut b], REFRESH);
    assert!(server.is_open());
    b.refresh(&mut server);
    b.gives(&mut server, 2, 2);
}

/// The copy was made before B registered, by more time than B's probation.
#[test]
fn a_copy_that_lacks_a_registered_node_is_not_taken_as_complete() {
    let (mut server, [mut a]) = Server::open(standstill());
    a.gives(&mut server, 1, 1);
    a.refresh(&mut server);
    let copy = server.clone();
    let mut b = Node::new(2);
    server.pass([&mut a, &mut b], seconds(1));
    b.gives(&mut server, 2, 2);
    server.become_copy(&copy);
    a.refresh(&mut server);
    assert!(!server.is_open(), "A has seen more time pass than the copy had");
    assert_eq!(a.join(&mut server, 3), JoinStep::NotReady);
    b.refresh(&mut server);
    server.pass([&mut a, &mut b], RECOVERY);
    a.gives(&mut server, 3, 3);
}

/// B missed the first recovery, A did not, and the copy was made before it.
#[test]
fn a_recovery_is_never_mistaken_for_a_lost_one() {
    let (mut server, [mut a, mut b]) = Server::open(standstill());
    a.gives(&mut server, 1, 1);
    server.pass([&mut a, &mut b], REFRESH);
    let copy = server.clone();
    server.restart();
    a.refresh(&mut server);
    let lost = a.replica.witness().generation;
    server.wait(Duration::from_micros(1));
    server.become_copy(&copy);
    b.refresh(&mut server);
    assert_ne!(server.state.marks().generation, lost);
    assert!(!a.snapshot(&mut server).1.is_empty(), "A replays to it");
}

#[test]
fn nodes_that_begin_a_doubt_at_one_moment_begin_different_generations() {
    let begun_by = |id| {
        let mut server = Server::new(usual());
        Node::new(id).step(&mut server, |_, _| ());
        server.state.marks().generation - server.clock
    };
    assert_eq!([0, 1, 7, 999, 1_007].map(begun_by), [1, 2, 8, 1_000, 8]);
}

#[test]
fn nodes_replay_if_data_is_or_may_be_lost() {
    let (mut server, [mut a, mut b]) = Server::open::<2>(usual());
    assert!(server.state.wants_replay(), "the first doubt had no witness");
    server.restart();
    a.step(&mut server, |_, _| ());
    assert!(!server.is_open() && !server.state.wants_replay(), "nothing is known to be lost");
    server.pass([&mut a, &mut b], REFRESH);
    assert!(server.is_open() && !server.state.wants_replay(), "nothing was lost");
    a.gives(&mut server, 1, 1);
    server.lose();
    a.step(&mut server, |_, _| ());
    assert!(!server.is_open() && server.state.wants_replay());
    server.pass([&mut a, &mut b], RECOVERY);
    assert!(server.is_open() && server.state.wants_replay(), "a late node may know more");
}

#[test]
fn each_doubt_has_a_generation_above_all_that_the_store_its_clock_and_the_witness_know() {
    let mut server = Server::new(standstill());
    let mut node = Node::new(1);
    node.refresh(&mut server);
    let first = server.state.marks().generation;
    assert!(first > server.clock);
    server.restart();
    node.refresh(&mut server);
    let second = server.state.marks().generation;
    assert!(second > first, "the clock reads the same");
    let mut visit = node.visit(&server);
    visit.witness.generation = second + 3_600_000_000;
    server.state.begin(&visit);
    assert!(server.state.marks().generation > visit.witness.generation);
}

/// No number was issued or called, and no node seen to refresh, since the copy was made.
#[test]
fn a_copy_that_lacks_changes_of_a_node_since_its_refresh_is_not_taken_as_complete() {
    type Deed = fn(&mut Node, &mut Server);
    let deeds: [Deed; 2] = [
        |node, server| _ = node.leave(server, 3, 3).unwrap(),
        |node, server| _ = node.claim(server, 1, 1).unwrap(),
    ];
    for deed in deeds {
        let (mut server, [mut a, mut b]) = Server::open(standstill());
        for user in 1..=3 {
            a.gives(&mut server, user, user);
        }
        server.pass([&mut a, &mut b], REFRESH);
        let copy = server.clone();
        deed(&mut a, &mut server);
        server.become_copy(&copy);
        b.snapshot(&mut server);
        a.snapshot(&mut server);
        assert!(!server.is_open());
    }
}

#[test]
fn a_handover_by_a_server_that_stays_primary_starts_no_doubt() {
    let (mut server, [a]) = Server::open(usual());
    server.restart();
    let visit = Visit { arrival: Arrival::HandedOver, ..a.visit(&server) };
    server.state.begin(&visit);
    assert!(server.is_open());
    let mut empty = Server::new(usual());
    let visit = Visit { arrival: Arrival::HandedOver, ..a.visit(&empty) };
    empty.state.begin(&visit);
    assert!(!empty.is_open(), "no server hands an empty store over");
    let generation = empty.state.marks().generation;
    empty.state.begin(&visit);
    assert_eq!(empty.state.marks().generation, generation, "doubted once");
}

#[test]
fn a_store_restarted_during_a_doubt_restarts_the_pause() {
    let mut server = Server::new(usual());
    let mut node = Node::new(1);
    node.refresh(&mut server);
    server.pass([&mut node], RECOVERY - REFRESH);
    server.restart();
    server.pass([&mut node], REFRESH * 2);
    assert!(!server.is_open(), "the earlier loss still counts");
    server.pass([&mut node], RECOVERY);
    assert!(server.is_open());
}

#[test]
fn a_late_witness_of_a_loss_closes_the_queue_for_another_pause() {
    let (mut server, [mut a]) = Server::open(standstill());
    for user in 1..=4 {
        a.gives(&mut server, user, user);
    }
    a.refresh(&mut server);
    server.lose();
    let mut b = Node::new(2);
    b.refresh(&mut server);
    server.pass([&mut b], RECOVERY);
    b.gives(&mut server, 11, 1);
    let before = server.state.marks().generation;
    a.refresh(&mut server);
    assert!(!server.is_open());
    assert!(server.state.marks().generation > before);
    assert_eq!(server.counters(), (4, 1));
    server.pass([&mut a, &mut b], RECOVERY);
    b.refresh(&mut server);
    b.gives(&mut server, 12, 5);
}

#[test]
fn a_witness_that_comes_during_a_doubt_and_proves_a_loss_does_not_begin_another() {
    let (mut server, [mut a]) = Server::open(standstill());
    for user in 1..=4 {
        a.gives(&mut server, user, user);
    }
    server.lose();
    let mut b = Node::new(2);
    b.refresh(&mut server);
    server.pass([&mut b], REFRESH);
    a.replica = {
        // A node of the generation before.
        let mut replica = Replica::new(NodeId(1), false, SESSION_TTL);
        replica.note_counters(QueueCounters::new(4, 0));
        replica
    };
    let before = server.state.marks().generation;
    a.step(&mut server, |_, _| ());
    assert_eq!(server.state.marks().generation, before);
    server.pass([&mut a, &mut b], RECOVERY - REFRESH);
    assert!(server.is_open(), "the pause ends as planned");
}

#[test]
fn a_replay_extends_the_pause_for_the_next_batch() {
    let (mut server, [mut a]) = Server::open(standstill());
    a.gives(&mut server, 1, 1);
    a.refresh(&mut server);
    server.lose();
    let mut b = Node::new(2);
    b.refresh(&mut server);
    let (_, memories) = a.snapshot(&mut server);
    server.pass([&mut b], RECOVERY - REFRESH);
    a.notify(&mut server, &memories);
    server.pass([&mut b], REFRESH);
    assert!(!server.is_open(), "half a second from the replay on");
    server.pass([&mut b], REFRESH);
    assert!(server.is_open());
}

#[test]
fn a_node_that_has_not_replayed_its_entries_issues_no_number() {
    let (mut server, [mut a]) = Server::open(standstill());
    a.gives(&mut server, 1, 1);
    a.refresh(&mut server);
    server.lose();
    let (_, memories) = a.snapshot(&mut server);
    let mut b = Node::new(2);
    server.pass([&mut b], RECOVERY);
    assert!(server.is_open());
    assert_eq!(a.join(&mut server, 2), JoinStep::NotReady);
    a.notify(&mut server, &memories);
    server.pass([&mut a, &mut b], seconds(1));
    a.finds(&mut server, 1, None, 1);
    a.gives(&mut server, 2, 2);
}

#[test]
fn without_a_loss_a_node_has_nothing_to_replay() {
    let (mut server, [mut a]) = Server::open(standstill());
    a.gives(&mut server, 1, 1);
    a.refresh(&mut server);
    server.restart();
    a.snapshot(&mut server);
    assert!(server.is_open());
    a.gives(&mut server, 2, 2);
}

#[test]
fn a_node_on_probation_issues_no_number() {
    let (mut server, [mut a]) = Server::open(standstill());
    let mut b = Node::new(2);
    b.refresh(&mut server);
    assert_eq!(b.join(&mut server, 1), JoinStep::NotReady);
    server.pass([&mut a, &mut b], seconds(1) - REFRESH);
    assert_eq!(b.join(&mut server, 1), JoinStep::NotReady);
    a.gives(&mut server, 1, 1);
    b.finds(&mut server, 1, None, 1);
    server.pass([&mut a, &mut b], REFRESH);
    b.gives(&mut server, 2, 2);
}

#[test]
fn no_pause_and_no_probation_if_recovery_is_zero() {
    let policy = AdmissionPolicy::new(usual()).unwrap();
    let mut server = Server::new(usual());
    server.state = QueueState::new(policy, Duration::ZERO);
    let mut node = Node::new(1);
    node.refresh(&mut server);
    assert!(server.is_open());
    node.gives(&mut server, 1, 1);
    node.replica.note_counters(QueueCounters::new(9, 5));
    node.refresh(&mut server);
    assert!(server.is_open());
    assert_eq!(server.counters(), (9, 5));
}

#[test]
fn no_number_is_called_while_the_store_is_in_doubt() {
    let (mut server, [mut a]) = Server::open(PolicySpec { max_active: 1, ..usual() });
    a.gives(&mut server, 1, 1);
    a.gives(&mut server, 2, 2);
    a.leave(&mut server, 1, 1).unwrap();
    a.refresh(&mut server);
    assert_eq!(server.counters(), (2, 2), "2 is called as 1 has left");
    a.gives(&mut server, 3, 3);
    a.leave(&mut server, 2, 2).unwrap();
    server.lose();
    let mut called = 0;
    for _ in 0..8 {
        called += a.refresh(&mut server);
        server.wait(REFRESH);
    }
    assert_eq!((called, server.counters()), (0, (3, 2)));
    server.pass([&mut a], seconds(2));
    assert_eq!(server.counters(), (3, 3));
}

/// A node that was cut off from a young store finds another one of the same age.
#[test]
fn a_fresh_store_is_never_mistaken_for_the_lost_one() {
    let (mut server, [mut a]) = Server::open(usual());
    a.gives(&mut server, 1, 1);
    a.claim(&mut server, 1, 1).unwrap();
    a.refresh(&mut server);
    server.lose();
    let mut b = Node::new(2);
    server.pass([&mut b], RECOVERY * 2);
    b.gives(&mut server, 11, 1);
    b.claim(&mut server, 11, 1).unwrap();
    b.refresh(&mut server);
    let (_, memories) = a.snapshot(&mut server);
    assert!(!memories.is_empty(), "A detects another store");
    assert_eq!(
        a.replica.session(&server.place(1, 1), server.state.time),
        None,
        "and no longer serves from memory"
    );
    a.notify(&mut server, &memories);
    assert_eq!(server.state.snapshot().active, 1);
}

/// The witness has seen more time pass than a pause takes.
#[test]
fn the_time_that_a_witness_has_seen_does_not_end_the_pause() {
    let (mut server, [mut a, mut b]) = Server::open(standstill());
    a.gives(&mut server, 1, 1);
    server.pass([&mut a, &mut b], seconds(60));
    b.gives(&mut server, 2, 2);
    server.lose();
    let mut c = Node::new(3);
    server.pass([&mut c], RECOVERY / 2);
    a.refresh(&mut server);
    assert!(!server.is_open());
    server.pass([&mut a, &mut c], RECOVERY / 2 - REFRESH);
    assert!(!server.is_open());
    assert_eq!(c.join(&mut server, 9), JoinStep::NotReady);
    b.refresh(&mut server);
    server.pass([&mut a, &mut b, &mut c], RECOVERY);
    b.gives(&mut server, 9, 3);
}

/// Two stores are lost in turn, on a server whose clock was set back before: each node has seen a
/// different one of them.
#[test]
fn no_node_mistakes_a_store_for_the_one_lost_before() {
    let (mut server, [mut a, mut b]) = Server::open(standstill());
    b.gives(&mut server, 1, 1);
    a.refresh(&mut server);
    server.lose();
    server.clock -= 60_000_000;
    b.refresh(&mut server);
    let first = server.state.marks().generation;
    server.lose();
    a.refresh(&mut server);
    assert_ne!(server.state.marks().generation, first);
    server.pass([&mut a, &mut b], RECOVERY);
    b.finds(&mut server, 1, None, 1);
}
