//! A Redis whose configuration can lose places, or that accepts no commands.

use test_support::RedisSetup;

use super::node::{Node, UNHURRIED, redis, words};
use crate::program::{boxoffice, text};
use crate::support::eventually;

/// Unsafe configurations and the expected error.
fn unsafe_setups() -> [(RedisSetup, &'static str); 2] {
    [
        (
            RedisSetup::default().line("maxmemory-policy allkeys-lru"),
            "the queue's redis would evict keys when its memory is full (maxmemory-policy allkeys-lru)",
        ),
        (
            RedisSetup::default().line("appendonly no"),
            "the queue's redis keeps nothing over a restart",
        ),
    ]
}

/// The output of a program that refuses to start on this Redis.
fn refusal(url: &str) -> String {
    let quiet = ["http.bind=127.0.0.1:0", "ops.bind=127.0.0.1:0", "telemetry.log_filter=off"];
    // A Redis that does not answer in time is checked later, and the program starts.
    let patient = ["redis.queue.connect_timeout=9s"];
    let words = words(url, &[&quiet[..], &patient, &UNHURRIED].concat());
    let output = boxoffice(&words.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    let said = text(&output.stderr).to_owned();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    said
}

#[test]
fn an_unsafe_redis_stops_the_program_with_one_line() {
    for (setup, expected) in unsafe_setups() {
        let redis = redis(setup);
        let said = refusal(&format!("redis://{}", redis.address()));
        assert!(said.starts_with(&format!("boxoffice: {expected}")), "{said}");
    }
}

#[test]
fn a_replica_stops_the_program_with_one_line() {
    let primary = redis(RedisSetup::default());
    let replica = redis(RedisSetup::default().replica_of(primary.address()));
    let said = refusal(&format!("redis://{}", replica.address()));
    let expected = format!("boxoffice: the queue's redis at {} is a replica", replica.address());
    assert!(said.starts_with(&expected), "{said}");
}

#[test]
fn a_wrong_password_stops_the_program_with_one_line_that_does_not_show_it() {
    let redis = redis(RedisSetup::default().line("requirepass right"));
    let said = refusal(&format!("redis://:hunter2@{}", redis.address()));
    assert!(said.starts_with("boxoffice: the queue's redis refuses: WRONGPASS"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn an_unsafe_redis_is_used_if_configured() {
    for (setup, expected) in unsafe_setups() {
        let redis = redis(setup);
        // A longer timeout also makes a new queue wait longer for nodes that may remember it.
        let mut node =
            Node::on(&redis, &["redis.queue.when_unsafe=warn", "redis.queue.timeout=2s"]);
        node.wait_until("ready");
        eventually("the queue is open", || node.join(1).status == 200);
        let log = node.stop();
        assert_eq!(log.matches(expected).count(), 1, "{log}");
    }
}

#[test]
fn an_unsafe_redis_that_was_silent_at_the_start_is_warned_of_later() {
    let [_, (setup, expected)] = unsafe_setups();
    let redis = redis(setup);
    redis.freeze().unwrap();
    let mut node = Node::on(&redis, &["redis.queue.when_unsafe=warn", "redis.queue.timeout=2s"]);
    redis.thaw().unwrap();
    node.wait_until("ready");
    eventually("the queue is open", || node.join(1).status == 200);
    let log = node.stop();
    assert_eq!(log.matches(expected).count(), 1, "{log}");
}
