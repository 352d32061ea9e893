//! Failing joins do not affect users with a session.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{park_timeout, scope};
use std::time::{Duration, Instant};

use test_support::RedisSetup;

use super::node::{Node, redis};
use crate::support::eventually;

/// Threads that each join ten times a second.
const CROWD: u64 = 20;

/// Joins until stopped, each time as a new user.
fn flood(node: &Node, next: &AtomicU64, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        let began = Instant::now();
        node.join(next.fetch_add(1, Ordering::Relaxed));
        park_timeout(Duration::from_millis(100).saturating_sub(began.elapsed()));
    }
}

/// Stops the flood when dropped, even if the test fails.
struct Flood<'a>(&'a AtomicBool);

impl Drop for Flood<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A fraction of a second, with a margin for a busy machine.
const SOON: Duration = Duration::from_millis(750);

/// Calls one user, then none for an hour.
const STANDING_STILL: [&str; 2] = ["queue.policy.batch=1", "queue.policy.every=1h"];

#[test]
fn joins_without_a_replica_do_not_affect_sessions() {
    let primary = redis(RedisSetup::default());
    let replica = redis(RedisSetup::default().replica_of(primary.address()));
    primary.wait_for_replica(&replica).unwrap();
    let node =
        Node::on(&primary, &[&STANDING_STILL[..], &["queue.durability=replicated"]].concat());
    // On a busy machine a replica may take longer than a join waits for it.
    eventually("a replica has the join", || node.join(1).status == 200);
    let inside = node.token_of(1);
    assert_eq!(node.dates(&inside).status, 200);
    replica.kill().unwrap();
    let (next, is_over) = (AtomicU64::new(2), AtomicBool::new(false));
    scope(|threads| {
        let _flood = Flood(&is_over);
        for _ in 0..CROWD {
            threads.spawn(|| flood(&node, &next, &is_over));
        }
        eventually("the breaker of joins opens", || node.breaker("joining") == "open");
        for _ in 0..50 {
            assert_eq!(node.dates(&inside).status, 200);
            assert_eq!(node.breaker("queue"), "closed");
        }
    });
}

/// A deliberate refusal by the store is a successful call.
#[test]
fn joins_refused_while_the_store_recovers_open_no_breaker() {
    let redis = redis(RedisSetup::default());
    // After a loss, new users are refused for longer than this; generous for a busy machine.
    let patient = ["redis.queue.timeout=2s", "breaker.joining.slow_call=2s"];
    let node = Node::on(&redis, &[&STANDING_STILL[..], &patient].concat());
    node.token_of(1);
    redis.command(&["FLUSHALL"]).unwrap();
    eventually("the user's place is found again", || node.join(1).status == 200);
    assert_eq!(node.join(2).status, 503, "new users are still refused");
    let (next, is_over) = (AtomicU64::new(3), AtomicBool::new(false));
    scope(|threads| {
        let _flood = Flood(&is_over);
        for _ in 0..CROWD {
            threads.spawn(|| flood(&node, &next, &is_over));
        }
        eventually("the store accepts joins again", || {
            assert_ne!(node.breaker("joining"), "open");
            node.join(2).status == 200
        });
    });
}

#[test]
fn after_an_outage_a_session_is_served_at_once_under_a_flood_of_joins() {
    let redis = redis(RedisSetup::default());
    let node = Node::on(&redis, &STANDING_STILL);
    let inside = node.token_of(1);
    assert_eq!(node.dates(&inside).status, 200);
    let (next, is_over) = (AtomicU64::new(2), AtomicBool::new(false));
    let refused = scope(|threads| {
        let _flood = Flood(&is_over);
        for _ in 0..CROWD {
            threads.spawn(|| flood(&node, &next, &is_over));
        }
        redis.kill().unwrap();
        let killed = Instant::now();
        eventually("the outage has lasted three seconds", || {
            node.dates(&inside);
            killed.elapsed() > Duration::from_secs(3)
        });
        redis.restart().unwrap();
        let back = Instant::now();
        let mut refused = Duration::ZERO;
        // Longer than the store refuses new users.
        while back.elapsed() < Duration::from_secs(4) {
            let requested = back.elapsed();
            if node.dates(&inside).status != 200 {
                refused = requested;
            }
            park_timeout(Duration::from_millis(20));
        }
        refused
    });
    assert!(refused < SOON, "refused {refused:?} after the store was back");
}
