//! The program on real dependencies: the metrics it exports are exactly those in the catalog.

use telemetry::metrics::catalog::FAMILIES;
use telemetry::metrics::{Kind, Metric};
use test_support::{Database, Redis, RedisBinaries, RedisSetup};

use super::scrape::Scrape;
use crate::postgres::database;
use crate::program::Serving;
use crate::support::{agent, eventually, send};

/// The program on a database and two Redis, after a request to every route.
pub(super) struct Whole {
    serving: Serving,
    _stores: (Database, Redis, Redis),
}

impl Whole {
    pub(super) fn start() -> Self {
        let binaries = RedisBinaries::find().unwrap();
        let redis = || Redis::start(&binaries, RedisSetup::default()).unwrap();
        let (database, line, copies) = (database(), redis(), redis());
        let settings = [
            "catalog.store=postgres".to_owned(),
            format!(
                "postgres.url=postgres://postgres@{}/{}",
                database.server_address().unwrap(),
                database.name()
            ),
            "queue.store=redis".to_owned(),
            format!("redis.queue.url=redis://{}", line.address()),
            "queue.keys=c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA".to_owned(),
            "queue.checkpoint.store=postgres".to_owned(),
            "cache.store=redis".to_owned(),
            format!("redis.cache.url=redis://{}", copies.address()),
            // A breaker has rates only after this many calls.
            "breaker.joining.minimum_calls=1".to_owned(),
            "ops.check_every=100ms".to_owned(),
        ];
        let words: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        let whole = Self { serving: Serving::start(&words), _stores: (database, line, copies) };
        whole.request_everything();
        whole
    }

    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let url = format!("http://{}/api/v1{path}", self.serving.public);
        let answer = send(&agent(), method, &url, headers, &[]);
        (answer.status, answer.text)
    }

    fn request_everything(&self) {
        eventually("joining works", || {
            self.request("POST", "/user/1/queue/token/issue", &[]).0 == 200
        });
        let (_, ticket) = self.request("POST", "/user/2/queue/token/issue", &[]);
        let ticket: serde_json::Value = serde_json::from_str(&ticket).unwrap();
        let token = [("waitingToken", ticket["waitingToken"].as_str().unwrap())];
        assert_eq!(self.request("GET", "/user/queue/token/query", &token).0, 200);
        assert_eq!(self.request("GET", "/concert/451/date", &token).0, 200);
        assert_eq!(self.request("GET", "/concerts/query", &[]).0, 200);
        assert_eq!(self.request("DELETE", "/user/queue/token", &token).0, 204);
    }

    pub(super) fn scrape(&self) -> Scrape {
        Scrape(
            send(&agent(), "GET", &format!("http://{}/metrics", self.serving.ops), &[], &[]).text,
        )
    }

    /// A scrape after the first health check of every dependency.
    pub(super) fn full_scrape(&self) -> Scrape {
        eventually("the memory of both Redis is known", || {
            let scrape = self.scrape();
            ["queue", "cache"].iter().all(|role| {
                scrape.get("boxoffice_redis_memory_used_bytes", &[("role", role)]).is_some()
            })
        });
        self.scrape()
    }
}

fn series_of(metric: &Metric) -> String {
    let name = metric.prometheus_name();
    if matches!(metric.kind, Kind::Histogram(_)) { format!("{name}_bucket") } else { name }
}

#[test]
fn exactly_the_metrics_of_the_catalog_are_exported() {
    let scrape = Whole::start().full_scrape();
    let all: Vec<&Metric> = FAMILIES.iter().flat_map(|family| family.metrics).copied().collect();
    let missing: Vec<_> = all
        .iter()
        .map(|metric| series_of(metric))
        .filter(|name| !scrape.names().contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "not exported: {missing:?} in:\n{}", scrape.0);
    let known = |name: &str| {
        all.iter().any(|metric| {
            let ours = metric.prometheus_name();
            name.strip_prefix(&ours)
                .is_some_and(|rest| matches!(rest, "" | "_bucket" | "_sum" | "_count"))
        })
    };
    let unknown: Vec<_> =
        scrape.names().into_iter().filter(|name| *name != "target_info" && !known(name)).collect();
    assert!(unknown.is_empty(), "not in the catalog: {unknown:?}");
    for pool in ["postgres", "cache redis"] {
        let pool = [("db_client_connection_pool_name", pool)];
        assert!(scrape.is("db_client_connection_max", &pool) > 0.0);
        assert!(scrape.is("db_client_connection_wait_time_seconds_count", &pool) > 0.0);
    }
    for (system, operation) in
        [("redis", "join"), ("postgresql", "concert_page"), ("redis", "cache_look")]
    {
        let labels = [("db_system_name", system), ("db_operation_name", operation)];
        assert!(
            scrape.is("db_client_operation_duration_seconds_count", &labels) > 0.0,
            "{operation}"
        );
    }
}
