//! How long joins are refused after a loss and after a restart, with many people waiting, and how
//! long the longest script runs when all calls and sessions end at once. Starts its own Redis;
//! prints figures without judging them.
//!
//! `cargo bench -p adapter-redis --bench recovery -- [people]`, a million by default.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and fails by panicking"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapter_redis::{
    Batching, ConnectionSettings, Durability, RedisAddress, RedisQueue, RedisQueueSettings,
};
use domain::Timestamp;
use domain::queue::{
    AdmissionPolicy, NumberBounds, PolicySpec, QueueCounters, QueueId, QueueStore as _,
    TokenClaims, UserId,
};
use test_support::{Redis, RedisBinaries, RedisSetup};

/// The values that `app` derives from its defaults.
const RECOVERY: Duration = Duration::from_millis(2_500);
const REFRESH: Duration = Duration::from_millis(100);

fn node(redis: &Redis, queue: &str, spec: PolicySpec) -> Arc<RedisQueue> {
    let second = Duration::from_secs(1);
    // Thousands of concurrent claims wait for each other.
    let answer = 10 * second;
    let settings = RedisQueueSettings {
        queue: QueueId::parse(queue).unwrap(),
        policy: AdmissionPolicy::new(spec).unwrap(),
        durability: Durability::Primary,
        batching: Batching { max_waiting: 100_000, max_wait: answer, ..Batching::default() },
        lifetime: 3_600 * second,
        remember: second,
        recovery: RECOVERY,
        needs_checkpoint: false,
        connection: ConnectionSettings { connect: second, answer, max_in_flight: 10_000 },
    };
    let address = RedisAddress::parse(&format!("redis://{}", redis.address())).unwrap();
    Arc::new(RedisQueue::open(address, settings))
}

/// Refreshes as the service does, until the benchmark ends.
fn keep(node: &Arc<RedisQueue>) {
    let node = Arc::clone(node);
    tokio::spawn(async move {
        loop {
            let _ = node.call_next(QueueCounters::START, None).await;
            tokio::time::sleep(REFRESH).await;
        }
    });
}

async fn is_open(node: &RedisQueue) -> bool {
    node.snapshot(QueueCounters::START).await.is_ok_and(|seen| seen.may_join)
}

async fn until_open(nodes: &[Arc<RedisQueue>]) -> Duration {
    let begun = Instant::now();
    for node in nodes {
        while !is_open(node).await {
            assert!(
                begun.elapsed() < Duration::from_secs(120),
                "joins are refused for two minutes"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    begun.elapsed()
}

async fn fill(nodes: &[Arc<RedisQueue>], people: u64) {
    const AT_ONCE: u64 = 20_000;
    for first in (1..=people).step_by(AT_ONCE as usize) {
        let joins = (first..(first + AT_ONCE).min(people + 1)).map(|user| {
            let node = Arc::clone(&nodes[(user % nodes.len() as u64) as usize]);
            tokio::spawn(async move {
                node.join(UserId::new(user).unwrap(), None, NumberBounds::NONE).await
            })
        });
        for join in futures_util::future::join_all(joins).await {
            join.unwrap().unwrap();
        }
    }
}

async fn outages(redis: &Redis, people: u64) {
    let still = PolicySpec {
        batch: 1,
        every: Duration::from_secs(3_600),
        max_waiting: 10_000_000,
        ..PolicySpec::default()
    };
    let nodes = [node(redis, "outages", still), node(redis, "outages", still)];
    nodes.iter().for_each(keep);
    until_open(&nodes).await;
    fill(&nodes, people).await;
    println!("people waiting: {people}, seen by two nodes");

    redis.kill().unwrap();
    redis.restart().unwrap();
    reset_steps(redis);
    println!(
        "restart without loss: joins again {:?} after it has loaded",
        until_open(&nodes).await
    );

    let folder = redis.command(&["CONFIG", "GET", "dir"]).unwrap();
    let folder = folder.lines().last().unwrap().to_owned();
    redis.kill().unwrap();
    fs::remove_dir_all(Path::new(&folder).join("appendonlydir")).unwrap();
    redis.restart().unwrap();
    reset_steps(redis);
    println!("total loss: joins again {:?} after it is back", until_open(&nodes).await);
    print_steps(redis);
    let seen = nodes[0].snapshot(QueueCounters::START).await.unwrap();
    assert_eq!(seen.counters.last(), people);
}

/// Ends all calls and sessions at once.
async fn endings(redis: &Redis, people: u32) {
    let spec = PolicySpec {
        batch: 2 * people,
        every: Duration::from_secs(1),
        max_active: 2 * people,
        claim_within: Duration::from_secs(3_600),
        session_ttl: Duration::from_secs(3_600),
        ..PolicySpec::default()
    };
    let nodes = [node(redis, "endings", spec)];
    until_open(&nodes).await;
    fill(&nodes, u64::from(2 * people)).await;
    nodes[0].call_next(QueueCounters::START, None).await.unwrap();
    for first in (1..=u64::from(people)).step_by(5_000) {
        let claims = (first..first + 5_000).map(|user| {
            let node = Arc::clone(&nodes[0]);
            tokio::spawn(async move {
                let joined =
                    node.join(UserId::new(user).unwrap(), None, NumberBounds::NONE).await.unwrap();
                let place = TokenClaims {
                    queue: QueueId::parse("endings").unwrap(),
                    incarnation: joined.incarnation,
                    number: joined.number,
                    user: UserId::new(user).unwrap(),
                    issued_at: Timestamp::UNIX_EPOCH,
                };
                node.claim(&place).await.unwrap();
            })
        });
        for claim in futures_util::future::join_all(claims).await {
            claim.unwrap();
        }
    }
    redis.command(&["HINCRBY", "boxoffice:{endings}:line", "time", "7200000000"]).unwrap();
    reset_steps(redis);
    let begun = Instant::now();
    let mut steps = 0;
    while nodes[0].snapshot(QueueCounters::START).await.unwrap().called > 0 {
        steps += 1;
    }
    println!(
        "{people} calls and {people} sessions end together in {steps} steps, {:?}",
        begun.elapsed()
    );
    print_steps(redis);
}

fn reset_steps(redis: &Redis) {
    redis.command(&["CONFIG", "RESETSTAT"]).unwrap();
    redis.command(&["CONFIG", "SET", "slowlog-log-slower-than", "5000"]).unwrap();
    redis.command(&["CONFIG", "SET", "slowlog-max-len", "10000"]).unwrap();
    redis.command(&["SLOWLOG", "RESET"]).unwrap();
}

/// Prints the number of scripts since the reset, their total time, and the times of the slowest.
fn print_steps(redis: &Redis) {
    let stats = redis.command(&["INFO", "commandstats"]).unwrap();
    for line in stats.lines().filter(|line| line.starts_with("cmdstat_evalsha")) {
        println!("  {line}");
    }
    // Each entry: its id, the time, the duration in microseconds, then the command.
    let entries = redis.command(&["EVAL", SLOWEST, "0"]).unwrap();
    println!(
        "  slowest scripts, in microseconds: {}",
        entries.split_whitespace().collect::<Vec<_>>().join(" ")
    );
}

const SLOWEST: &str = "local took = {} \
    for _, entry in ipairs(redis.call('SLOWLOG', 'GET', '-1')) do \
        if entry[4][1] == 'EVALSHA' then took[#took + 1] = entry[3] end \
    end \
    table.sort(took, function(one, other) return one > other end) \
    return { unpack(took, 1, math.min(#took, 10)) }";

fn main() {
    let people = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(1_000_000);
    let redis = Redis::start(&RedisBinaries::find().unwrap(), RedisSetup::default()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        endings(&redis, 100_000).await;
        outages(&redis, people).await;
    });
}
