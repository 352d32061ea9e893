//! The cache as users and operators see it: several nodes, one database, one Redis for the cache.

use std::time::{Duration, Instant};

use test_support::{Database, Redis, RedisBinaries, RedisSetup};

use crate::postgres::database;
use crate::program::{boxoffice, text};
use crate::support::{TestApp, eventually};

/// Entries outlive a test unless it overrides these settings.
const LASTING: [&str; 6] = [
    "catalog.store=postgres",
    "cache.store=redis",
    KEY,
    "cache.concerts.ttl=1h",
    "cache.dates.ttl=1h",
    UNHURRIED,
];

/// A busy machine must not be taken for a Redis that does not answer.
const UNHURRIED: &str = "redis.cache.timeout=5s";

/// Signs the shared cache entries.
const KEY: &str = "queue.keys=c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA";

fn redis() -> Redis {
    Redis::start(&RedisBinaries::find().unwrap(), RedisSetup::default()).unwrap()
}

fn node(database: &Database, redis: &Redis, more: &[&str]) -> TestApp {
    let postgres = format!("postgres.url={}", database.url());
    let copies = format!("redis.cache.url=redis://{}", redis.address());
    TestApp::start(&[&LASTING[..], &[&postgres, &copies], more].concat())
}

fn first_page(node: &TestApp) -> String {
    let answer = node.request("GET", "/concerts/query", &[]);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text
}

fn count(node: &TestApp, kind: &str, counter: &str) -> u64 {
    node.ops("/protection").json()["caches"][kind][counter].as_u64().unwrap()
}

#[test]
fn nodes_share_loaded_pages_and_an_invalidation_reaches_all_within_a_second() {
    let (database, redis) = (database(), redis());
    let nodes = [(); 3].map(|()| node(&database, &redis, &[]));
    let before = first_page(&nodes[0]);
    database.sql("UPDATE concerts SET title = 'The new title' WHERE id = 1").unwrap();
    for node in &nodes {
        assert_eq!(first_page(node), before, "kept");
    }
    assert_eq!(nodes.each_ref().map(|node| count(node, "concerts", "loads")), [1, 0, 0]);

    let url = format!("redis.cache.url=redis://{}", redis.address());
    let settings = ["--set", "cache.store=redis", "--set", &url, "--set", KEY, "--set", UNHURRIED];
    let said = boxoffice(&[&["cache", "invalidate", "concerts"], &settings[..]].concat(), &[]);
    assert_eq!((text(&said.stdout), text(&said.stderr)), ("invalidated: concerts\n", ""));
    let reported = Instant::now();
    eventually("every node has seen the invalidation", || {
        nodes.iter().all(|node| first_page(node).contains("The new title"))
    });
    // A second, and time for a busy machine.
    assert!(reported.elapsed() < Duration::from_secs(3), "{:?}", reported.elapsed());
    let loads: u64 = nodes.iter().map(|node| count(node, "concerts", "loads")).sum();
    assert_eq!(loads, 2, "one node has loaded it for all");
}

/// As if another sale, or a rehearsal, used the same Redis.
#[test]
fn entries_of_another_deployment_are_never_served() {
    let (ours, theirs, redis) = (database(), database(), redis());
    theirs.sql("UPDATE concerts SET title = 'The other sale' WHERE id = 1").unwrap();
    let other_key = "queue.keys=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    let neighbours =
        [&[other_key][..], &["queue.id=other"]].map(|more| node(&theirs, &redis, more));
    for neighbour in &neighbours {
        assert!(first_page(neighbour).contains("The other sale"));
    }
    let node = node(&ours, &redis, &[]);
    assert!(!first_page(&node).contains("The other sale"), "a page of the other sale");
    assert_eq!(count(&node, "concerts", "unusableForeign"), 1);
    assert_eq!(count(&node, "concerts", "loads"), 1);
}

#[test]
fn a_burst_on_a_cold_page_causes_one_load_over_all_nodes() {
    let (database, redis) = (database(), redis());
    // Timeouts that a busy machine keeps too.
    let patient = [
        "cache.lease=11s",
        "cache.lease_wait=10s",
        "cache.concerts.load_limit=10s",
        "limits.concerts.timeout=9s",
        "postgres.statement_timeout=8s",
        "postgres.lock_timeout=8s",
        "http.request_timeout=25s",
        "redis.cache.timeout=1500ms",
        "redis.cache.pool.acquire_timeout=1500ms",
        "limits.cache.timeout=2s",
        "breaker.cache.mode=off",
    ];
    let nodes = [(); 3].map(|()| node(&database, &redis, &patient));
    // No request is answered before all have arrived.
    let held = database.hold("LOCK TABLE concerts").unwrap();
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..48)
            .map(|n| {
                scope.spawn({
                    let node = &nodes[n % 3];
                    move || first_page(node)
                })
            })
            .collect();
        eventually("all have missed", || {
            nodes.iter().map(|node| count(node, "concerts", "misses")).sum::<u64>() == 48
        });
        drop(held);
        let pages: Vec<String> = asking.into_iter().map(|asking| asking.join().unwrap()).collect();
        assert!(pages.iter().all(|page| page == &pages[0]));
    });
    assert_eq!(nodes.iter().map(|node| count(node, "concerts", "loads")).sum::<u64>(), 1);
}

#[test]
fn dates_and_missing_concerts_are_cached_too() {
    let (database, redis) = (database(), redis());
    let node = node(&database, &redis, &["cache.dates.absent_ttl=1h"]);
    let token = node.token_of(1);
    let before = node.dates("451", &token);
    database.sql("UPDATE seats SET state = 'sold' WHERE schedule_id = 4511").unwrap();
    assert_eq!(node.dates("451", &token).text, before.text);
    for _ in 0..3 {
        assert_eq!(node.dates("999999", &token).status, 404);
    }
    assert_eq!((count(&node, "dates", "loads"), count(&node, "dates", "absent")), (2, 3));
}

#[test]
fn all_pages_beyond_the_end_share_one_load() {
    let (database, redis) = (database(), redis());
    let node = node(&database, &redis, &[]);
    first_page(&node);
    for page in 100..200 {
        assert_eq!(node.request("GET", &format!("/concerts/query?page={page}"), &[]).text, "[]");
    }
    assert_eq!(count(&node, "concerts", "loads"), 2);
}

#[test]
fn every_layer_can_be_disabled() {
    let nothing = [
        "cache.store=none",
        "cache.concerts.local_bytes=0",
        "cache.dates.local_bytes=0",
        "breaker.joining.mode=off",
        "breaker.queue.mode=off",
        "breaker.catalog.mode=off",
        "breaker.cache.mode=off",
        "limits.queue.timeout=0s",
        "limits.concerts.timeout=0s",
        "limits.concerts.concurrent=0",
        "limits.dates.timeout=0s",
        "limits.dates.concurrent=0",
        "limits.cache.timeout=0s",
        "retry.attempts=1",
        "overload.joining.limit=0",
        "overload.asking.limit=0",
        "overload.reading.limit=0",
    ];
    let app = TestApp::start(&nothing);
    assert_eq!(app.request("GET", "/concerts/query", &[]).status, 200);
    assert_eq!(app.dates("451", &app.token_of(1)).status, 200);
    let shown = app.ops("/protection").json();
    assert_eq!(shown["breakers"], serde_json::json!({}));
    assert_eq!(shown["bulkheads"], serde_json::json!({}));
    assert_eq!(
        (&shown["retries"], &shown["caches"]["concerts"]["hits"]),
        (&serde_json::Value::Null, &0.into())
    );
}

#[test]
fn a_breaker_forced_open_refuses_every_call_and_one_with_metrics_only_none() {
    let forced = TestApp::start(&["breaker.catalog.mode=forced-open"]);
    let refused = forced.request("GET", "/concerts/query", &[]);
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "{refused:?}");
    assert_eq!(forced.ops("/protection").json()["breakers"]["catalog"]["state"], "forced_open");
    let measuring = TestApp::start(&["breaker.catalog.mode=metrics-only"]);
    assert_eq!(measuring.request("GET", "/concerts/query", &[]).status, 200);
    let shown = measuring.ops("/protection").json();
    assert_eq!(shown["breakers"]["catalog"]["state"], "metrics_only");
    assert_eq!(shown["breakers"]["catalog"]["successful"], 1);
}

#[test]
fn without_a_shared_store_the_invalidate_command_is_refused() {
    let said = boxoffice(&["cache", "invalidate"], &[]);
    assert_eq!(said.status.code(), Some(2));
    assert!(
        text(&said.stderr).starts_with("boxoffice: configuration: cache.store is not \"redis\"")
    );
}
