//! Routing by the deployed balancer configurations while one of three nodes, and then all of them,
//! are cut off from Redis.

use std::net::SocketAddr;
use std::path::Path;

use test_support::{Balancer, FaultProxy, Redis, RedisSetup};

use super::node::{Node, UNHURRIED, redis};
use crate::postgres::database;
use crate::support::{Answer, TestApp, agent, eventually, send};

const HAPROXY: &str = include_str!("../../../../../deploy/balancer/haproxy.cfg");
const NGINX: &str = include_str!("../../../../../deploy/balancer/nginx.conf");

/// Three nodes of one queue, the first of them behind a proxy that can be cut.
struct Site {
    redis: Redis,
    proxy: FaultProxy,
    nodes: [Node; 3],
}

impl Site {
    fn start() -> Self {
        let redis = redis(RedisSetup::default());
        let proxy = FaultProxy::to(redis.address()).unwrap();
        let ours = ["ops.cut_off_after=500ms", "queue.policy.every=1h", "queue.policy.batch=1"];
        let settings = [&ours[..], &UNHURRIED].concat();
        let by_wire = Node::at(&format!("redis://{}", proxy.address()), &settings);
        let nodes = [by_wire, Node::on(&redis, &settings), Node::on(&redis, &settings)];
        let site = Self { redis, proxy, nodes };
        site.wait_until([200, 200, 200]);
        site
    }

    /// The status of `/readyz/node` on each node.
    fn able(&self) -> [u16; 3] {
        [0, 1, 2].map(|node: usize| self.nodes[node].ops("/readyz/node").status)
    }

    fn wait_until(&self, able: [u16; 3]) {
        eventually(&format!("/readyz/node says {able:?}"), || self.able() == able);
    }

    /// The deployed configuration, with these nodes in place of 10.0.0.1 to 3.
    fn configuration(&self, deployed: &str, listens: (&str, &str)) -> String {
        let (listen, port) = listens;
        let mut text = deployed.replace(listen, port);
        for (node, number) in self.nodes.iter().zip(1..) {
            let (public, ops) = (node.public(), node.ops_address().port());
            let server = format!("10.0.0.{number}:8081");
            let checked = format!("{server} check port 9081");
            text = text.replace(&checked, &format!("{public} check port {ops}"));
            text = text.replace(&server, &public.to_string());
        }
        assert!(!text.contains("10.0.0."), "{text}");
        text
    }
}

/// A client of the balancer.
struct Visitor {
    balancer: SocketAddr,
    agent: ureq::Agent,
    user: std::cell::Cell<u64>,
}

impl Visitor {
    fn of(balancer: &Balancer) -> Self {
        Self { balancer: balancer.address(), agent: agent(), user: std::cell::Cell::new(0) }
    }

    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        send(&self.agent, method, &format!("http://{}/api/v1{path}", self.balancer), headers, &[])
    }

    /// A new user joins.
    fn join(&self) -> Answer {
        self.user.set(self.user.get() + 1);
        self.request("POST", &format!("/user/{}/queue/token/issue", self.user.get()), &[])
    }

    /// The statuses of enough joins to reach each of three nodes several times.
    fn joins(&self) -> Vec<u16> {
        (0..30).map(|_| self.join().status).collect()
    }

    fn all_join(&self) -> bool {
        self.joins().iter().all(|&status| status == 200)
    }

    /// Whether the service itself answers, not the balancer, with all that it can do without Redis.
    fn is_served_as_far_as_it_goes(&self, token: &str) -> bool {
        let refused = self.join();
        refused.status == 503
            && refused.text.contains("STORE_UNAVAILABLE")
            && !refused.header("retry-after").is_empty()
            && self.request("GET", "/concerts/query", &[]).status == 200
            && self.request("GET", "/user/queue/token/query", &[("waitingToken", token)]).status
                == 200
    }
}

#[test]
fn the_probe_is_about_this_node_and_readiness_about_all() {
    let site = Site::start();
    let first = &site.nodes[0];
    assert_eq!(first.ops("/readyz/node").text, "{\"status\":\"ready\"}");
    site.proxy.cut();
    site.wait_until([503, 200, 200]);
    let cut_off = first.ops("/readyz/node");
    assert_eq!(cut_off.word("status"), "cut-off");
    assert_eq!(cut_off.field("down")[0]["dependency"], "redis", "{cut_off:?}");
    let readiness = first.readiness();
    assert_eq!((readiness.status, readiness.word("status").as_str()), (200, "degraded"));
    assert_eq!(readiness.header("x-envoy-degraded"), "true");
    assert_eq!(site.nodes[1].readiness().header("x-envoy-degraded"), "");

    site.redis.kill().unwrap();
    site.wait_until([503, 503, 503]);
    assert!(
        site.nodes.iter().all(|node| node.readiness().status == 200),
        "all nodes are still ready"
    );
    site.redis.restart().unwrap();
    site.wait_until([503, 200, 200]);
    site.proxy.mend();
    site.wait_until([200, 200, 200]);
    assert_eq!(first.readiness().header("x-envoy-degraded"), "");
}

#[test]
fn a_node_without_its_database_is_cut_off_and_one_without_the_shared_cache_is_not() {
    let (database, copies) = (database(), redis(RedisSetup::default()));
    let [to_database, to_copies] = [database.server_address().unwrap(), copies.address()]
        .map(|address| FaultProxy::to(address).unwrap());
    let app = TestApp::start(&[
        "catalog.store=postgres",
        &format!("postgres.url=postgres://postgres@{}/{}", to_database.address(), database.name()),
        "cache.store=redis",
        "queue.keys=c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA",
        &format!("redis.cache.url=redis://{}", to_copies.address()),
        "ops.check_every=100ms",
        "ops.cut_off_after=200ms",
    ]);
    let probe = || app.ops("/readyz/node");
    eventually("everything is up", || app.ops("/readyz").word("status") == "ready");
    to_copies.cut();
    eventually("the outage of the cache is noticed", || {
        app.ops("/readyz").word("status") == "degraded"
    });
    // The cache is down from here on, and must not appear among the causes.
    to_database.cut();
    eventually("the node is cut off", || probe().status == 503);
    let down = probe().json()["down"].as_array().unwrap().clone();
    assert_eq!(
        down.iter().map(|it| it["dependency"].as_str().unwrap()).collect::<Vec<_>>(),
        ["postgres"]
    );
    to_database.mend();
    eventually("it is not cut off although the cache is still down", || probe().status == 200);
    assert_eq!(
        (probe().word("status"), app.ops("/readyz").word("status")),
        ("ready".into(), "degraded".into())
    );
}

#[test]
fn haproxy_takes_one_node_out_and_never_all() {
    let site = Site::start();
    let balancer = Balancer::haproxy(|address| {
        site.configuration(HAPROXY, ("bind :80", &format!("bind {address}")))
    })
    .unwrap();
    let visitor = Visitor::of(&balancer);
    assert!(visitor.all_join());
    let token = visitor.join().word("waitingToken");
    site.proxy.cut();
    site.wait_until([503, 200, 200]);
    eventually("haproxy avoids the node that is cut off", || visitor.all_join());
    for _ in 0..3 {
        assert!(visitor.all_join(), "no join is refused from then on");
    }

    site.redis.kill().unwrap();
    site.wait_until([503, 503, 503]);
    eventually("haproxy uses all", || visitor.is_served_as_far_as_it_goes(&token));
    for _ in 0..10 {
        assert!(visitor.is_served_as_far_as_it_goes(&token));
    }
    site.redis.restart().unwrap();
    site.wait_until([503, 200, 200]);
    eventually("joining works", || visitor.all_join());
}

#[test]
fn nginx_retries_on_another_node_once() {
    let site = Site::start();
    let balancer = Balancer::nginx(|address| {
        site.configuration(NGINX, ("listen 80;", &format!("listen {address};")))
    })
    .unwrap();
    let visitor = Visitor::of(&balancer);
    assert!(visitor.all_join());
    let token = visitor.join().word("waitingToken");
    site.proxy.cut();
    // Even before the outage is noticed.
    for _ in 0..3 {
        assert!(visitor.all_join(), "no join is refused");
    }

    site.redis.kill().unwrap();
    site.wait_until([503, 503, 503]);
    for _ in 0..10 {
        assert!(visitor.is_served_as_far_as_it_goes(&token));
    }
    site.redis.restart().unwrap();
    site.wait_until([503, 200, 200]);
    eventually("joining works", || visitor.all_join());
}

#[test]
fn the_guide_contains_the_tested_configurations() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let guide = std::fs::read_to_string(root.join("docs/guide/health-probes.md")).unwrap();
    for deployed in [HAPROXY, NGINX] {
        let (_, body) = deployed.split_once("\n\n").unwrap();
        assert!(guide.contains(&format!("```\n{body}```\n")), "not in the guide:\n{body}");
    }
}
