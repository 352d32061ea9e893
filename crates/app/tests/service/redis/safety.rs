//! A Redis that would lose places by itself, or lets nobody in.

use test_support::RedisSetup;

use super::node::{Node, redis, words};
use crate::program::{boxoffice, text};

/// What would lose places, and what is said about it.
fn unsafe_ones() -> [(RedisSetup, &'static str); 2] {
    [
        (
            RedisSetup::default().line("maxmemory-policy allkeys-lru"),
            "the queue's redis would evict keys when its memory is full (maxmemory-policy allkeys-lru)",
        ),
        (RedisSetup::default().line("appendonly no"), "the queue's redis keeps nothing over a restart"),
    ]
}

#[test]
fn a_redis_that_would_lose_places_stops_the_program_with_one_line() {
    for (setup, expected) in unsafe_ones() {
        let redis = redis(setup);
        let quiet = ["http.bind=127.0.0.1:0", "ops.bind=127.0.0.1:0", "telemetry.log_filter=off"];
        let words = words(&format!("redis://{}", redis.address()), &quiet);
        let output = boxoffice(&words.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.starts_with(&format!("boxoffice: {expected}")) && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn a_redis_that_would_lose_places_is_used_where_that_is_wanted() {
    for (setup, expected) in unsafe_ones() {
        let redis = redis(setup);
        let mut node = Node::on(&redis, &["redis.queue.when_unsafe=warn"]);
        assert_eq!(node.join(1).status, 200);
        node.wait_until("ready");
        let log = node.stop();
        assert_eq!(log.matches(expected).count(), 1, "{log}");
    }
}

#[test]
fn a_wrong_password_is_an_outage_and_is_never_shown() {
    let redis = redis(RedisSetup::default().line("requirepass right"));
    let url = format!("redis://:hunter2@{}", redis.address());
    let mut node = Node::at(&url, &["telemetry.log_filter=trace"]);
    node.wait_until("degraded");
    assert_eq!(node.join(1).status, 503);
    let log = node.stop();
    assert!(log.contains("a dependency is down") && !log.contains("hunter2"), "{log}");
}
