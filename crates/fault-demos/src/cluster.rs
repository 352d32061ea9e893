//! `cargo xtask three-nodes`: the whole system under load, with failures of single parts.
//!
//! Three nodes of the release binary share one queue in a private Redis cluster of three primaries
//! with a replica each; HAProxy is in front of them. Clients go through the proxy, and their
//! answers are recorded and checked.

pub(crate) mod k6;
mod load;
pub(crate) mod node;
mod proxy;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use contracts::history::{History, Rules, check};
use test_support::{
    Doing as _, Outcome, RedisCluster, failed, find_or_install_haproxy, find_or_install_redis,
};

use self::k6::Script;
use self::load::Load;
use self::node::Node;
use self::proxy::Proxy;
use test_support::workspace::output;
use test_support::workspace::{build_release, release_binary};

/// The arguments of `cargo xtask three-nodes`.
#[derive(Args)]
pub struct Arguments {
    /// Seconds during which people arrive
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// People at the same time
    #[arg(long, default_value_t = 64)]
    people: u64,
    /// Kill a node after a third of the time, and the queue's primary after two thirds; the primary
    /// comes back as a replica
    #[arg(long)]
    kill: bool,
    /// The address of the proxy
    #[arg(long, default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// Run this k6 script during the load; may be repeated
    #[arg(long, value_name = "FILE")]
    k6: Vec<PathBuf>,
    /// Write the recorded answers to this file
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// A setting of the nodes, applied after the built-in ones; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

/// The queue's id, and the key whose slot in the cluster holds the whole queue.
const QUEUE: &str = "queue.id=three-nodes";
const LINE: &str = "boxoffice:{three-nodes}:line";

/// The limit on active people, and the lifetime of calls and sessions; [`POLICY`] sets the same
/// values.
const MAX_ACTIVE: u32 = 2_000;
const PLACES_END_AFTER: Duration = Duration::from_secs(60);

/// People are called within seconds, and an unclaimed call lapses soon.
const POLICY: [&str; 6] = [
    "queue.policy.batch=100",
    "queue.policy.every=1s",
    "queue.policy.max_active=2000",
    "queue.policy.claim_within=60s",
    "queue.policy.session_ttl=60s",
    "queue.poll.farthest=10s",
];

/// Answers from an older view are marked as stale; the rest of the time passes between reading the
/// view and the answer.
const VIEW_LAG: Duration = Duration::from_millis(1_100);

const NODES: usize = 3;

/// Runs it.
///
/// # Errors
/// If a server fails, or an answer breaks a promise.
pub fn three_nodes(arguments: &Arguments) -> Outcome {
    let haproxy = find_or_install_haproxy(|line| println!("{line}"))?;
    let redis = find_or_install_redis(|line| println!("{line}"))?;
    build_release()?;
    let cluster = RedisCluster::start(&redis, 3, 1)?;
    let mut nodes = start_nodes(&cluster, &arguments.settings)?;
    let proxy = Proxy::start(&haproxy, arguments.listen, &nodes)?;
    println!(
        "http://{}/api/v1: a proxy, {NODES} nodes, a Redis cluster of 3 primaries with a replica each",
        proxy.address()
    );

    let history = History::new();
    let scripts =
        arguments.k6.iter().map(|file| Script::start(file)).collect::<Outcome<Vec<_>>>()?;
    let load = Load::start(
        &history,
        proxy.address(),
        arguments.people,
        Duration::from_secs(arguments.seconds),
    )?;
    if arguments.kill {
        kill(&load, &mut nodes, &cluster)?;
    }
    let reported = load.join();
    let results: Vec<_> = scripts.into_iter().map(Script::join).collect();

    if let Some(path) = &arguments.history {
        write(&history, path)?;
    }
    nodes.iter().for_each(Node::print_troubles);
    println!("\n{}\n{reported}", history.summary());
    verdict(&history, results)
}

fn start_nodes(cluster: &RedisCluster, settings: &[String]) -> Outcome<Vec<Node>> {
    let addresses: Vec<String> = cluster.addresses().iter().map(ToString::to_string).collect();
    let key = output(std::process::Command::new(release_binary()).args(["token", "new-key"]))?;
    let address = format!("redis.queue.url=redis-cluster://{}", addresses.join(","));
    let key = format!("queue.keys={}", key.trim());
    // The proxy learns of a node's Redis failure soon.
    let quick = "ops.check_every=100ms";
    let ours = ["queue.store=redis", &address, &key, QUEUE, quick, "http.workers=1"]
        .into_iter()
        .chain(POLICY);
    let all: Vec<&str> = ours.chain(settings.iter().map(String::as_str)).collect();
    (1..=NODES).map(|n| Node::start(n, &all)).collect()
}

/// Kills the last node, and later the primary, as if a machine failed. The primary comes back as a
/// replica.
fn kill(load: &Load, nodes: &mut [Node], cluster: &RedisCluster) -> Outcome {
    load.wait_for(1, 3);
    let node = nodes.last_mut().ok_or_else(|| failed("there is no node"))?;
    node.kill()?;
    println!("{:.1?}: kill -9 of {}", load.passed(), node.name());
    load.wait_for(2, 3);
    let primary = &cluster.nodes()[cluster.primary_of(LINE)?];
    primary.kill()?;
    println!("{:.1?}: kill -9 of the queue's primary, {}", load.passed(), primary.address());
    let killed = Instant::now();
    cluster.wait_until_whole(Duration::from_secs(60))?;
    println!("{:.1?}: the cluster is whole again, {:.1?} later", load.passed(), killed.elapsed());
    load.wait_for(5, 6);
    primary.restart()?;
    println!("{:.1?}: {} is back", load.passed(), primary.address());
    Ok(())
}

fn write(history: &History, path: &Path) -> Outcome {
    let file = File::create(path).doing(format!("making {}", path.display()))?;
    let mut buffer = BufWriter::new(file);
    history
        .write_to(&mut buffer)
        .and_then(|()| buffer.flush())
        .doing(format!("writing {}", path.display()))
}

/// Fails unless every rule and every script holds.
fn verdict(history: &History, scripts: Vec<Outcome>) -> Outcome {
    let rules = Rules {
        max_active: Some(MAX_ACTIVE),
        view_lag: VIEW_LAG,
        places_end_after: Some(PLACES_END_AFTER),
        is_drained: true,
        places_survive: true,
        ..Rules::default()
    };
    let checked = check(history, &rules);
    match &checked {
        Ok(()) => println!("the history keeps every rule"),
        Err(findings) => println!("{findings}"),
    }
    let mut wrongs: Vec<String> =
        scripts.into_iter().filter_map(|result| Some(result.err()?.to_string())).collect();
    wrongs.extend(
        checked.err().map(|findings| format!("{} findings in the history", findings.total())),
    );
    let lost = history.summary().count("find-again", "unknown");
    wrongs.extend((lost > 0).then(|| format!("{lost} people got no final answer")));
    if wrongs.is_empty() { Ok(()) } else { Err(failed(wrongs.join("; "))) }
}
