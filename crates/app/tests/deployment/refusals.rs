//! Values that cannot work are refused before anything is installed.

use serde_json::{Value, json};

use crate::rendering::{refusal, render};

/// Values in one line: a path of keys, and the value at its end.
fn at(path: &str, value: Value) -> Value {
    path.rsplit('.').fold(value, |inner, key| json!({ key: inner }))
}

#[track_caller]
fn is_refused(values: &Value, expected: &str) {
    let said = refusal(values);
    assert!(said.contains(expected), "{values} is refused with: {said}");
}

/// A release in memory, with more values.
fn in_memory(more: Value) -> Value {
    let mut values = json!({
        "replicas": 1,
        "config": {
            "queue": {
                "store": "memory",
                "durability": "primary",
                "checkpoint": { "store": "none" },
            },
            "catalog": { "store": "memory" },
            "cache": { "store": "memory" },
        },
        "secret": { "name": "" },
    });
    let Value::Object(more) = more else { panic!("{more} is not an object") };
    for (key, value) in more {
        values[key] = value;
    }
    values
}

#[test]
fn a_queue_in_memory_is_one_pod() {
    render(&in_memory(json!({})));
    is_refused(&in_memory(json!({ "replicas": 2 })), "at '/replicas': value must be 1");
    for by in ["cpu", "requests"] {
        let scaled = in_memory(json!({ "autoscaling": { "by": by } }));
        is_refused(&scaled, "at '/autoscaling/by': value must be 'none'");
    }
}

#[test]
fn two_autoscalers_at_once_are_refused() {
    for key in ["hpa", "keda"] {
        let enabled = at(&format!("autoscaling.{key}.enabled"), json!(true));
        is_refused(&enabled, &format!("additional properties '{key}' not allowed"));
    }
    is_refused(&at("autoscaling.by", json!("cpu,requests")), "at '/autoscaling/by'");
}

#[test]
fn the_operations_port_cannot_be_exposed() {
    for (path, value, place) in [
        ("config.ops.bind", json!("0.0.0.0:80"), "/config/ops/bind"),
        ("config.http.bind", json!("0.0.0.0:9081"), "/config/http/bind"),
        ("service.ports", json!([9081]), "additional properties 'service'"),
        ("gateway.port", json!(9081), "additional properties 'port'"),
        ("gateway.paths", json!(["/metrics"]), "additional properties 'paths'"),
    ] {
        is_refused(&at(path, value), place);
    }
}

#[test]
fn secrets_in_the_values_are_refused() {
    let url = json!("redis://user:password@host:6379");
    for path in [
        "config.queue.keys",
        "config.postgres.url",
        "config.redis.queue.url",
        "config.redis.cache.url",
        "config.redis.queue.sentinel.password",
        "config.redis.cache.sentinel.password",
        "config.telemetry.otlp.headers",
    ] {
        is_refused(&at(path, url.clone()), &format!("/{}", path.replace('.', "/")));
    }
}

#[test]
fn servers_need_a_secret() {
    is_refused(&at("secret.name", json!("")), "at '/secret/name': minLength");
    for (store, value) in [
        ("catalog", json!({ "store": "postgres" })),
        ("cache", json!({ "store": "redis" })),
        ("queue", json!({ "store": "memory", "checkpoint": { "store": "postgres" } })),
    ] {
        let mut values = in_memory(json!({}));
        values["config"][store] = value;
        is_refused(&values, "at '/secret/name': minLength");
    }
}

#[test]
fn a_stop_cannot_be_cut_short() {
    for (key, value) in
        [("margin", 0), ("preStop", 0), ("delay", 0), ("shutdown", 4), ("shutdown", 3600)]
    {
        is_refused(&at(&format!("drain.{key}"), json!(value)), &format!("at '/drain/{key}'"));
    }
    is_refused(&at("config.http.drain_delay", json!("60s")), "/config/http/drain_delay");
    is_refused(&at("config.http.shutdown_timeout", json!("5m")), "/config/http/shutdown_timeout");
}

#[test]
fn numbers_of_pods_that_cannot_work_are_refused() {
    is_refused(&at("replicas", json!(0)), "at '/replicas'");
    for by in ["cpu", "requests"] {
        let scaled = |more: &[(&str, u64)]| {
            let mut values = at("autoscaling.by", json!(by));
            for (key, value) in more {
                values["autoscaling"][*key] = json!(value);
            }
            values
        };
        is_refused(&scaled(&[("minReplicas", 0)]), "at '/autoscaling/minReplicas'");
        is_refused(&scaled(&[("minReplicas", 1)]), "at '/autoscaling/minReplicas'");
        is_refused(
            &scaled(&[("minReplicas", 5), ("maxReplicas", 4)]),
            "autoscaling.maxReplicas must be at least autoscaling.minReplicas",
        );
    }
}

#[test]
fn unknown_keys_are_refused_at_every_level() {
    for path in [
        "replicaCount",
        "image.name",
        "resources.requests.gpu",
        "secret.value",
        "secret.keys.password",
        "migrate.image",
        "drain.grace",
        "autoscaling.enabled",
        "gateway.className",
        "monitoring.prometheus",
        "networkPolicy.public",
    ] {
        let key = path.rsplit('.').next().unwrap();
        is_refused(&at(path, json!("x")), &format!("additional properties '{key}' not allowed"));
    }
}

#[test]
fn an_image_without_a_fixed_version_is_refused() {
    is_refused(&at("image.tag", json!("latest")), "at '/image/tag'");
    is_refused(&at("image.digest", json!("sha256:abc")), "at '/image/digest'");
}
