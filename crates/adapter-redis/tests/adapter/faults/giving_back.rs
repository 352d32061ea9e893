//! A session released on one node, while another answers from memory.

use std::time::Duration;

use domain::Timestamp;
use domain::queue::{PlaceStatus, QueueCounters, QueueError, QueueStore, TokenClaims};
use tokio::time::Instant;

use super::brisk_settings;
use crate::storm::{Crowd, Node, pause, until, user};
use crate::support::{SINGLE, get_ready, single};

#[tokio::test(flavor = "multi_thread")]
async fn a_session_released_on_one_node_is_gone_on_another_within_a_second() {
    let crowd = Crowd::before(2, &single(SINGLE.address()), &brisk_settings()).await;
    for person in (1..=10).map(user) {
        let number = crowd.join(person).await;
        let session = crowd.go_in(person, number).await;
        until("the other node knows the session", async || {
            crowd.admit(person, number, 1).await.is_ok_and(|same| same.until.at == session.until.at)
        })
        .await;
        crowd.go(person, number).await;
        let released = Instant::now();
        while !matches!(crowd.admit(person, number, 1).await, Err(QueueError::Gone)) {
            assert!(released.elapsed() < Duration::from_secs(1), "it still admits {person}");
            pause().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_misses_changes_stops_answering_from_memory() {
    let settings = brisk_settings();
    let address = single(SINGLE.address());
    let (here, there) = (Node::open(&address, &settings), Node::open(&address, &settings));
    for node in [&here, &there] {
        get_ready(&node.store).await;
    }
    let joined = here.store.join(user(1), None, domain::queue::NumberBounds::NONE).await.unwrap();
    let place = TokenClaims {
        queue: settings.queue,
        incarnation: joined.incarnation,
        number: joined.number,
        user: user(1),
        issued_at: Timestamp::UNIX_EPOCH,
    };
    here.store.claim(&place).await.unwrap();
    there.stop_looking();
    let _ = there.store.snapshot(QueueCounters::START).await.unwrap();
    assert!(matches!(there.store.place_status(&place).await.unwrap(), PlaceStatus::Active { .. }));
    here.store.release(&place).await.unwrap();
    let released = Instant::now();
    until("it asks the store", async || {
        there.store.place_status(&place).await.unwrap() == PlaceStatus::Gone
    })
    .await;
    assert!(released.elapsed() < settings.remember * 3, "after {:?}", released.elapsed());
}
