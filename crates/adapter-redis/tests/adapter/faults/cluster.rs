//! A cluster in which primaries die and slots migrate.

use std::sync::Arc;
use std::time::Duration;

use adapter_redis::{ConnectionSettings, RedisQueueSettings};
use contracts::history::Rules;
use domain::queue::{QueueId, UserId};
use test_support::RedisCluster;
use tokio::time::Instant;

use super::{blocking, brisk_settings};
use crate::storm::{Crowd, rules, until, user};
use crate::support::{PATIENT, binaries, cluster, line_key, new_queue};

const PEOPLE: u64 = 400;

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_primary_stops_its_own_queue_only_until_its_replica_takes_over() {
    let servers = blocking(|| RedisCluster::start(&binaries(), 3, 1));
    let here = quick(brisk_settings().queue);
    // Ignores errors of a busy machine.
    let there = RedisQueueSettings {
        queue: queue_elsewhere(&servers, here.queue),
        connection: PATIENT,
        ..brisk_settings()
    };
    let address = cluster(&servers.addresses());
    let broken = Crowd::before(3, &address, &here).await;
    let whole = Crowd::before(2, &address, &there).await;
    let storm = broken.storm(PEOPLE, Duration::from_secs(3));
    let calm = whole.storm(PEOPLE, Duration::from_secs(10));
    broken.until("join", "number", PEOPLE / 4).await;

    let key = line_key(here.queue);
    let primary = blocking(|| servers.primary_of(&key));
    blocking(|| servers.nodes()[primary].kill());
    every_call_ends_in_time(&broken, user(PEOPLE + 1), here.connection.answer).await;
    storm.ends(&Rules { position_slack: PEOPLE / 10, ..rules() }).await;
    assert!(broken.count("join", "refused") > 0, "no join was refused");
    calm.ends(&rules()).await;
    assert_eq!(whole.errors(), 0, "the other queue: {}", whole.history.summary());
}

fn quick(queue: QueueId) -> RedisQueueSettings {
    let answer = Duration::from_millis(500);
    let connection = ConnectionSettings { connect: answer, answer, max_in_flight: 10_000 };
    RedisQueueSettings { queue, connection, ..brisk_settings() }
}

/// A queue on another primary.
fn queue_elsewhere(servers: &RedisCluster, than: QueueId) -> QueueId {
    let primary = |queue| blocking(|| servers.primary_of(&line_key(queue)));
    let here = primary(than);
    std::iter::repeat_with(new_queue).find(|queue| primary(*queue) != here).unwrap()
}

/// Waits until joins are taken again, including this user's, who is then admitted.
async fn every_call_ends_in_time(crowd: &Arc<Crowd>, by: UserId, limit: Duration) {
    let slack = Duration::from_secs(2);
    until("the replica takes over", async || {
        let requested = Instant::now();
        let joined = crowd.try_join(by, 0).await;
        assert!(requested.elapsed() < limit + slack, "an answer took {:?}", requested.elapsed());
        joined.is_ok()
    })
    .await;
    let number = crowd.join(by).await;
    crowd.go_in(by, number).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_moves_under_load_causes_no_errors() {
    let servers = blocking(|| RedisCluster::start(&binaries(), 2, 0));
    let answer = Duration::from_secs(10);
    let connection = ConnectionSettings { connect: answer, answer, max_in_flight: 10_000 };
    let settings = RedisQueueSettings { connection, ..brisk_settings() };
    let crowd = Crowd::before(3, &cluster(&servers.addresses()), &settings).await;
    let storm = crowd.storm(PEOPLE, Duration::from_secs(4));
    crowd.until("join", "number", PEOPLE / 10).await;
    let key = line_key(settings.queue);
    let first = blocking(|| servers.primary_of(&key));
    for (newcomer, to) in (1_001..).zip([1 - first, first, 1 - first, first, 1 - first]) {
        blocking(|| servers.move_slot_of(&key, to));
        for via in 0..3 {
            crowd.try_join(user(newcomer), via).await.unwrap();
        }
    }
    // The newcomers are never admitted.
    storm.ends(&Rules { is_drained: false, ..rules() }).await;
    assert_eq!(crowd.errors(), 0, "there were errors: {}", crowd.history.summary());
}
