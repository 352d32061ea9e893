//! Redis fails while the service runs, or is down when it starts.

use std::time::{Duration, Instant};

use test_support::RedisSetup;

use super::node::{Node, redis};
use crate::support::{Answer, eventually};

/// Calls one user, then none for an hour.
const STANDING_STILL: [&str; 2] = ["queue.policy.batch=1", "queue.policy.every=1h"];

/// Refusals arrive within this time, far below the request timeout.
const QUICKLY: Duration = Duration::from_secs(3);

fn check_refused(answer: &Answer) {
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{answer:?}");
    assert_eq!(answer.word("code"), "STORE_UNAVAILABLE");
    assert!(!answer.text.contains("redis") && !answer.text.contains("127.0.0.1"), "{answer:?}");
}

fn check_degraded(node: &Node) {
    node.wait_until("degraded");
    let down = node.readiness().field("down");
    assert_eq!(
        (&down[0]["dependency"], &down[0]["problem"]),
        (&"redis".into(), &"unavailable".into())
    );
    assert_eq!(down.as_array().unwrap().len(), 1, "{down}");
}

#[test]
fn without_redis_users_can_poll_and_the_service_recovers() {
    let redis = redis(RedisSetup::default());
    let node = Node::on(&redis, &STANDING_STILL);
    let (inside, waiting) = (node.token_of(1), node.token_of(2));
    assert_eq!(node.dates(&inside).status, 200);
    assert_eq!(
        (node.query(&waiting).status, node.query(&waiting).field("stale")),
        (200, serde_json::Value::Null)
    );
    redis.kill().unwrap();

    eventually("the response is marked as stale", || {
        let answer = node.query(&waiting);
        assert_eq!((answer.status, answer.word("status").as_str()), (200, "WAITING"), "{answer:?}");
        assert_eq!(answer.number("position"), 1);
        answer.field("stale") == true
    });
    // The node has now noticed that its view is stale.
    for _ in 0..5 {
        check_refused(&node.dates(&inside));
        let requested = Instant::now();
        check_refused(&node.join(3));
        assert!(requested.elapsed() < QUICKLY, "{:?}", requested.elapsed());
        check_refused(&node.leave(&waiting));
    }
    check_degraded(&node);

    redis.restart().unwrap();
    node.wait_until("ready");
    eventually("the view is fresh again", || node.query(&waiting).field("stale").is_null());
    assert_eq!(node.query(&waiting).number("position"), 1);
    eventually("joining works", || node.join(3).status == 200);
    assert_eq!(node.join(2).number("number"), 2, "the place is kept");
    assert_eq!(node.dates(&inside).status, 200, "the session is kept");
}

#[test]
fn it_starts_without_redis_and_serves_the_queue_once_it_is_up() {
    let redis = redis(RedisSetup::default().line("requirepass hunter2"));
    redis.kill().unwrap();
    let url = format!("redis://:hunter2@{}", redis.address());
    let mut node = Node::at(&url, &[&STANDING_STILL[..], &["telemetry.log_filter=trace"]].concat());
    check_degraded(&node);
    check_refused(&node.join(1));
    redis.restart().unwrap();
    node.wait_until("ready");
    eventually("joining works", || node.join(1).status == 200);
    assert_eq!(node.dates(&node.token_of(1)).status, 200);
    let log = node.stop();
    assert!(log.contains("a dependency is down") && log.contains("a dependency is back"), "{log}");
    assert!(!log.contains("hunter2"), "the password is logged");
}
