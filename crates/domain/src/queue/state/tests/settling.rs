//! Checkpoints: who applies one, and when.

use super::*;

/// The reserve of the issue: 10,000 numbers beyond the last of a hundred.
fn checkpoint() -> Checkpoint {
    Checkpoint::new(QueueCounters::new(100, 0), 10_100)
}

pub(super) fn settle(server: &mut Server, node: &mut Node, checkpoint: Option<Checkpoint>) {
    let generation = server.state.marks().generation;
    node.step(server, |state, _| state.settle(generation, checkpoint));
}

/// Three fresh nodes meet an empty store that has a checkpoint.
fn after_a_total_loss(spec: PolicySpec) -> (Server, [Node; 3]) {
    let mut server = Server::new(spec);
    let mut nodes = [1, 2, 3].map(Node::with_checkpoint);
    server.pass(&mut nodes, REFRESH);
    (server, nodes)
}

#[test]
fn a_checkpoint_read_by_three_nodes_skips_one_reserve() {
    let (mut server, mut nodes) = after_a_total_loss(standstill());
    for at in 0..3 {
        settle(&mut server, &mut nodes[at], Some(checkpoint()));
        server.pass(&mut nodes, REFRESH);
    }
    server.pass(&mut nodes, RECOVERY);
    for node in &mut nodes {
        settle(&mut server, node, Some(checkpoint()));
    }
    nodes[1].gives(&mut server, 1, 10_101);
    for node in &mut nodes {
        settle(&mut server, node, Some(checkpoint()));
    }
    nodes[2].gives(&mut server, 2, 10_102);
    assert_eq!(server.state.snapshot().outcomes.joined, 2, "a raise is not a rush");
}

#[test]
fn a_checkpoint_read_by_three_nodes_after_the_pause_skips_one_reserve() {
    let (mut server, mut nodes) = after_a_total_loss(standstill());
    server.pass(&mut nodes, RECOVERY);
    assert!(server.is_open(), "for nodes without checkpoint");
    assert_eq!(nodes[0].join(&mut server, 1), JoinStep::NotReady);
    for node in &mut nodes {
        settle(&mut server, node, Some(checkpoint()));
    }
    nodes[1].refresh(&mut server);
    nodes[1].gives(&mut server, 1, 10_101);
}

/// The position of an issued number is the one its user gets.
#[test]
fn a_node_issues_no_number_before_it_knows_the_skipped_ones() {
    let (mut server, mut nodes) = after_a_total_loss(standstill());
    server.pass(&mut nodes, RECOVERY);
    settle(&mut server, &mut nodes[0], Some(checkpoint()));
    for node in &mut nodes {
        assert_eq!(node.join(&mut server, 1), JoinStep::ViewBehind);
    }
    nodes[1].refresh(&mut server);
    nodes[1].gives(&mut server, 1, 10_101);
    assert_eq!(nodes[1].position(10_101), 100, "the first of a hundred is called");
    assert_eq!(nodes[2].join(&mut server, 2), JoinStep::ViewBehind);
    nodes[2].finds(&mut server, 1, None, 10_101);
    nodes[2].finds(&mut server, 50, Some(50), 50);
    nodes[2].refresh(&mut server);
    nodes[2].gives(&mut server, 2, 10_102);
    assert_eq!(nodes[2].position(10_102), 101);
}

#[test]
fn a_checkpoint_that_reserves_nothing_beyond_its_last_number_skips_none() {
    let (mut server, mut nodes) = after_a_total_loss(standstill());
    server.pass(&mut nodes, RECOVERY);
    let before = server.state.marks().version;
    settle(&mut server, &mut nodes[0], Some(Checkpoint::new(QueueCounters::new(100, 0), 100)));
    assert_eq!(
        (server.counters(), server.state.marks().version),
        ((100, 0), before),
        "no change to log"
    );
    nodes[0].gives(&mut server, 1, 101);
}

#[test]
fn the_next_loss_skips_the_next_reserve_and_no_more() {
    let (mut server, mut nodes) = after_a_total_loss(standstill());
    for node in &mut nodes {
        settle(&mut server, node, Some(checkpoint()));
    }
    server.pass(&mut nodes, RECOVERY);
    nodes[0].gives(&mut server, 1, 10_101);
    let next = Checkpoint::new(QueueCounters::new(10_101, 10_101), 20_101);
    server.lose();
    let mut nodes = [4, 5, 6].map(Node::with_checkpoint);
    server.pass(&mut nodes, RECOVERY);
    for node in &mut nodes {
        settle(&mut server, node, Some(next));
    }
    nodes[0].refresh(&mut server);
    nodes[0].gives(&mut server, 2, 20_102);
}

#[test]
fn a_checkpoint_read_in_another_generation_changes_nothing() {
    let (mut server, mut nodes) = after_a_total_loss(standstill());
    let generation = server.state.marks().generation;
    for other in [generation - 1, generation + 1] {
        server.state.settle(other, Some(checkpoint()));
        assert!(!server.state.snapshot().is_settled);
    }
    server.pass(&mut nodes, RECOVERY);
    assert_eq!(server.counters(), (0, 0));
    server.state.settle(generation, None);
    assert!(server.state.snapshot().is_settled, "no checkpoint counts as settled too");
    nodes[0].gives(&mut server, 1, 1);
}

#[test]
fn a_store_that_lost_nothing_continues_unchanged() {
    let (mut server, [mut a]) = Server::open(standstill());
    for user in 1..=4 {
        a.gives(&mut server, user, user);
    }
    a.refresh(&mut server);
    server.restart();
    a.refresh(&mut server);
    assert!(server.is_open());
    settle(&mut server, &mut a, Some(Checkpoint::new(QueueCounters::new(3, 1), 10_100)));
    a.gives(&mut server, 5, 5);
    assert!(server.state.snapshot().vacant.is_empty());
}

#[test]
fn a_checkpoint_equal_to_the_store_starts_no_doubt() {
    let (mut server, [mut a]) = Server::open(standstill());
    for user in 1..=4 {
        a.gives(&mut server, user, user);
    }
    server.restart();
    a.refresh(&mut server);
    for (last, serving) in [(4, 0), (3, 1), (4, 1)] {
        settle(
            &mut server,
            &mut a,
            Some(Checkpoint::new(QueueCounters::new(last, serving), 10_100)),
        );
        assert!(server.is_open(), "{last} {serving}");
    }
    a.gives(&mut server, 5, 5);
}

#[test]
fn a_store_that_may_lack_numbers_continues_above_the_ceiling() {
    let (mut server, [mut a, b]) = Server::open(standstill());
    a.gives(&mut server, 1, 1);
    drop(b);
    server.restart();
    server.pass([&mut a], RECOVERY);
    settle(&mut server, &mut a, Some(Checkpoint::new(QueueCounters::new(1, 1), 100)));
    a.refresh(&mut server);
    a.gives(&mut server, 2, 101);
    a.refresh(&mut server);
    assert_eq!(a.replica.vacant().ranges().collect::<Vec<_>>(), [(1, 100)]);
    assert_eq!(a.position(101), 1);
}

#[test]
fn an_undetected_older_copy_is_detected_by_the_checkpoint() {
    let (mut server, [mut a]) = Server::open(standstill());
    a.gives(&mut server, 1, 1);
    a.refresh(&mut server);
    settle(&mut server, &mut a, None);
    let before = server.state.marks().generation;
    settle(&mut server, &mut a, Some(Checkpoint::new(QueueCounters::new(9, 0), 100)));
    assert!(!server.is_open());
    assert!(server.state.marks().generation > before);
    assert_eq!(server.counters(), (1, 1), "further losses are unknown yet");
    server.pass([&mut a], RECOVERY);
    assert!(server.is_open());
    assert_eq!(server.counters().0, 100);
    a.gives(&mut server, 2, 101);
}

#[test]
fn a_restart_that_lost_nothing_but_is_behind_its_checkpoint_is_doubted() {
    for (last, serving) in [(9, 0), (3, 2), (5, 3)] {
        let (mut server, [mut a]) = Server::open(standstill());
        for user in 1..=3 {
            a.gives(&mut server, user, user);
        }
        server.restart();
        a.refresh(&mut server);
        assert_eq!((server.is_open(), server.counters()), (true, (3, 1)));
        settle(&mut server, &mut a, Some(Checkpoint::new(QueueCounters::new(last, serving), 100)));
        assert!(!server.is_open(), "{last} {serving}");
        server.pass([&mut a], RECOVERY);
        assert_eq!(server.counters().0, 100, "{last} {serving}");
        assert!(server.counters().1 >= serving);
    }
}

#[test]
fn of_several_checkpoints_read_in_one_doubt_the_highest_marks_count() {
    let (mut server, mut nodes) = after_a_total_loss(standstill());
    settle(&mut server, &mut nodes[0], Some(Checkpoint::new(QueueCounters::new(10, 5), 200)));
    settle(&mut server, &mut nodes[1], None);
    settle(&mut server, &mut nodes[2], Some(Checkpoint::new(QueueCounters::new(20, 3), 100)));
    server.pass(&mut nodes, RECOVERY);
    assert_eq!(server.counters(), (200, 5), "the remaining budget is unknown");
    assert_eq!(server.state.snapshot().vacant.ranges().collect::<Vec<_>>(), [(20, 200)]);
}

#[test]
fn a_node_without_checkpoint_does_not_wait_for_one() {
    let mut server = Server::new(standstill());
    let mut nodes = [Node::new(1), Node::with_checkpoint(2)];
    server.pass(&mut nodes, RECOVERY);
    nodes[0].gives(&mut server, 1, 1);
    assert_eq!(nodes[1].join(&mut server, 2), JoinStep::NotReady);
}

#[test]
fn no_number_is_called_before_the_checkpoint_is_read() {
    let (mut server, mut nodes) = after_a_total_loss(usual());
    nodes[0].replica.note_counters(QueueCounters::new(5, 0));
    server.pass(&mut nodes, RECOVERY * 2);
    assert_eq!(server.counters(), (5, 0));
    settle(&mut server, &mut nodes[0], Some(Checkpoint::new(QueueCounters::new(2, 0), 100)));
    nodes[1].refresh(&mut server);
    assert_eq!(server.counters(), (100, 3));
}

/// A queue of four, its checkpoint settled, and a node.
fn settled_queue() -> (Server, Node) {
    let mut server = Server::new(standstill());
    let mut a = Node::with_checkpoint(1);
    server.pass([&mut a], RECOVERY);
    settle(&mut server, &mut a, None);
    a.refresh(&mut server);
    for user in 1..=4 {
        a.gives(&mut server, user, user);
    }
    a.refresh(&mut server);
    (server, a)
}

#[test]
fn a_restart_that_lost_nothing_needs_no_other_reading_of_the_checkpoint() {
    let (mut server, mut a) = settled_queue();
    let before = server.state.marks().generation;
    for user in 5..=7 {
        server.restart();
        a.refresh(&mut server);
        assert!(server.is_open() && server.state.snapshot().is_settled);
        a.gives(&mut server, user, user);
        a.refresh(&mut server);
    }
    assert!(server.state.marks().generation > before);
    assert!(server.state.snapshot().vacant.is_empty());
}

#[test]
fn a_second_restart_before_the_doubt_is_over_changes_nothing_about_that() {
    let (mut server, mut a) = settled_queue();
    let mut b = Node::with_checkpoint(2);
    server.pass([&mut a, &mut b], RECOVERY);
    server.restart();
    a.refresh(&mut server);
    assert!(!server.is_open());
    server.restart();
    a.refresh(&mut server);
    b.refresh(&mut server);
    assert!(server.is_open() && server.state.snapshot().is_settled);
    // Read during the doubt, it is also settled for the time after it.
    server.restart();
    a.refresh(&mut server);
    settle(&mut server, &mut a, Some(Checkpoint::new(QueueCounters::new(4, 0), 10_100)));
    server.restart();
    a.refresh(&mut server);
    b.refresh(&mut server);
    assert!(server.is_open() && server.state.snapshot().is_settled);
    a.gives(&mut server, 5, 5);
}

#[test]
fn a_restart_before_any_reading_waits_for_one() {
    let mut server = Server::new(standstill());
    let mut a = Node::with_checkpoint(1);
    server.pass([&mut a], RECOVERY);
    server.restart();
    a.refresh(&mut server);
    assert!(server.is_open() && !server.state.snapshot().is_settled);
    assert_eq!(a.join(&mut server, 1), JoinStep::NotReady);
}

#[test]
fn a_store_that_may_lack_data_waits_for_a_reading() {
    let (mut server, mut a) = settled_queue();
    let b = Node::with_checkpoint(2);
    server.pass([&mut a, &mut b.clone()], RECOVERY);
    server.restart();
    server.pass([&mut a], RECOVERY);
    assert!(server.is_open() && !server.state.snapshot().is_settled);
    assert_eq!(a.join(&mut server, 5), JoinStep::NotReady);
}

#[test]
fn an_older_copy_mistaken_as_intact_is_detected_by_the_checkpoint() {
    let (mut server, mut a) = settled_queue();
    // No node in the copy's register is live, and no other that knows more is left.
    a.refresh(&mut server);
    for _ in 0..6 {
        server.wait(seconds(1));
        Node::with_checkpoint(9).step(&mut server, |_, _| ());
    }
    server.restart();
    let mut c = Node::with_checkpoint(3);
    c.refresh(&mut server);
    assert!(server.is_open() && server.state.snapshot().is_settled);
    settle(&mut server, &mut c, Some(Checkpoint::new(QueueCounters::new(40, 0), 10_100)));
    assert!(!server.is_open());
    server.pass([&mut c], RECOVERY);
    c.refresh(&mut server);
    c.gives(&mut server, 5, 10_101);
}
