//! The choices that the chart offers, and their product.

use serde_json::{Value, json};

/// One supported combination.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) stores: Stores,
    pub(crate) scaling: Scaling,
    pub(crate) gateway: bool,
    pub(crate) service_monitor: bool,
    pub(crate) rules: bool,
    pub(crate) policy: bool,
    pub(crate) migrate: bool,
}

/// Where the queue, the catalog and the shared cache are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stores {
    pub(crate) redis_queue: bool,
    /// Catalog and checkpoints.
    pub(crate) postgres: bool,
    pub(crate) redis_cache: bool,
    pub(crate) secret: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scaling {
    None,
    Cpu,
    Requests,
    Sales,
}

const BOTH: [bool; 2] = [false, true];

/// Every supported combination.
pub(crate) fn all() -> Vec<Options> {
    let mut all = Vec::new();
    for (stores, scaling) in stores_and_scaling() {
        for gateway in BOTH {
            for service_monitor in BOTH {
                for rules in BOTH {
                    for policy in BOTH {
                        // There is nothing to migrate without Postgres.
                        for &migrate in if stores.postgres { &BOTH[..] } else { &BOTH[1..] } {
                            all.push(Options {
                                stores,
                                scaling,
                                gateway,
                                service_monitor,
                                rules,
                                policy,
                                migrate,
                            });
                        }
                    }
                }
            }
        }
    }
    all
}

/// A queue in memory cannot be scaled. Only a release without any server needs no Secret.
fn stores_and_scaling() -> Vec<(Stores, Scaling)> {
    let mut all = Vec::new();
    for redis_queue in BOTH {
        for postgres in BOTH {
            for redis_cache in BOTH {
                for secret in BOTH {
                    let stores = Stores { redis_queue, postgres, redis_cache, secret };
                    if !secret && (redis_queue || postgres || redis_cache) {
                        continue;
                    }
                    all.push((stores, Scaling::None));
                    if redis_queue {
                        let scaled = [Scaling::Cpu, Scaling::Requests, Scaling::Sales];
                        all.extend(scaled.map(|scaling| (stores, scaling)));
                    }
                }
            }
        }
    }
    all
}

impl Options {
    pub(crate) fn values(&self) -> Value {
        let stores = self.stores;
        let choice =
            |yes: bool, name: &str| if yes { name.to_owned() } else { "memory".to_owned() };
        let checkpoint = if stores.postgres { "postgres" } else { "none" };
        let durability = if stores.redis_queue { "replicated" } else { "primary" };
        json!({
            "replicas": if stores.redis_queue { 3 } else { 1 },
            "config": {
                "queue": {
                    "store": choice(stores.redis_queue, "redis"),
                    "durability": durability,
                    "checkpoint": { "store": checkpoint },
                },
                "catalog": { "store": choice(stores.postgres, "postgres") },
                "cache": { "store": choice(stores.redis_cache, "redis") },
            },
            "secret": { "name": if stores.secret { "boxoffice" } else { "" } },
            "autoscaling": self.scaling.values(),
            "gateway": { "enabled": self.gateway, "hostnames": ["tickets.example.com"] },
            "monitoring": { "serviceMonitor": self.service_monitor, "rules": self.rules },
            "networkPolicy": { "enabled": self.policy },
            "migrate": { "enabled": self.migrate },
        })
    }
}

impl Scaling {
    fn values(self) -> Value {
        match self {
            Self::None => json!({ "by": "none" }),
            Self::Cpu => json!({ "by": "cpu" }),
            Self::Requests => json!({ "by": "requests" }),
            Self::Sales => json!({ "by": "requests", "sales": [sale("2026-12-05 20:00")] }),
        }
    }
}

/// The digest of an image.
pub(crate) const DIGEST: &str =
    "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The values that are the same in all combinations, different from their defaults.
pub(crate) fn with_all_further_values() -> Value {
    json!({
        "image": {
            "repository": "registry.example.com/boxoffice",
            "tag": "1.2.3",
            "digest": DIGEST,
            "pullPolicy": "Always",
            "pullSecrets": ["registry"],
        },
        "resources": { "limits": { "cpu": 4, "memory": "2Gi" } },
        "autoscaling": {
            "by": "requests",
            "sales": [sale("2026-12-05 20:00"), sale("2027-01-05 20:00")],
        },
        "gateway": {
            "enabled": true,
            "sectionName": "https",
            "hostnames": ["a.example.com", "b.example.com"],
        },
        "monitoring": {
            "serviceMonitor": true,
            "rules": true,
            "labels": { "release": "prometheus" },
        },
        "networkPolicy": { "egressPorts": [6380] },
        "podAnnotations": { "example.com/owner": "tickets" },
        "nodeSelector": { "kubernetes.io/arch": "amd64" },
        "tolerations": [{ "key": "sale", "operator": "Exists", "effect": "NoSchedule" }],
        "priorityClassName": "sale",
    })
}

/// A sale that opens at this time in Seoul.
pub(crate) fn sale(opens: &str) -> Value {
    json!({
        "opens": opens,
        "timezone": "Asia/Seoul",
        "leadMinutes": 30,
        "hours": 4,
        "replicas": 8,
    })
}
