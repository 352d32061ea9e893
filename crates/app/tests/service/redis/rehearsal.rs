//! Tokens of a rehearsal (the same key, the same queue id), shown to a queue that begins anew.

use std::thread;
use std::time::{Duration, Instant};

use test_support::{Redis, RedisSetup};

use super::node::{Node, UNHURRIED, redis};
use crate::support::{Answer, eventually};

const STANDING_STILL: [&str; 5] =
    ["queue.policy.batch=1", "queue.policy.every=1h", UNHURRIED[0], UNHURRIED[1], UNHURRIED[2]];

/// The tokens of so many people who joined a queue that is lost now, with its nodes.
fn rehearsal(redis: &Redis, people: u64) -> Vec<String> {
    let mut node = Node::on(redis, &STANDING_STILL);
    let tokens = (1..=people).map(|user| node.token_of(user)).collect();
    node.stop();
    redis.command(&["FLUSHALL"]).unwrap();
    tokens
}

#[test]
fn tokens_of_a_rehearsal_close_no_joins() {
    /// Longer than a fresh queue may adopt what tokens show.
    const FOR: Duration = Duration::from_secs(8);
    let redis = redis(RedisSetup::default());
    // Each is above all numbers that are given meanwhile, and above those shown before.
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
        // A pace that no limit by address stops.
        thread::park_timeout(Duration::from_millis(25));
    }
    let good = answers.iter().filter(|status| **status == 200).count();
    assert_eq!(good, answers.len(), "joins answered: {answers:?}");
    assert!(good >= 50, "{good}");
}

#[test]
fn the_number_of_a_rehearsal_token_puts_nobody_behind_phantoms() {
    let redis = redis(RedisSetup::default());
    let tokens = rehearsal(&redis, 1_000);
    let node = Node::on(&redis, &STANDING_STILL);
    assert_eq!(node.query(&tokens[999]).status, 200, "the queue knows nothing yet");
    eventually("somebody joins", || node.join(2_001).status == 200);
    // The one who showed a token waits too.
    for (user, most) in (2_001..=2_010).zip(2..) {
        let joined = node.join(user);
        assert_eq!(joined.status, 200, "{joined:?}");
        assert!(joined.number("position") <= most, "{joined:?}, of {most} people");
    }
}

#[test]
fn the_number_of_a_rehearsal_token_fills_no_queue() {
    let redis = redis(RedisSetup::default());
    let tokens = rehearsal(&redis, 60);
    let node = Node::on(&redis, &[&STANDING_STILL[..], &["queue.policy.max_waiting=50"]].concat());
    assert_eq!(node.query(&tokens[54]).status, 200, "the queue knows nothing yet");
    eventually("somebody joins", || node.join(2_001).status == 200);
    assert_eq!(node.join(2_002).status, 200);
}

fn is_invalid(answer: &Answer) -> bool {
    (answer.status, answer.text.contains("TOKEN_INVALID")) == (401, true)
}

#[test]
fn a_queue_that_has_begun_refuses_the_tokens_of_a_rehearsal() {
    let redis = redis(RedisSetup::default());
    let tokens = rehearsal(&redis, 3);
    let node = Node::on(&redis, &STANDING_STILL);
    eventually("its time to adopt is over", || {
        let until = redis.command(&["HGET", "boxoffice:{main}:line", "adopts_until"]).unwrap();
        until.trim() == "0"
    });
    eventually("the node knows", || is_invalid(&node.query(&tokens[2])));
    for token in &tokens {
        for refused in [node.query(token), node.dates(token), node.leave(token)] {
            assert!(is_invalid(&refused), "{refused:?}");
        }
    }
    assert_eq!(node.join(1).number("number"), 1, "and they have moved nothing");
}

#[test]
fn a_fresh_queue_adopts_the_first_life_it_is_shown_and_no_other() {
    let redis = redis(RedisSetup::default());
    let (first, second) = (rehearsal(&redis, 5), rehearsal(&redis, 9));
    let node = Node::on(&redis, &STANDING_STILL);
    assert_eq!(node.query(&first[4]).word("status"), "WAITING");
    eventually("the node knows", || is_invalid(&node.query(&second[8])));
    for (number, token) in (1..).zip(&first) {
        let waits = node.query(token);
        assert_eq!((waits.status, waits.number("number")), (200, number), "{waits:?}");
    }
    let joined = node.join(100).number("number");
    assert!(joined > 5, "{joined} may have been given");
}

#[test]
fn a_lost_redis_costs_no_token_while_a_node_lives() {
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
    eventually("joins are taken again", || {
        are_good();
        node.join(6).status == 200
    });
    are_good();
    assert_eq!(node.join(6).number("number"), 6);
    assert_eq!(node.query(&tokens[4]).number("position"), 4);
}
