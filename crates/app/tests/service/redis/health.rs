//! A Redis that responds but accepts no joins: readiness reports it, with its cause, for as long as
//! it lasts.

use std::fs;
use std::path::PathBuf;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use test_support::{Redis, RedisBinaries, RedisCluster, RedisSetup};

use super::node::{Node, redis};
use crate::support::eventually;

/// Within this time readiness reports that joins fail.
const KNOWN_WITHIN: Duration = Duration::from_secs(2);

/// 30 polls with this pause span several health checks.
const BETWEEN_POLLS: Duration = Duration::from_millis(100);

/// The default.
const CHECKS: &str = "ops.check_every=1s";

/// A busy machine must not look like a slow Redis.
const PATIENT: &str = "redis.queue.timeout=1500ms";
const PATIENT_TO_CONNECT: &str = "redis.queue.connect_timeout=4s";

/// What the node reports while Redis is broken.
struct Expected {
    /// Part of the cause.
    cause: &'static str,
    /// The label of the metric.
    problem: &'static str,
}

fn measured(node: &Node, series: &str) -> bool {
    node.ops("/metrics").text.lines().any(|line| {
        let (labels, value) = line.rsplit_once(' ').unwrap_or_default();
        value == "1" && series.split(' ').all(|part| labels.contains(part))
    })
}

/// Breaks Redis, checks the node's reports, and repairs it.
fn check(node: &Node, expected: &Expected, break_it: impl FnOnce(), mend: impl FnOnce()) {
    node.wait_until("ready");
    eventually("joining works", || node.join(1).status == 200);
    let up = r#"boxoffice_dependency_up{ dependency="redis""#;
    assert!(measured(node, up), "{}", node.ops("/metrics").text);
    break_it();
    let broken = Instant::now();
    node.wait_until("degraded");
    assert!(broken.elapsed() < KNOWN_WITHIN, "known after {:?}", broken.elapsed());
    for user in 100..130 {
        let answer = node.readiness();
        assert_eq!(answer.word("status"), "degraded", "after {:?}", broken.elapsed());
        let down = &answer.field("down")[0];
        assert_eq!(down["dependency"], "redis");
        let cause = down["cause"].as_str().unwrap();
        assert!(cause.contains(expected.cause), "{cause}");
        assert!(!measured(node, up));
        let problem = format!("boxoffice_dependency_problem{{ problem=\"{}\"", expected.problem);
        assert!(measured(node, &problem), "{problem} in {}", node.ops("/metrics").text);
        assert_eq!(node.join(user).status, 503);
        park_timeout(BETWEEN_POLLS);
    }
    mend();
    node.wait_until("ready");
    eventually("joining works again", || node.join(2).status == 200);
    assert!(measured(node, up));
}

#[test]
fn out_of_memory() {
    let redis = redis(RedisSetup::default());
    let node = Node::on(&redis, &[CHECKS, PATIENT, PATIENT_TO_CONNECT]);
    let limit = |bytes| drop(redis.command(&["CONFIG", "SET", "maxmemory", bytes]).unwrap());
    check(&node, &Expected { cause: "OOM", problem: "OOM" }, || limit("1"), || limit("0"));
}

#[test]
fn too_few_replicas() {
    let redis = redis(RedisSetup::default());
    let node = Node::on(&redis, &[CHECKS, PATIENT, PATIENT_TO_CONNECT]);
    let needs =
        |count| drop(redis.command(&["CONFIG", "SET", "min-replicas-to-write", count]).unwrap());
    check(
        &node,
        &Expected { cause: "NOREPLICAS", problem: "NOREPLICAS" },
        || needs("1"),
        || needs("0"),
    );
}

#[test]
fn no_replica_where_joins_wait_for_one() {
    let primary = redis(RedisSetup::default());
    let replica = redis(RedisSetup::default().replica_of(primary.address()));
    primary.wait_for_replica(&replica).unwrap();
    let settings = ["queue.durability=replicated", CHECKS, PATIENT, PATIENT_TO_CONNECT];
    let node = Node::on(&primary, &settings);
    let expected =
        Expected { cause: "no replica acknowledged the write", problem: "not_replicated" };
    check(&node, &expected, || replica.kill().unwrap(), || replica.restart().unwrap());
}

#[test]
fn no_permission_to_write() {
    let redis = redis(RedisSetup::default());
    let node = Node::on(&redis, &[CHECKS, PATIENT, PATIENT_TO_CONNECT]);
    let may = |what| drop(redis.command(&["ACL", "SETUSER", "default", what]).unwrap());
    check(
        &node,
        &Expected { cause: "NOPERM", problem: "NOPERM" },
        || may("-@write"),
        || may("+@all"),
    );
}

fn last_save(redis: &Redis) -> String {
    let said = redis.command(&["INFO", "persistence"]).unwrap();
    let status = said.lines().find_map(|line| line.trim().strip_prefix("rdb_last_bgsave_status:"));
    status.unwrap().to_owned()
}

fn save(redis: &Redis, status: &str) {
    eventually("the save has ended with this status", || {
        let _ = redis.command(&["BGSAVE"]);
        last_save(redis) == status
    });
}

#[test]
fn a_disk_that_cannot_be_written() {
    let redis = redis(RedisSetup::default().line("save 3600 1"));
    let node = Node::on(&redis, &[CHECKS, PATIENT, PATIENT_TO_CONNECT]);
    let folder = redis.command(&["CONFIG", "GET", "dir"]).unwrap();
    let snapshot = PathBuf::from(folder.lines().last().unwrap()).join("dump.rdb");
    let break_it = || {
        let _ = fs::remove_file(&snapshot);
        fs::create_dir(&snapshot).unwrap();
        save(&redis, "err");
    };
    let mend = || {
        fs::remove_dir(&snapshot).unwrap();
        save(&redis, "ok");
    };
    check(&node, &Expected { cause: "MISCONF", problem: "MISCONF" }, break_it, mend);
}

#[test]
fn a_cluster_that_is_down() {
    let cluster = RedisCluster::start(&RedisBinaries::find().unwrap(), 3, 0).unwrap();
    let nodes: Vec<String> = cluster.addresses().iter().map(ToString::to_string).collect();
    let node = Node::at(
        &format!("redis-cluster://{}", nodes.join(",")),
        &[CHECKS, PATIENT, PATIENT_TO_CONNECT],
    );
    let ours = cluster.primary_of("boxoffice:{main}:line").unwrap();
    let others: Vec<&Redis> = (0..3).filter(|n| *n != ours).map(|n| &cluster.nodes()[n]).collect();
    let break_it = || {
        others.iter().for_each(|other| other.kill().unwrap());
        eventually("the last primary has noticed that it is alone", || {
            let said = cluster.nodes()[ours].command(&["CLUSTER", "INFO"]).unwrap();
            said.contains("cluster_state:fail")
        });
    };
    let mend = || {
        others.iter().for_each(|other| other.restart().unwrap());
        cluster.wait_until_whole(Duration::from_secs(60)).unwrap();
    };
    check(&node, &Expected { cause: "CLUSTERDOWN", problem: "CLUSTERDOWN" }, break_it, mend);
}

#[test]
fn an_open_join_breaker_is_a_problem_of_the_dependency() {
    let redis = redis(RedisSetup::default());
    let node = Node::on(&redis, &["breaker.joining.mode=forced-open"]);
    node.wait_until("degraded");
    let down = &node.readiness().field("down")[0];
    assert_eq!((down["dependency"].as_str(), node.join(1).status), (Some("redis"), 503));
    assert_eq!(down["cause"], "circuit breaker joining is open");
}
