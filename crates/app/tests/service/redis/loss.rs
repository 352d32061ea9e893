//! Redis and all nodes are lost at once, and only the checkpoint survives.

use std::time::Duration;

use contracts::history::{Completion, History, Rules, check};
use test_support::{Database, FaultProxy, RecordingClient, RecordingClients, RedisSetup};

use super::node::{Node, redis};
use crate::postgres::database;
use crate::support::eventually;

/// Calls five users, then none for an hour.
const FIVE: [&str; 2] = ["queue.policy.batch=5", "queue.policy.every=1h"];
const PEOPLE: u64 = 40;

/// The checkpoint settings for the database at this URL.
fn checkpoint(url: &str) -> Vec<String> {
    let at = format!("postgres.url={url}");
    let settings = ["queue.checkpoint.store=postgres", "queue.checkpoint.reserve=100", &at];
    settings
        .iter()
        .chain(&["http.request_timeout=20s"])
        .map(|setting| (*setting).to_owned())
        .collect()
}

fn remembered(database: &Database) -> String {
    database.sql("SELECT last || ' ' || serving FROM queue_checkpoints").unwrap()
}

fn positions(people: &[RecordingClient], node: &Node) -> Vec<(u64, u64)> {
    let waits = |client: &RecordingClient| {
        let Completion::Waiting { position } = client.request(node.public()).reported else {
            return None;
        };
        Some((client.number().unwrap(), position))
    };
    people.iter().filter_map(waits).collect()
}

#[test]
fn when_everything_is_lost_at_once_no_number_repeats_and_tokens_keep_their_order() {
    let (database, redis) = (database(), redis(RedisSetup::default()));
    let checkpoint = checkpoint(&database.url());
    let settings: Vec<&str> = checkpoint.iter().map(String::as_str).chain(FIVE).collect();
    let history = History::new();
    let clients = RecordingClients::new(&history, Duration::from_secs(600));
    let mut people: Vec<RecordingClient> =
        (1..=PEOPLE).map(|user| clients.client(user).unwrap()).collect();

    let nodes = [(); 2].map(|()| Node::on(&redis, &settings));
    for (n, client) in people.iter_mut().enumerate() {
        let received = client.join(nodes[n % 2].public());
        assert!(matches!(received.reported, Completion::Number { .. }), "{received:?}");
    }
    let let_in = |client: &RecordingClient| {
        matches!(client.go_in(nodes[0].public(), 451).reported, Completion::LetIn { .. })
    };
    eventually("five are called and claim", || {
        people.iter().filter(|client| let_in(client)).count() == 5
    });
    eventually("the checkpoint is saved", || remembered(&database) == format!("{PEOPLE} 5"));
    nodes.iter().for_each(Node::kill);
    redis.command(&["FLUSHALL"]).unwrap();
    redis.kill().unwrap();
    drop(nodes);
    redis.restart().unwrap();

    let nodes = [(); 2].map(|()| Node::on(&redis, &settings));
    for node in &nodes {
        eventually("the node has the queue again", || {
            positions(&people, node).len() as u64 >= PEOPLE - 10
        });
        let waiting = positions(&people, node);
        assert!(waiting.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1), "{waiting:?}");
    }
    let mut newcomers: Vec<RecordingClient> =
        (101..=120).map(|user| clients.client(user).unwrap()).collect();
    for (n, client) in newcomers.iter_mut().enumerate() {
        // A node that started after the other may have moved the queue past the numbers reserved by
        // that one.
        let mut joins =
            || matches!(client.join(nodes[n % 2].public()).reported, Completion::Number { .. });
        eventually("a new user joins", &mut joins);
        assert!(client.number() > Some(PEOPLE), "{:?} was issued before", client.number());
    }
    for client in people.iter().chain(&newcomers) {
        let received = client.go_in(nodes[1].public(), 451);
        assert!(
            received.status.is_some_and(|status| matches!(status, 200 | 403 | 410)),
            "{received:?}"
        );
    }
    // The sessions of the first five are lost with everything else.
    let rules = Rules { view_lag: Duration::from_millis(1_100), ..Rules::default() };
    check(&history, &rules).unwrap_or_else(|findings| panic!("{}\n{findings}", history.summary()));
}

#[test]
fn joins_are_refused_until_the_checkpoint_is_read() {
    let (database, redis) = (database(), redis(RedisSetup::default()));
    let proxy = FaultProxy::to(database.server_address().unwrap()).unwrap();
    proxy.cut();
    let checkpoint =
        checkpoint(&format!("postgres://postgres@{}/{}", proxy.address(), database.name()));
    let settings: Vec<&str> = checkpoint.iter().map(String::as_str).collect();
    let node = Node::on(&redis, &settings);
    node.wait_until("degraded");
    let refused = node.join(1);
    assert_eq!(
        (refused.status, refused.word("code").as_str()),
        (503, "STORE_UNAVAILABLE"),
        "{refused:?}"
    );
    assert_eq!(refused.header("retry-after"), "1");
    proxy.mend();
    eventually("joining works", || node.join(1).status == 200);
    node.wait_until("ready");
    assert_eq!(node.join(2).number("number"), 2, "refused joins took no number");
}
