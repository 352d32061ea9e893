//! When pods are added and removed.

use serde_json::{Value, json};

use crate::options::sale;
use crate::rendering::{NAMESPACE, RELEASE, refusal, render};

const METRICS: &str = include_str!("../../../../docs/metrics.md");

fn behavior() -> Value {
    json!({
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "policies": [{ "type": "Percent", "value": 100, "periodSeconds": 15 }],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": 600,
            "policies": [{ "type": "Pods", "value": 1, "periodSeconds": 60 }],
        },
    })
}

#[test]
fn the_horizontal_autoscaler_watches_the_processor() {
    let release = render(&json!({ "autoscaling": { "by": "cpu", "cpuPercent": 55 } }));
    let spec = &release.one("HorizontalPodAutoscaler")["spec"];
    let target = json!({ "type": "Utilization", "averageUtilization": 55 });
    let metrics = json!([{ "type": "Resource", "resource": { "name": "cpu", "target": target } }]);
    assert_eq!((&spec["metrics"], &spec["behavior"]), (&metrics, &behavior()));
}

/// The whole object, since its schema is not at hand.
#[test]
fn keda_keeps_the_pods_if_there_is_no_data() {
    let values = json!({ "by": "requests", "minReplicas": 4, "sales": [sale("2026-12-05 20:00")] });
    let release = render(&json!({ "autoscaling": values }));
    let scaled = release.one("ScaledObject");
    let query = format!(
        "sum(rate(http_server_request_duration_seconds_count\
         {{job=\"boxoffice\", namespace=\"{NAMESPACE}\", service=\"{RELEASE}-ops\"}}[1m]))"
    );
    let requests = json!({
        "serverAddress": "http://prometheus-operated.monitoring:9090",
        "query": query,
        "threshold": "5000",
        "ignoreNullValues": "false",
    });
    let sale = json!({
        "timezone": "Asia/Seoul",
        "start": "30 19 5 12 *",
        "end": "0 00 6 12 *",
        "desiredReplicas": "8",
    });
    let spec = json!({
        "scaleTargetRef": scaled["spec"]["scaleTargetRef"],
        "minReplicaCount": 4,
        "maxReplicaCount": 12,
        "pollingInterval": 15,
        "fallback": {
            "failureThreshold": 3,
            "replicas": 4,
            "behavior": "currentReplicasIfHigher",
        },
        "advanced": {
            "restoreToOriginalReplicaCount": false,
            "horizontalPodAutoscalerConfig": { "behavior": behavior() },
        },
        "triggers": [
            { "type": "cpu", "metricType": "Utilization", "metadata": { "value": "60" } },
            {
                "type": "prometheus",
                "name": "requests",
                "metricType": "AverageValue",
                "metadata": requests,
            },
            { "type": "cron", "metadata": sale },
        ],
    });
    assert_eq!(scaled["apiVersion"], "keda.sh/v1alpha1");
    assert_eq!(scaled["spec"], spec);
    assert!(METRICS.contains("`http_server_request_duration_seconds`"), "KEDA queries this");
}

#[test]
fn pods_are_there_before_a_sale_opens() {
    for (opens, start, end) in [
        ("2026-12-05 20:00", "30 19 5 12 *", "0 00 6 12 *"),
        ("2026-03-01 00:10", "40 23 28 2 *", "10 04 1 3 *"),
        ("2026-12-31 23:59", "29 23 31 12 *", "59 03 1 1 *"),
    ] {
        let release =
            render(&json!({ "autoscaling": { "by": "requests", "sales": [sale(opens)] } }));
        let triggers = &release.one("ScaledObject")["spec"]["triggers"];
        let found = (&triggers[2]["metadata"]["start"], &triggers[2]["metadata"]["end"]);
        assert_eq!(found, (&json!(start), &json!(end)), "{opens}");
    }
}

#[test]
fn a_sale_that_cannot_be_scheduled_is_refused() {
    let refused = |by: &str, sale: Value, expected: &str| {
        let said = refusal(&json!({ "autoscaling": { "by": by, "sales": [sale] } }));
        assert!(said.contains(expected), "{said}");
    };
    let good = sale("2026-12-05 20:00");
    for by in ["none", "cpu"] {
        refused(by, good.clone(), "at '/autoscaling/by': value must be 'requests'");
    }
    refused("requests", sale("tomorrow"), "at '/autoscaling/sales/0/opens'");
    refused("requests", sale("2026-02-30 20:00"), "there is no such time");
    for (key, value, expected) in [
        ("replicas", json!(13), "replicas must be at most autoscaling.maxReplicas"),
        ("leadMinutes", json!(0), "at '/autoscaling/sales/0/leadMinutes'"),
        ("timezone", json!("KST+9"), "at '/autoscaling/sales/0/timezone'"),
    ] {
        let mut wrong = good.clone();
        wrong[key] = value;
        refused("requests", wrong, expected);
    }
}
