//! Joins that fail shut out nobody who is inside.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{park_timeout, scope};
use std::time::{Duration, Instant};

use test_support::RedisSetup;

use super::node::{Node, redis};
use crate::support::eventually;

/// Joins, ten a second from each of these.
const CROWD: u64 = 20;

/// Goes on joining until told to stop, each time as somebody else.
fn flood(node: &Node, next: &AtomicU64, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        let began = Instant::now();
        node.join(next.fetch_add(1, Ordering::Relaxed));
        park_timeout(Duration::from_millis(100).saturating_sub(began.elapsed()));
    }
}

/// Ends the flood, also when the test fails.
struct Flood<'a>(&'a AtomicBool);

impl Drop for Flood<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A fraction of a second, on a busy machine.
const SOON: Duration = Duration::from_millis(750);

/// One is called, and then nobody for an hour.
const STANDING_STILL: [&str; 2] = ["queue.policy.batch=1", "queue.policy.every=1h"];

#[test]
fn joins_that_find_no_replica_shut_out_nobody_who_is_inside() {
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
        eventually("joins are left alone", || node.breaker("joining") == "open");
        for _ in 0..50 {
            assert_eq!(node.dates(&inside).status, 200);
            assert_eq!(node.breaker("queue"), "closed");
        }
    });
}

/// What the store refuses on purpose is an answer.
#[test]
fn joins_refused_while_the_store_recovers_open_no_breaker() {
    let redis = redis(RedisSetup::default());
    // Nobody new is taken for longer than this after a loss, and a busy machine is not too slow.
    let patient = ["redis.queue.timeout=2s", "breaker.joining.slow_call=2s"];
    let node = Node::on(&redis, &[&STANDING_STILL[..], &patient].concat());
    node.token_of(1);
    redis.command(&["FLUSHALL"]).unwrap();
    eventually("a holder is found again", || node.join(1).status == 200);
    assert_eq!(node.join(2).status, 503, "nobody new is taken yet");
    let (next, is_over) = (AtomicU64::new(3), AtomicBool::new(false));
    scope(|threads| {
        let _flood = Flood(&is_over);
        for _ in 0..CROWD {
            threads.spawn(|| flood(&node, &next, &is_over));
        }
        eventually("the store takes joins again", || {
            assert_ne!(node.breaker("joining"), "open");
            node.join(2).status == 200
        });
    });
}

#[test]
fn after_an_outage_somebody_inside_is_served_at_once_however_many_join() {
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
        eventually("the outage has lasted", || {
            node.dates(&inside);
            killed.elapsed() > Duration::from_secs(3)
        });
        redis.restart().unwrap();
        let back = Instant::now();
        let mut refused = Duration::ZERO;
        // Longer than the store takes no newcomers.
        while back.elapsed() < Duration::from_secs(4) {
            let asked = back.elapsed();
            if node.dates(&inside).status != 200 {
                refused = asked;
            }
            park_timeout(Duration::from_millis(20));
        }
        refused
    });
    assert!(refused < SOON, "refused {refused:?} after the store was back");
}
