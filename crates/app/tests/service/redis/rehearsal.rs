//! Tokens of a rehearsal (the same key, the same queue id), presented to a new queue.

use std::thread;
use std::time::{Duration, Instant};

use test_support::{Redis, RedisSetup};

use super::node::{Node, UNHURRIED, redis};
use crate::support::{Answer, eventually};

const STANDING_STILL: [&str; 5] =
    ["queue.policy.batch=1", "queue.policy.every=1h", UNHURRIED[0], UNHURRIED[1], UNHURRIED[2]];

/// The tokens of `people` users who joined a queue that is lost with its nodes.
fn rehearsal(redis: &Redis, people: u64) -> Vec<String> {
    let mut node = Node::on(redis, &STANDING_STILL);
    let tokens = (1..=people).map(|user| node.token_of(user)).collect();
    node.stop();
    redis.command(&["FLUSHALL"]).unwrap();
    tokens
}

#[test]
fn rehearsal_tokens_do_not_block_joins() {
    /// Longer than the period in which a new queue adopts presented tokens.
    const FOR: Duration = Duration::from_secs(8);
    let redis = redis(RedisSetup::default());
    // Each number exceeds all numbers issued meanwhile, and all presented before.
    let tokens = rehearsal(&redis, 1_000);
    let mut tokens = tokens.into_iter().skip(319).step_by(32);
    let nodes = [(); 2].map(|()| Node::on(&redis, &STANDING_STILL));
    let (begun, mut next_token) = (Instant::now(), Duration::ZERO);
    let mut answers = Vec::new();
    for user in 1_001.. {
        let passed = begun.elapsed();
        if passed >= FOR {
            break;
        }
        if passed >= next_token {
            next_token += Duration::from_millis(400);
            let status = nodes[0].query(&tokens.next().unwrap()).status;
            assert!(matches!(status, 200 | 401), "{status}");
        }
        answers.push(nodes[user % 2].join(user as u64).status);
        // Slow enough for every limit by address.
        thread::park_timeout(Duration::from_millis(25));
    }
    let good = answers.iter().filter(|status| **status == 200).count();
    assert_eq!(good, answers.len(), "joins answered: {answers:?}");
    assert!(good >= 50, "{good}");
}

#[test]
fn a_rehearsal_token_does_not_push_new_users_back() {
    let redis = redis(RedisSetup::default());
    let tokens = rehearsal(&redis, 1_000);
    let node = Node::on(&redis, &STANDING_STILL);
    assert_eq!(node.query(&tokens[999]).status, 200, "the queue is still new");
    eventually("a user joins", || node.join(2_001).status == 200);
    // The user who presented a token waits too.
    for (user, max) in (2_001..=2_010).zip(2..) {
        let joined = node.join(user);
        assert_eq!(joined.status, 200, "{joined:?}");
        assert!(joined.number("position") <= max, "{joined:?}, of {max} users");
    }
}

#[test]
fn a_rehearsal_token_does_not_fill_the_queue() {
    let redis = redis(RedisSetup::default());
    let tokens = rehearsal(&redis, 60);
    let node = Node::on(&redis, &[&STANDING_STILL[..], &["queue.policy.max_waiting=50"]].concat());
    assert_eq!(node.query(&tokens[54]).status, 200, "the queue is still new");
    eventually("a user joins", || node.join(2_001).status == 200);
    assert_eq!(node.join(2_002).status, 200);
}

fn is_invalid(answer: &Answer) -> bool {
    (answer.status, answer.text.contains("TOKEN_INVALID")) == (401, true)
}

#[test]
fn a_started_queue_refuses_rehearsal_tokens() {
    let redis = redis(RedisSetup::default());
    let tokens = rehearsal(&redis, 3);
    let node = Node::on(&redis, &STANDING_STILL);
    eventually("its adoption period is over", || {
        let until = redis.command(&["HGET", "boxoffice:{main}:line", "adopts_until"]).unwrap();
        until.trim() == "0"
    });
    eventually("the node has noticed", || is_invalid(&node.query(&tokens[2])));
    for token in &tokens {
        for refused in [node.query(token), node.dates(token), node.leave(token)] {
            assert!(is_invalid(&refused), "{refused:?}");
        }
    }
    assert_eq!(node.join(1).number("number"), 1, "the tokens have moved nothing");
}

#[test]
fn a_new_queue_adopts_only_the_first_incarnation_presented() {
    let redis = redis(RedisSetup::default());
    let (first, second) = (rehearsal(&redis, 5), rehearsal(&redis, 9));
    let node = Node::on(&redis, &STANDING_STILL);
    assert_eq!(node.query(&first[4]).word("status"), "WAITING");
    eventually("the node has noticed", || is_invalid(&node.query(&second[8])));
    for (number, token) in (1..).zip(&first) {
        let waits = node.query(token);
        assert_eq!((waits.status, waits.number("number")), (200, number), "{waits:?}");
    }
    let joined = node.join(100).number("number");
    assert!(joined > 5, "{joined} may have been issued before");
}

#[test]
fn a_lost_redis_invalidates_no_token_while_a_node_lives() {
    let redis = redis(RedisSetup::default());
    let node = Node::on(&redis, &STANDING_STILL);
    let tokens: Vec<String> = (1..=5).map(|user| node.token_of(user)).collect();
    redis.command(&["FLUSHALL"]).unwrap();
    let are_good = || {
        for token in &tokens {
            let answer = node.query(token);
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    };
    eventually("joins are accepted again", || {
        are_good();
        node.join(6).status == 200
    });
    are_good();
    assert_eq!(node.join(6).number("number"), 6);
    assert_eq!(node.query(&tokens[4]).number("position"), 4);
}
