//! The service with its queue in Redis: several nodes as processes, and what survives when they are
//! killed.

mod balancer;
mod breakers;
mod health;
mod keys;
mod loss;
mod node;
mod outage;
mod rehearsal;
mod safety;
mod storm;
mod tls;

use std::time::{Duration, Instant};

use self::node::{Node, UNHURRIED, redis};
use crate::support::eventually;
use test_support::RedisSetup;

/// Within this time a node sees a change made on another node, or refuses.
const SEEN_WITHIN: Duration = Duration::from_secs(1);

#[test]
fn tokens_are_valid_on_every_node_and_a_released_place_ends_on_all_within_a_second() {
    let redis = redis(RedisSetup::default());
    let [first, second] = [(); 2].map(|()| Node::on(&redis, &UNHURRIED));
    for user in 1..=5 {
        let token = first.token_of(user);
        assert_eq!(first.dates(&token).status, 200);
        eventually("the other node has seen it", || {
            second.query(&token).word("status") == "ACTIVE"
        });
        assert_eq!(second.leave(&token).status, 204);
        let left = Instant::now();
        eventually("the other node refuses", || {
            let requested = left.elapsed();
            let answer = first.dates(&token);
            assert!(
                answer.status != 200 || requested < SEEN_WITHIN,
                "admitted {requested:?} after leaving"
            );
            answer.status == 410
        });
        assert_eq!(first.query(&token).word("status"), "EXPIRED");
    }
}

#[test]
fn a_user_has_the_same_place_on_every_node() {
    let redis = redis(RedisSetup::default());
    let standing_still = ["queue.policy.batch=1", "queue.policy.every=1h"];
    let settings = [&standing_still[..], &UNHURRIED].concat();
    let nodes = [(); 3].map(|()| Node::on(&redis, &settings));
    for user in 1..=30 {
        let numbers = nodes.each_ref().map(|node| node.join(user).number("number"));
        assert_eq!(numbers, [user; 3]);
    }
    let token = nodes[0].token_of(30);
    let positions = nodes.each_ref().map(|node| node.query(&token).number("position"));
    assert_eq!(positions, [29; 3]);
}
