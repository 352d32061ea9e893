//! Several nodes with one shared store.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use decorators::cache::{
    AnyCache as _, Cache, CacheKey, CacheSettings, CacheStore, Lease, LeaseId, LookupRequest,
    Unusable,
};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::store::Store;
use crate::support::{
    ABSENT, FRESH, Node, OLD, Origin, SETTINGS, cache, millis, node, pass, seconds, seen, settle,
};

/// Creates this many nodes.
fn nodes(count: usize, origin: &Arc<Origin>, store: &Arc<Store>) -> Vec<Cache<Node>> {
    let store = Arc::clone(store) as Arc<dyn CacheStore>;
    (0..count).map(|_| node(origin, &store, SETTINGS)).collect()
}

fn key() -> CacheKey {
    CacheKey { kind: "numbers", name: "1".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn a_cold_key_is_loaded_once_in_all_nodes() {
    let (origin, store) = (Origin::new(), Store::new());
    let nodes = nodes(3, &origin, &store);
    origin.hold();
    let asking = (0..10_000).map(|n| {
        let node = nodes[n % 3].clone();
        tokio::spawn(async move { seen(node.get(&1).await) })
    });
    let asking: Vec<_> = asking.collect();
    pass(millis(200)).await;
    origin.let_go(1);
    for answer in join_all(asking).await {
        assert_eq!(answer.unwrap(), (1, FRESH));
    }
    assert_eq!(origin.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_node_refreshes_for_all_and_all_serve_their_copies_meanwhile() {
    let (origin, store) = (Origin::new(), Store::new());
    let nodes = nodes(3, &origin, &store);
    for node in &nodes {
        node.get(&1).await.unwrap();
    }
    origin.change();
    pass(seconds(10)).await;
    origin.hold();
    for _ in 0..20 {
        for node in &nodes {
            assert_eq!(seen(node.get(&1).await), (1, FRESH));
        }
        settle().await;
    }
    assert_eq!(origin.loads(), 2);
    origin.let_go(1);
    pass(millis(60)).await;
    for node in &nodes {
        node.get(&1).await.unwrap();
    }
    pass(millis(60)).await;
    for node in &nodes {
        assert_eq!(seen(node.get(&1).await), (2, FRESH));
    }
    assert_eq!(origin.loads(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_has_the_same_age_on_every_node() {
    let (origin, store) = (Origin::new(), Store::new());
    let nodes = nodes(2, &origin, &store);
    nodes[0].get(&1).await.unwrap();
    pass(seconds(7)).await;
    assert_eq!(nodes[1].get(&1).await.unwrap().age, seconds(7));
    origin.change();
    pass(seconds(3)).await;
    nodes[1].get(&1).await.unwrap();
    settle().await;
    assert_eq!(
        seen(nodes[1].get(&1).await),
        (2, FRESH),
        "three seconds after it was copied, ten after it was loaded"
    );
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_store_does_not_stop_the_cache() {
    let (origin, store) = (Origin::new(), Store::new());
    let nodes = nodes(3, &origin, &store);
    store.set_away(true);
    for node in &nodes {
        let answers = join_all((0..100).map(|_| node.get(&1))).await;
        assert!(answers.into_iter().all(|answer| seen(answer) == (1, FRESH)));
    }
    assert_eq!(origin.loads(), 3, "one load per node");
    assert!(nodes.iter().all(|node| node.counts().shared_errors > 0));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_starts_while_the_source_is_down_serves_the_shared_copies() {
    let (origin, store) = (Origin::new(), Store::new());
    let nodes = nodes(2, &origin, &store);
    nodes[0].get(&1).await.unwrap();
    origin.set_down(true);
    pass(seconds(1_000)).await;
    assert_eq!(seen(nodes[1].get(&1).await), (1, OLD));
    let age = nodes[1].get(&1).await.unwrap().age;
    assert!((seconds(1_000)..seconds(1_001)).contains(&age), "{age:?}");
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_reaches_every_node() {
    let (origin, store) = (Origin::new(), Store::new());
    let nodes = nodes(3, &origin, &store);
    for node in &nodes {
        node.get(&1).await.unwrap();
    }
    pass(seconds(1)).await;
    origin.change();
    store.invalidate("numbers").await.unwrap();
    for node in &nodes {
        node.poll_invalidations().await.unwrap();
        assert_eq!(seen(node.get(&1).await), (2, FRESH));
    }
    assert_eq!(origin.loads(), 2, "the first node loaded for all");
}

/// Invalidates a kind while an earlier answer is loading; returns the answer the caller gets.
async fn invalidated_while_loading(put_takes: u32) -> (u32, bool) {
    let (origin, store) = (Origin::new(), Store::new());
    store.put_takes.store(put_takes, Ordering::SeqCst);
    let nodes = nodes(1, &origin, &store);
    origin.hold();
    let asking = tokio::spawn({
        let node = nodes[0].clone();
        async move { seen(node.get(&1).await) }
    });
    pass(millis(10)).await;
    origin.change();
    store.invalidate("numbers").await.unwrap();
    pass(millis(10)).await;
    nodes[0].poll_invalidations().await.unwrap();
    origin.let_go(2);
    settle().await;
    asking.await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_load_in_flight_during_an_invalidation_is_repeated() {
    assert_eq!(invalidated_while_loading(0).await, (2, FRESH), "the answer was loaded again");
}

#[tokio::test(start_paused = true)]
async fn an_invalidated_answer_is_not_served_while_its_put_is_in_flight() {
    assert_eq!(invalidated_while_loading(50).await, (2, FRESH));
}

#[tokio::test(start_paused = true)]
async fn a_late_load_does_not_replace_a_later_one_of_another_node() {
    let (origin, store) = (Origin::new(), Store::new());
    let nodes = nodes(2, &origin, &store);
    origin.hold();
    let late = tokio::spawn({
        let node = nodes[0].clone();
        async move { node.get(&1).await.map(|answer| answer.value.0) }
    });
    // The other node waits for the first as long as it may, and then loads too.
    let other = tokio::spawn({
        let node = nodes[1].clone();
        async move { seen(node.get(&1).await) }
    });
    pass(millis(400)).await;
    origin.change();
    for _ in 0..10 {
        pass(millis(50)).await;
    }
    assert_eq!(origin.loads(), 2);
    origin.let_go(2);
    assert_eq!(late.await.unwrap().unwrap(), 1);
    assert_eq!(other.await.unwrap(), (2, FRESH));
    settle().await;
    let third = self::nodes(1, &origin, &store);
    assert_eq!(seen(third[0].get(&1).await), (2, FRESH), "the store keeps the later one");
    assert_eq!(origin.loads(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_dies_while_loading_delays_the_others_only_briefly() {
    let (origin, store) = (Origin::new(), Store::new());
    let want = LookupRequest {
        fresh_for: seconds(10),
        lease: Some(Lease { id: LeaseId(1), lasts: seconds(3) }),
    };
    assert!(store.lookup(&key(), &want).await.unwrap().leased, "this lease is never used");
    let nodes = nodes(2, &origin, &store);
    let began = Instant::now();
    assert_eq!(seen(nodes[0].get(&1).await), (1, FRESH));
    let waited = began.elapsed();
    assert!((millis(500)..=millis(550)).contains(&waited), "{waited:?}");
    assert_eq!(seen(nodes[1].get(&1).await), (1, FRESH));
    assert_eq!(origin.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unusable_copy_is_a_counted_miss() {
    let (origin, store) = (Origin::new(), Store::new());
    let nodes = nodes(2, &origin, &store);
    store.kept.plant(&key(), Unusable::TooLarge);
    assert_eq!(seen(nodes[0].get(&1).await), (1, FRESH));
    assert_eq!((nodes[0].counts().unusable_size, origin.loads()), (1, 1));
    store.lies.store(true, Ordering::SeqCst);
    assert_eq!(seen(nodes[1].get(&1).await), (1, FRESH));
    assert_eq!(origin.loads(), 2);
    assert!(nodes[1].counts().unusable_corrupt > 0);
}

#[tokio::test(start_paused = true)]
async fn an_absence_is_shared_and_has_its_own_lifetime() {
    let (origin, store) = (Origin::new(), Store::new());
    let settings = CacheSettings { stale_while_refreshing: seconds(0), ..SETTINGS };
    let shared = Arc::clone(&store) as Arc<dyn CacheStore>;
    let nodes = [node(&origin, &shared, settings), node(&origin, &shared, settings)];
    for node in &nodes {
        node.get(&ABSENT).await.unwrap();
        assert_eq!(node.counts().absent, 1);
    }
    assert_eq!(origin.loads(), 1);
    pass(seconds(2)).await;
    nodes[1].get(&ABSENT).await.unwrap();
    assert_eq!(origin.loads(), 2, "although the store considers it fresh");
}

#[tokio::test(start_paused = true)]
async fn after_a_failed_load_another_node_may_load_at_once() {
    let (origin, store) = (Origin::new(), Store::new());
    let nodes = nodes(2, &origin, &store);
    origin.set_down(true);
    assert!(nodes[0].get(&1).await.is_err());
    origin.set_down(false);
    settle().await;
    let began = Instant::now();
    assert_eq!(seen(nodes[1].get(&1).await), (1, FRESH));
    assert_eq!(began.elapsed(), millis(0));
}

#[tokio::test(start_paused = true)]
async fn without_a_local_level_nodes_read_the_copies_of_the_store() {
    let (origin, store) = (Origin::new(), Store::new());
    let shared = Arc::clone(&store) as Arc<dyn CacheStore>;
    let settings = CacheSettings { local_bytes: 0, ..SETTINGS };
    let nodes = [node(&origin, &shared, settings), node(&origin, &shared, settings)];
    for _ in 0..50 {
        for node in &nodes {
            assert_eq!(seen(node.get(&1).await), (1, FRESH));
        }
    }
    assert_eq!(origin.loads(), 1);
    assert_eq!(cache(&origin, SETTINGS).local_bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_node_without_a_local_level_does_not_wait_for_the_refresh_of_another() {
    let (origin, store) = (Origin::new(), Store::new());
    let shared = Arc::clone(&store) as Arc<dyn CacheStore>;
    let settings = CacheSettings { local_bytes: 0, ..SETTINGS };
    let nodes = [node(&origin, &shared, settings), node(&origin, &shared, settings)];
    nodes[0].get(&1).await.unwrap();
    settle().await;
    pass(seconds(11)).await;
    origin.hold();
    let refreshing = tokio::spawn({
        let node = nodes[0].clone();
        async move { seen(node.get(&1).await) }
    });
    settle().await;
    let began = Instant::now();
    assert_eq!(seen(nodes[1].get(&1).await), (1, FRESH));
    assert_eq!(began.elapsed(), millis(0));
    origin.let_go(1);
    assert_eq!(refreshing.await.unwrap(), (1, FRESH));
}

#[tokio::test(start_paused = true)]
async fn while_another_node_refreshes_lookups_in_the_store_are_rate_limited() {
    let (origin, store) = (Origin::new(), Store::new());
    let nodes = nodes(2, &origin, &store);
    for node in &nodes {
        node.get(&1).await.unwrap();
    }
    pass(seconds(11)).await;
    origin.hold();
    nodes[0].get(&1).await.unwrap();
    settle().await;
    let before = store.looks.load(Ordering::SeqCst);
    for _ in 0..1_000 {
        nodes[1].get(&1).await.unwrap();
        pass(millis(1)).await;
    }
    let looks = store.looks.load(Ordering::SeqCst) - before;
    assert!((15..=25).contains(&looks), "{looks} lookups in a second");
}

#[tokio::test(start_paused = true)]
async fn the_same_copy_from_the_store_does_not_postpone_a_refresh_ahead() {
    let (origin, store) = (Origin::new(), Store::new());
    let shared = Arc::clone(&store) as Arc<dyn CacheStore>;
    let settings = CacheSettings { refresh_ahead: 0.8, ..SETTINGS };
    let nodes = [node(&origin, &shared, settings), node(&origin, &shared, settings)];
    for node in &nodes {
        node.get(&1).await.unwrap();
    }
    origin.change();
    pass(seconds(8)).await;
    let looks = store.looks.load(Ordering::SeqCst);
    for _ in 0..100 {
        for node in &nodes {
            node.get(&1).await.unwrap();
        }
        settle().await;
    }
    assert_eq!(origin.loads(), 2, "one of the nodes has loaded");
    assert!(nodes.iter().all(|node| node.counts().outrun == 0));
    let looked = store.looks.load(Ordering::SeqCst) - looks;
    assert!(looked <= 4, "{looked} lookups");
    pass(millis(60)).await;
    for node in &nodes {
        node.get(&1).await.unwrap();
        settle().await;
        assert_eq!(seen(node.get(&1).await), (2, FRESH));
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_being_refreshed_elsewhere_stays_marked_if_its_refresh_failed_here() {
    let (origin, store) = (Origin::new(), Store::new());
    let nodes = nodes(2, &origin, &store);
    for node in &nodes {
        node.get(&1).await.unwrap();
    }
    origin.set_down(true);
    pass(seconds(11)).await;
    nodes[0].get(&1).await.unwrap();
    settle().await;
    assert_eq!(seen(nodes[0].get(&1).await), (1, OLD));
    pass(seconds(1)).await;
    // The other node starts a slow refresh; this one finds the copy being refreshed.
    origin.hold();
    nodes[1].get(&1).await.unwrap();
    settle().await;
    for _ in 0..20 {
        assert_eq!(seen(nodes[0].get(&1).await), (1, OLD));
        pass(millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_newer_copy_of_the_store_is_used_while_it_is_being_refreshed() {
    let (origin, store) = (Origin::new(), Store::new());
    let nodes = nodes(2, &origin, &store);
    for node in &nodes {
        node.get(&1).await.unwrap();
    }
    // One node gets no calls for a while, and the other does.
    pass(seconds(50)).await;
    origin.change();
    nodes[0].get(&1).await.unwrap();
    settle().await;
    for age in [9, 2] {
        pass(seconds(age)).await;
        origin.hold();
        nodes[0].get(&1).await.unwrap();
        settle().await;
    }
    assert_eq!(seen(nodes[1].get(&1).await), (2, FRESH));
}
