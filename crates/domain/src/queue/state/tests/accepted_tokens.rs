//! Numbers on tokens, and the incarnations of a queue.

use super::*;

/// An incarnation before any that these servers begin.
const REHEARSAL: u64 = 7;

fn life(value: u64) -> Incarnation {
    Incarnation::new(value).unwrap()
}

fn shown_in(value: u64, number: u64) -> Shown {
    Shown { incarnation: life(value), number: QueueNumber::new(number).unwrap() }
}

impl Node {
    /// Refreshes through a node that got a token with this number and incarnation.
    fn shows(&mut self, server: &mut Server, value: u64, number: u64) -> u64 {
        let (called, answer) = self.step(server, |state, visit| {
            state.note_shown(shown_in(value, number));
            let called = state.tick(visit);
            (called, state.answer_to(&visit.witness))
        });
        self.replica.follow(answer);
        called
    }

    fn stands(
        &self,
        server: &mut Server,
        value: u64,
        user: u64,
        number: u64,
    ) -> Result<PlaceStatus, Refused> {
        let place = place_in(life(value), user, number);
        self.step(server, |state, _| state.place_status(&place))
    }
}

/// A server with one node, after the time to adopt is over.
fn settled() -> (Server, [Node; 1]) {
    let (mut server, mut nodes) = Server::open::<1>(usual());
    server.pass(&mut nodes, QueueState::ADOPTION);
    (server, nodes)
}

#[test]
fn a_new_store_creates_an_incarnation_when_its_doubt_is_over() {
    let mut server = Server::new(usual());
    let mut node = Node::new(4);
    server.pass([&mut node], RECOVERY - REFRESH);
    assert!(server.state.incarnations().is_empty() && !server.state.adopts());
    server.pass([&mut node], REFRESH);
    let begun = server.state.incarnations();
    assert_eq!(begun.iter().map(Incarnation::get).collect::<Vec<_>>(), [server.clock + 5]);
    assert!(server.state.adopts());
    assert_eq!(node.replica.witness().incarnations, begun);
    server.pass([&mut node], QueueState::ADOPTION - Duration::from_micros(1));
    assert!(server.state.adopts(), "for five seconds");
    server.pass([&mut node], Duration::from_micros(1));
    assert!(!server.state.adopts());
    assert_eq!(server.state.incarnations(), begun, "and no other one is created");
}

#[test]
fn a_lost_store_continues_in_the_incarnation_its_nodes_remember() {
    let (mut server, mut nodes) = settled();
    nodes[0].gives(&mut server, 1, 1);
    let before = server.state.incarnations();
    server.lose();
    server.pass(&mut nodes, RECOVERY);
    assert_eq!(server.state.incarnations(), before);
    assert!(server.is_open() && !server.state.adopts());
    nodes[0].shows(&mut server, REHEARSAL, 500);
    assert_eq!((server.counters(), server.state.incarnations()), ((1, 1), before));
}

#[test]
fn one_incarnation_is_adopted_within_a_short_time_and_no_other() {
    let (mut server, mut nodes) = Server::open::<1>(standstill());
    let own = server.life();
    nodes[0].shows(&mut server, REHEARSAL, 40);
    assert_eq!(server.state.incarnations(), Incarnations::of([life(REHEARSAL), own]));
    assert_eq!(server.counters(), (10_040, 0), "and its numbers, with those it may have issued");
    assert!(!server.state.adopts());
    nodes[0].shows(&mut server, REHEARSAL + 1, 50_000);
    assert_eq!(server.counters(), (10_040, 0));
    assert_eq!(nodes[0].stands(&mut server, REHEARSAL + 1, 9, 20), Err(Refused::NotHolder));
    assert_eq!(nodes[0].stands(&mut server, REHEARSAL, 9, 20), Ok(PlaceStatus::Waiting));
    let tokens = [life(REHEARSAL), own].map(|life| server.state.incarnations().contains(life));
    assert_eq!(tokens, [true; 2]);
    nodes[0].gives(&mut server, 100, 10_041);
    nodes[0].refresh(&mut server);
    assert_eq!(nodes[0].position(10_041), 2, "behind the one with a token");
}

#[test]
fn after_that_time_a_token_of_another_incarnation_is_rejected() {
    let (mut server, mut nodes) = settled();
    let before = server.state.incarnations();
    for number in [1, 2, 40, 1_000_000] {
        nodes[0].shows(&mut server, REHEARSAL, number);
        assert_eq!(nodes[0].stands(&mut server, REHEARSAL, 9, number), Err(Refused::NotHolder));
        let joined = nodes[0].step(&mut server, |state, visit| {
            state.join(visit, UserId::new(7).unwrap(), Some(shown_in(REHEARSAL, number)), u64::MAX)
        });
        let JoinStep::Holds { number, .. } = joined else { panic!("{joined:?}") };
        assert_eq!(number.get(), 1, "joining with it is like joining without");
    }
    assert_eq!((server.state.incarnations(), server.counters()), (before, (1, 1)));
    assert!(server.is_open());
}

#[test]
fn a_number_above_all_skips_those_between_and_begins_no_doubt() {
    let (mut server, mut nodes) = settled();
    let own = server.life().get();
    nodes[0].gives(&mut server, 1, 1);
    let before = server.state.marks();
    nodes[0].shows(&mut server, own, 1_000);
    let after = server.state.snapshot();
    assert_eq!((after.counters.last(), after.generation), (11_000, before.generation));
    assert!(!after.recovers && after.may_join);
    assert_eq!(after.vacant.ranges().collect::<Vec<_>>(), [(1, 11_000)]);
    nodes[0].gives(&mut server, 2, 11_001);
    assert_eq!(nodes[0].position(11_001), 0, "no one is ahead");
    let place = place_in(life(own), 3, 1_000);
    assert_eq!(nodes[0].step(&mut server, |state, _| state.claim(&place)), Err(Refused::NotYet));
    nodes[0].refresh(&mut server);
    assert!(
        nodes[0].step(&mut server, |state, _| state.claim(&place)).is_ok(),
        "a late holder is next"
    );
}

#[test]
fn holders_who_present_skipped_numbers_are_called_in_order() {
    let (mut server, mut nodes) = Server::open::<1>(PolicySpec { max_active: 100, ..usual() });
    for number in [40, 7, 300, 12, 10_041] {
        let waits = nodes[0].stands(&mut server, REHEARSAL, number, number);
        assert_eq!(waits, Ok(PlaceStatus::Waiting), "{number}");
    }
    assert_eq!(nodes[0].refresh(&mut server), 0, "people near the front still have time");
    nodes[0].gives(&mut server, 5_000, 30_042);
    let order: Vec<u64> =
        [7, 12, 40, 300, 10_041, 30_042].map(|number| nodes[0].position(number)).into();
    assert_eq!(order, [1, 2, 3, 4, 5, 6]);
    server.wait(QueueState::ADOPTION / 10);
    assert_eq!(nodes[0].refresh(&mut server), 0);
    server.pass(&mut nodes, QueueState::ADOPTION);
    let called = |server: &mut Server, number: u64| {
        matches!(nodes[0].stands(server, REHEARSAL, number, number), Ok(PlaceStatus::Called { .. }))
    };
    assert!([7, 12, 40, 300, 10_041].into_iter().all(|number| called(&mut server, number)));
}

#[test]
fn numbers_are_raised_sixteen_times_and_each_time_twice_as_far() {
    let (mut server, mut nodes) = settled();
    let own = server.life().get();
    let mut last = 0;
    for raise in 0..16 {
        nodes[0].shows(&mut server, own, last + 1);
        assert_eq!(server.counters().0, last + 1 + (10_000 << raise), "{raise}");
        last = server.counters().0;
    }
    nodes[0].shows(&mut server, own, last + 1);
    assert_eq!(server.counters().0, last);
    assert_eq!(nodes[0].stands(&mut server, own, 1, last + 1), Err(Refused::NotFound));
    nodes[0].gives(&mut server, 1, last + 1);
}

#[test]
fn a_number_too_near_to_the_highest_raises_nothing() {
    let (mut server, mut nodes) = settled();
    let own = server.life().get();
    let highest = QueueNumber::MAX - 10_000;
    nodes[0].shows(&mut server, own, highest + 1);
    assert_eq!(server.counters(), (0, 0));
    nodes[0].shows(&mut server, own, highest);
    assert_eq!(server.counters().0, QueueNumber::MAX);
}

#[test]
fn a_store_in_doubt_applies_tokens_only_afterwards() {
    let (mut server, mut nodes) = settled();
    let own = server.life().get();
    server.restart();
    let mut other = Node::new(9);
    other.shows(&mut server, own, 50);
    assert!(server.state.snapshot().recovers);
    assert_eq!(server.counters(), (0, 0));
    assert_eq!(other.stands(&mut server, own, 1, 50), Err(Refused::NotReady));
    server.pass(&mut nodes, RECOVERY);
    other.shows(&mut server, own, 50);
    assert_eq!(server.counters().0, 10_050);
}

#[test]
fn a_late_witness_brings_its_incarnation_and_both_kinds_of_token_are_valid() {
    let (mut server, mut nodes) = Server::open::<2>(usual());
    let first = server.life();
    nodes[0].gives(&mut server, 1, 1);
    let [mut early, mut silent] = nodes;
    early.refresh(&mut server);
    server.lose();
    let mut fresh = Node::new(9);
    server.pass([&mut fresh], RECOVERY);
    let second = server.state.incarnations().oldest().unwrap();
    assert_ne!(second, first);
    fresh.gives(&mut server, 2, 1);
    fresh.step(&mut server, |state, _| state.claim(&place_in(second, 2, 1))).unwrap();
    assert!(server.state.adopts());
    silent.refresh(&mut server);
    assert!(!server.state.adopts(), "a store with a witness has data");
    early.refresh(&mut server);
    server.pass([&mut early, &mut silent, &mut fresh], RECOVERY);
    let both = Incarnations::of([first, second]);
    assert_eq!(server.state.incarnations(), both);
    for node in [&early, &silent, &fresh] {
        assert_eq!(node.replica.witness().incarnations, both);
    }
    let claim = |server: &mut Server, life, user| {
        fresh.step(server, |state, _| state.claim(&place_in(life, user, 1)))
    };
    assert!(claim(&mut server, second, 2).is_ok(), "sessions continue");
    assert_eq!(claim(&mut server, first, 1), Err(Refused::NotHolder), "no two people in one slot");
    let joined = fresh.join(&mut server, 3);
    let JoinStep::Holds { incarnation, .. } = joined else { panic!("{joined:?}") };
    assert_eq!(incarnation, first, "the oldest signs");
}

#[test]
fn a_checkpoint_brings_its_incarnation_and_a_store_with_one_adopts_none() {
    let mut server = Server::new(standstill());
    let mut node = Node::with_checkpoint(1);
    server.pass([&mut node], RECOVERY * 2);
    assert!(
        server.is_open() && server.state.incarnations().is_empty(),
        "the checkpoint was not read"
    );
    assert_eq!(node.stands(&mut server, REHEARSAL, 1, 1), Err(Refused::NotReady));
    let known = Checkpoint::new(QueueCounters::new(3, 0), 10)
        .with_incarnations(Incarnations::of([life(REHEARSAL)]));
    let generation = node.replica.witness().generation;
    node.step(&mut server, |state, _| state.settle(generation, Some(known)));
    node.refresh(&mut server);
    assert_eq!(server.state.incarnations(), known.incarnations);
    assert_eq!(node.stands(&mut server, REHEARSAL, 1, 2), Ok(PlaceStatus::Waiting));
    node.shows(&mut server, REHEARSAL + 1, 500);
    assert_eq!((server.state.incarnations(), server.counters().0), (known.incarnations, 10));
}

#[test]
fn tokens_wait_for_an_unread_checkpoint() {
    let mut server = Server::new(standstill());
    let mut node = Node::with_checkpoint(1);
    server.pass([&mut node], RECOVERY);
    let own = Incarnations::of([life(REHEARSAL)]);
    let known = Checkpoint::new(QueueCounters::new(30, 0), 100).with_incarnations(own);
    let generation = node.replica.witness().generation;
    node.step(&mut server, |state, _| state.settle(generation, Some(known)));
    node.refresh(&mut server);
    server.lose();
    server.pass([&mut node], RECOVERY);
    assert_eq!((server.is_open(), server.state.incarnations()), (true, own));
    node.shows(&mut server, REHEARSAL, 500);
    assert_eq!(server.counters().0, 100, "as the node has seen it");
    assert_eq!(node.stands(&mut server, REHEARSAL, 1, 500), Err(Refused::NotReady));
    let generation = node.replica.witness().generation;
    node.step(&mut server, |state, _| state.settle(generation, Some(known)));
    assert_eq!(node.stands(&mut server, REHEARSAL, 1, 500), Ok(PlaceStatus::Waiting));
    assert_eq!(server.counters().0, 10_500);
}

#[test]
fn a_queue_with_an_empty_checkpoint_is_new_and_adopts_nothing() {
    let mut server = Server::new(usual());
    let mut node = Node::with_checkpoint(1);
    server.pass([&mut node], RECOVERY);
    let generation = node.replica.witness().generation;
    node.step(&mut server, |state, _| state.settle(generation, None));
    node.refresh(&mut server);
    let begun = server.state.incarnations();
    assert!(!begun.is_empty() && !server.state.adopts());
    node.shows(&mut server, REHEARSAL, 500);
    assert_eq!((server.state.incarnations(), server.counters()), (begun, (0, 0)));
}

#[test]
fn numbers_raised_only_by_tokens_do_not_count_as_people_after_a_loss() {
    let (mut server, mut nodes) = Server::open::<1>(standstill());
    nodes[0].finds(&mut server, 1, Some(50), 50);
    assert_eq!(
        (server.counters(), server.state.witnessed_counters()),
        ((10_050, 50), QueueCounters::START)
    );
    server.lose();
    server.pass(&mut nodes, RECOVERY);
    assert_eq!(server.counters(), (0, 0), "the node lacks the skipped numbers");
    nodes[0].gives(&mut server, 2, 1);
    nodes[0].finds(&mut server, 1, Some(60_000), 60_000);
    nodes[0].finds(&mut server, 3, Some(80_000), 80_000);
    assert_eq!(server.state.witnessed_counters(), QueueCounters::new(1, 1), "both raises");
    nodes[0].refresh(&mut server);
    nodes[0].gives(&mut server, 4, 100_001);
    assert_eq!(server.state.witnessed_counters(), QueueCounters::new(100_001, 1));
}

#[test]
fn a_node_that_lacks_skipped_numbers_must_refresh_first() {
    let (mut server, mut nodes) = Server::open::<2>(usual());
    let own = server.life().get();
    nodes[0].shows(&mut server, own, 50);
    assert_eq!(nodes[1].join(&mut server, 1), JoinStep::ViewBehind);
    nodes[1].refresh(&mut server);
    nodes[1].gives(&mut server, 1, 10_051);
}
