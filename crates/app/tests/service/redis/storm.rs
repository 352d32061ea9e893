//! Nodes die while many users join.

use std::net::SocketAddr;
use std::time::Duration;

use contracts::history::{Completion, History, Rules, check};
use test_support::{RecordingClient, RecordingClients, RedisSetup};

use super::node::{Node, UNHURRIED, redis};
use crate::support::eventually;

const CROWDS: u64 = 16;
const PEOPLE_EACH: u64 = 50;

/// The maximum staleness of an unmarked response: an older view is marked as stale, and the
/// response takes some time to arrive.
const VIEW_LAG: Duration = Duration::from_millis(1_100);

/// Tries one node after another until one responds.
fn join(client: &mut RecordingClient, nodes: &[SocketAddr], first: u64) {
    let mut next = usize::try_from(first).unwrap();
    eventually("a node answers", || {
        let received = client.join(nodes[next % nodes.len()]);
        next += 1;
        matches!(received.reported, Completion::Number { .. })
    });
}

/// One user's visit: joins, then claims if called, leaves, or joins again through another node.
fn visit(client: &mut RecordingClient, nodes: &[SocketAddr], user: u64) {
    join(client, nodes, user);
    let elsewhere = nodes[usize::try_from(user + 1).unwrap() % nodes.len()];
    if client.request(elsewhere).reported == Completion::Called {
        let _ = client.go_in(elsewhere, 451);
    } else if user.is_multiple_of(5) {
        let _ = client.leave(elsewhere);
    } else if user.is_multiple_of(3) {
        join(client, nodes, user + 2);
    }
}

#[test]
fn a_node_that_dies_in_a_burst_of_joins_loses_no_place() {
    let redis = redis(RedisSetup::default());
    let settings = [&["queue.policy.batch=20"][..], &UNHURRIED].concat();
    let nodes = [(); 3].map(|()| Node::on(&redis, &settings));
    let addresses = nodes.each_ref().map(Node::public);
    let history = History::new();
    let clients = RecordingClients::new(&history, Duration::from_secs(600));
    let mut everybody: Vec<RecordingClient> =
        (1..=CROWDS * PEOPLE_EACH).map(|user| clients.client(user).unwrap()).collect();
    std::thread::scope(|scope| {
        for (crowd, people) in everybody.chunks_mut(PEOPLE_EACH as usize).enumerate() {
            scope.spawn(move || {
                for (n, client) in people.iter_mut().enumerate() {
                    visit(client, &addresses, crowd as u64 * PEOPLE_EACH + n as u64 + 1);
                }
            });
        }
        eventually("a quarter has joined", || {
            history.summary().count("join", "number") > CROWDS * PEOPLE_EACH / 4
        });
        nodes[0].kill();
    });
    for client in &mut everybody {
        let received = client.find_again(addresses[1]);
        assert!(matches!(received.reported, Completion::Number { .. }), "{received:?}");
    }
    let rules = Rules {
        max_active: Some(1_100_000),
        view_lag: VIEW_LAG,
        places_survive: true,
        ..Rules::default()
    };
    let summary = history.summary();
    assert!(summary.count("join", "unknown") > 0, "the kill interrupted no join: {summary}");
    check(&history, &rules).unwrap_or_else(|findings| panic!("{summary}\n{findings}"));
}
