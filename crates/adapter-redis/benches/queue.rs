//! The queue through the adapter, for `cargo xtask bench-redis`, which starts these programs and
//! measures Redis meanwhile.
//!
//! - `join URL QUEUE SECONDS ASKERS batched|single primary|replicated` joins from ASKERS tasks as
//!   fast as possible, and prints the number of joins and their latencies.
//! - `fill URL QUEUE PEOPLE` lets PEOPLE people join.
//! - `call URL QUEUE PEOPLE` calls PEOPLE people in one step.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark program")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use adapter_redis::{
    Batching, ConnectionSettings, Durability, RedisAddress, RedisQueue, RedisQueueSettings,
};
use domain::queue::{
    AdmissionPolicy, NumberBounds, PolicySpec, QueueCounters, QueueId, QueueStore as _, UserId,
};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // As in the service: one background thread.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        match words.as_slice() {
            ["join", url, queue, seconds, askers, gathered, durability] => {
                let askers: usize = askers.parse().unwrap();
                let batching = match *gathered {
                    "batched" => Batching::default(),
                    "single" => Batching { largest: 1, in_flight: askers, ..Batching::default() },
                    other => panic_about(other),
                };
                let durability = match *durability {
                    "primary" => Durability::Primary,
                    "replicated" => Durability::Replicated,
                    other => panic_about(other),
                };
                let store = open(url, queue, standing_still(), batching, durability);
                ready(&store).await;
                join(&store, Duration::from_secs(seconds.parse().unwrap()), askers).await;
            }
            ["fill", url, queue, people] => {
                let store =
                    open(url, queue, standing_still(), Batching::default(), Durability::Primary);
                ready(&store).await;
                fill(&store, people.parse().unwrap()).await;
            }
            ["call", url, queue, people] => {
                let people: u32 = people.parse().unwrap();
                let spec =
                    PolicySpec { batch: people, max_active: 10_000_000, ..PolicySpec::default() };
                let store = open(url, queue, spec, Batching::default(), Durability::Primary);
                ready(&store).await;
                let called = store.call_next(QueueCounters::START, None).await.unwrap();
                println!("called {}", called.count);
            }
            other => panic_about(&other.join(" ")),
        }
    });
}

#[expect(clippy::panic, reason = "an invalid argument ends the program")]
fn panic_about(what: &str) -> ! {
    panic!("invalid argument: {what:?}")
}

/// One person an hour.
fn standing_still() -> PolicySpec {
    let hour = Duration::from_secs(3_600);
    PolicySpec { batch: 1, every: hour, max_waiting: 100_000_000, ..PolicySpec::default() }
}

fn open(
    url: &str,
    queue: &str,
    spec: PolicySpec,
    batching: Batching,
    durability: Durability,
) -> Arc<RedisQueue> {
    let second = Duration::from_secs(1);
    let settings = RedisQueueSettings {
        queue: QueueId::parse(queue).unwrap(),
        policy: AdmissionPolicy::new(spec).unwrap(),
        durability,
        batching,
        lifetime: 3_600 * second,
        remember: second,
        recovery: 2 * second,
        needs_checkpoint: false,
        connection: ConnectionSettings {
            connect: second,
            answer: 5 * second,
            max_in_flight: 10_000,
        },
    };
    Arc::new(RedisQueue::open(RedisAddress::parse(url).unwrap(), settings))
}

/// Waits until the store lets this node give numbers.
async fn ready(store: &Arc<RedisQueue>) {
    while !store.snapshot(QueueCounters::START).await.is_ok_and(|seen| seen.may_join) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn join(store: &Arc<RedisQueue>, length: Duration, askers: usize) {
    let users = Arc::new(AtomicU64::new(1));
    let end = Instant::now() + length;
    let tasks: Vec<_> = (0..askers)
        .map(|_| {
            let (store, users) = (Arc::clone(store), Arc::clone(&users));
            tokio::spawn(async move {
                let mut times = Vec::new();
                while Instant::now() < end {
                    let user = UserId::new(users.fetch_add(1, Ordering::Relaxed)).unwrap();
                    let begun = Instant::now();
                    store.join(user, None, NumberBounds::NONE).await.unwrap();
                    times.push(begun.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    times.sort_unstable();
    let micros = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
    println!(
        "joins {} in {} s, median {:.0} us, p99 {:.0} us",
        times.len(),
        length.as_secs(),
        micros(0.5),
        micros(0.99)
    );
}

async fn fill(store: &Arc<RedisQueue>, people: u64) {
    let mut first = 1;
    while first <= people {
        let users = first..(first + 5_000).min(people + 1);
        first = users.end;
        let joins = users.map(|user| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                store.join(UserId::new(user).unwrap(), None, NumberBounds::NONE).await.unwrap()
            })
        });
        for join in joins.collect::<Vec<_>>() {
            join.await.unwrap();
        }
    }
    let store = store.snapshot(QueueCounters::START).await.unwrap().counters;
    println!("last {} waiting {}", store.last(), store.waiting());
}
