//! A database with sample data, a Redis for the cache, and nodes of the release binary.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;
use test_support::{Doing as _, Outcome, Redis, RedisSetup, failed, find_or_install_redis};

use super::report::Report;
use crate::cluster::node::Node;
use benchmarks::Filled;
use benchmarks::bench::KEY;
use benchmarks::load::client::{Client, request};

/// Concerts in the database, and the number of pages.
pub(super) const CONCERTS: u64 = 10_000;
pub(super) const PAGES: u64 = CONCERTS / 10;

/// Memory for a Redis that never evicts.
pub(super) const ENOUGH: &str = "256mb";

/// Ten a concert: these runs do not depend on seats.
const SEATS: u64 = 100_000;

/// People are called soon, and no session ends during a run. The key is arbitrary.
const PEOPLE: [&str; 3] = [
    "queue.policy.batch=1000",
    "queue.policy.session_ttl=1h",
    "queue.keys=cHJvdGVjdGlvbnByb3RlY3Rpb25wcm90ZWN0aW9uISE=",
];

/// Limit for admitting everyone who joined.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// A filled database with default settings.
pub(super) fn database(report: &mut Report) -> Outcome<Filled> {
    let filled = Filled::start(CONCERTS as u32, SEATS)?;
    report.add(format!("Postgres {} with {CONCERTS} concerts", filled.sql("SHOW server_version")?));
    Ok(filled)
}

/// A Redis for the cache only, with this much memory. When it is full, it evicts the least used
/// keys.
pub(super) fn cache(memory: &str, report: &mut Report) -> Outcome<Redis> {
    let binaries = find_or_install_redis(|line| println!("{line}"))?;
    let setup = RedisSetup::default().line("appendonly no").line("maxmemory-policy allkeys-lfu");
    let redis = Redis::start(&binaries, setup.line(format!("maxmemory {memory}")))?;
    let version = said(&redis, "server", "redis_version")?;
    report.add(format!("Redis {version} for the cache, maxmemory {memory}, allkeys-lfu"));
    Ok(redis)
}

/// A field of Redis' `INFO`.
pub(super) fn said(redis: &Redis, section: &str, field: &str) -> Outcome<String> {
    let text = redis.command(&["INFO", section])?;
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value
        .map(|value| value.trim().to_owned())
        .ok_or_else(|| failed(format!("Redis does not say {field}")))
}

/// Nodes with their catalog in this database. Each has its own queue, in memory.
pub(super) fn nodes(
    count: usize,
    database: SocketAddr,
    cache: Option<&Redis>,
    ours: &[&str],
    settings: &[String],
    report: &mut Report,
) -> Outcome<Vec<Node>> {
    let postgres = format!("postgres.url=postgres://postgres@{database}/postgres");
    let cache = cache.map(|redis| format!("redis.cache.url=redis://{}", redis.address()));
    let store = if cache.is_some() { "cache.store=redis" } else { "cache.store=none" };
    let mut all: Vec<&str> = vec!["catalog.store=postgres", &postgres, store, "http.workers=1"];
    if let Some(cache) = &cache {
        all.extend([cache.as_str(), KEY]);
    }
    all.extend(PEOPLE);
    let special: Vec<&str> =
        ours.iter().copied().chain(settings.iter().map(String::as_str)).collect();
    all.extend(&special);
    let nodes = (1..=count).map(|n| Node::start(n, &all)).collect::<Outcome<_>>()?;
    let but =
        if special.is_empty() { String::new() } else { format!(" but for {}", special.join(" ")) };
    report
        .add(format!("{count} node(s) with one worker each, {store}, settings as they come{but}"));
    Ok(nodes)
}

/// Joins people at this node, and returns their tokens once each has a session.
pub(super) async fn admit(node: &Node, people: u64) -> Outcome<Vec<String>> {
    let mut client = Client::of(node.public);
    let mut tokens = Vec::new();
    for user in 1..=people {
        let join = request("POST", &format!("/user/{user}/queue/token/issue"), None);
        client.request(&join).await.doing("joining")?;
        let token = json(&client)["waitingToken"].as_str().map(ToOwned::to_owned);
        tokens.push(token.ok_or_else(|| failed("a join was not answered with a token"))?);
    }
    let limit = Instant::now() + CALL_LIMIT;
    for token in &tokens {
        let dates = request("GET", "/concert/1/date", Some(token));
        while client.request(&dates).await.doing("requesting dates")?.status != 200 {
            if Instant::now() > limit {
                return Err(failed(format!(
                    "the people who joined are not admitted: {}",
                    json(&client)
                )));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(tokens)
}

fn json(client: &Client) -> Value {
    serde_json::from_slice(client.body()).unwrap_or_default()
}

/// The answer of a node's `GET /protection`.
pub(super) async fn protection(node: &Node) -> Outcome<Value> {
    let mut client = Client::of(node.ops);
    client
        .request(b"GET /protection HTTP/1.1\r\nHost: boxoffice\r\n\r\n")
        .await
        .doing("reading the protection of a node")?;
    serde_json::from_slice(client.body()).map_err(|error| failed(format!("no protection: {error}")))
}

/// One counter of a cache, summed over all nodes.
pub(super) async fn counted(nodes: &[Node], kind: &str, count: &str) -> Outcome<u64> {
    let mut sum = 0;
    for node in nodes {
        sum += protection(node).await?["caches"][kind][count].as_u64().unwrap_or_default();
    }
    Ok(sum)
}

/// Reports the warnings and errors that nodes logged.
pub(super) fn report_troubles(nodes: &[Node], report: &mut Report) {
    nodes.iter().flat_map(Node::troubles).for_each(|line| report.add(line));
}
