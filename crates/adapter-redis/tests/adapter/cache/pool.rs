//! The state of a cache's connections.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapter_redis::{CachePoolSettings, PoolState, RedisCacheDependency, RedisCacheStore};
use domain::{HealthCheck as _, PortErrorKind};
use tokio::task::JoinSet;

use super::support::{PATIENT, key, lookup, store};
use crate::faults::{blocking, server};
use crate::storm::until;
use crate::support::{CLUSTER, cluster, single};

const ACQUIRE: Duration = Duration::from_secs(2);

/// Records how long calls waited.
fn listen(store: &RedisCacheStore) -> Arc<Mutex<Vec<Duration>>> {
    let waits = Arc::<Mutex<Vec<Duration>>>::default();
    let received = Arc::clone(&waits);
    store.on_wait(Arc::new(move |wait| received.lock().unwrap().push(wait)));
    waits
}

async fn is(store: &RedisCacheStore, expected: PoolState) {
    until(&format!("{expected:?}"), async || store.state() == expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_counts_connections_waiting_calls_and_timeouts() {
    let redis = server();
    let settings =
        CachePoolSettings { size: 2, min_idle: 2, acquire: ACQUIRE, max_waiting: 3, ..PATIENT };
    let store = store(&single(redis.address()), settings);
    let waits = listen(&store);
    store.on_wait(Arc::new(|_| panic!("the first listener stays")));
    let idle = PoolState { size: 2, connections: 2, idle: 2, waiting: 0, timeouts: 0 };
    is(&store, idle).await;
    blocking(|| redis.freeze());
    let mut requested = JoinSet::new();
    for _question in 0..5 {
        let store = store.clone();
        requested.spawn(async move { lookup(&store, &key("a")).await });
    }
    is(&store, PoolState { idle: 0, waiting: 3, ..idle }).await;
    assert_eq!(lookup(&store, &key("a")).await.unwrap_err().kind(), PortErrorKind::Overloaded);
    assert_eq!(store.state().timeouts, 1, "a call refused without waiting");
    for _waited in 0..3 {
        let refused = requested.join_next().await.unwrap().unwrap().unwrap_err();
        assert_eq!(refused.kind(), PortErrorKind::Overloaded);
    }
    is(&store, PoolState { idle: 0, timeouts: 4, ..idle }).await;
    blocking(|| redis.thaw());
    requested.join_all().await.into_iter().for_each(|answer| drop(answer.unwrap()));
    is(&store, PoolState { timeouts: 4, ..idle }).await;
    let waits = waits.lock().unwrap();
    let in_vain = waits.iter().filter(|wait| **wait >= ACQUIRE).count();
    assert_eq!((waits.len(), in_vain), (5, 3), "{waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_sums_the_primaries_of_a_cluster() {
    let store = store(&cluster(&CLUSTER.addresses()), PATIENT);
    assert_eq!(
        store.state(),
        PoolState { size: 0, connections: 0, idle: 0, waiting: 0, timeouts: 0 }
    );
    let waits = listen(&store);
    for name in 0..30 {
        lookup(&store, &key(name)).await.unwrap();
    }
    until("they are connected", async || {
        let state = store.state();
        let pools = state.size / PATIENT.size;
        pools >= 3
            && state.connections >= 3
            && state.idle == state.connections
            && state.waiting == 0
    })
    .await;
    assert!(waits.lock().unwrap().len() >= 30);
    RedisCacheDependency::new(store.clone()).check().await.unwrap();
    assert!(store.memory().unwrap().used > 100_000, "{:?}", store.memory());
}
