//! A server that dies and comes back with its persisted data.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::queue::UserId;
use test_support::{Redis, RedisSetup};
use tokio::task::JoinSet;

use super::{blocking, brisk_settings, server};
use crate::storm::{Crowd, pause, rules, user};
use crate::support::{binaries, single};

const PEOPLE: u64 = 400;
const NODES: u64 = 3;
/// Within the limit of sessions.
const PEOPLE_INSIDE: u64 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_redis_is_killed_twice_under_load() {
    let redis = server();
    let crowd = Crowd::before(3, &single(redis.address()), &brisk_settings()).await;
    let storm = crowd.storm(PEOPLE, Duration::from_secs(3));
    for people in [PEOPLE / 4, PEOPLE / 2] {
        crowd.until("join", "number", people).await;
        blocking(|| redis.kill());
        // So that the crash is noticed.
        let refused = crowd.count("join", "refused");
        crowd.until("join", "refused", refused + 1).await;
        blocking(|| redis.restart());
    }
    storm.ends(&rules()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_of_one_token_through_every_node_while_redis_dies_are_one_session() {
    // Synced before each answer, so that no claim is lost and repeated.
    let setup = RedisSetup::default().line("appendfsync always");
    let redis = blocking(|| Redis::start(&binaries(), setup));
    let crowd = Crowd::before(3, &single(redis.address()), &brisk_settings()).await;
    let mut claims = JoinSet::new();
    for person in (1..=PEOPLE_INSIDE).map(user) {
        let number = crowd.join(person).await;
        for via in 0..NODES {
            let crowd = Arc::clone(&crowd);
            claims.spawn(async move {
                loop {
                    match crowd.admit(person, number, via).await {
                        Ok(session) => return (person, session.until.at),
                        Err(_) => pause().await,
                    }
                }
            });
        }
    }
    crowd.until("admit", "let-in", NODES * 10).await;
    blocking(|| redis.restart());
    let sessions: BTreeSet<_> = claims.join_all().await.into_iter().collect();
    assert_eq!(
        sessions.len(),
        usize::try_from(PEOPLE_INSIDE).unwrap(),
        "each has one session with one end on every node"
    );
    let holders: BTreeSet<UserId> = (1..=PEOPLE_INSIDE).map(user).collect();
    crowd.judge(&holders, &rules()).await;
}
