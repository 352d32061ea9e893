//! What must hold in every release.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::options::{DIGEST, Options, Scaling};
use crate::rendering::{RELEASE, Release};

pub(crate) fn check(options: &Options, release: &Release) {
    the_objects_are_those_of_the_options(options, release);
    names_and_labels(release);
    pods_stop_within_their_grace(release);
    probes_use_the_operations_port(release);
    pods_have_no_privileges(release);
    the_operations_port_is_not_public(release);
    selectors_find_the_pods_and_no_others(release);
    the_number_of_pods(options, release);
    secrets_are_referred_to(options, release);
    the_migration_needs_nothing_of_the_release(release);
}

fn the_objects_are_those_of_the_options(options: &Options, release: &Release) {
    let expected = [
        ("HTTPRoute", options.gateway),
        ("ServiceMonitor", options.service_monitor),
        ("PrometheusRule", options.rules),
        ("NetworkPolicy", options.policy),
        ("Job", options.migrate && options.stores.postgres),
        ("HorizontalPodAutoscaler", options.scaling == Scaling::Cpu),
        ("ScaledObject", matches!(options.scaling, Scaling::Requests | Scaling::Sales)),
    ];
    let mut kinds = vec!["ConfigMap", "Deployment", "PodDisruptionBudget", "ServiceAccount"];
    kinds.extend(["Service", "Service"]);
    kinds.extend(expected.iter().filter(|(_, is_there)| *is_there).map(|(kind, _)| *kind));
    let mut found: Vec<_> =
        release.all().iter().map(|object| object["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, kinds, "{options:?}");
}

fn names_and_labels(release: &Release) {
    let mut seen = BTreeSet::new();
    for object in release.all() {
        let name = object["metadata"]["name"].as_str().unwrap();
        assert!(name.starts_with(RELEASE), "{name}");
        assert!(seen.insert((object["kind"].as_str().unwrap(), name)), "{name} is there twice");
        let labels = &object["metadata"]["labels"];
        assert_eq!(labels["app.kubernetes.io/instance"], RELEASE);
        assert_eq!(labels["app.kubernetes.io/version"], env!("CARGO_PKG_VERSION"));
    }
}

fn pods_stop_within_their_grace(release: &Release) {
    let pod = pod(release);
    let configured: toml::Table = release.configuration().parse().unwrap();
    let seconds = |key: &str| -> u64 {
        let text = configured["http"][key].as_str().unwrap();
        text.strip_suffix('s').unwrap().parse().unwrap()
    };
    let before = container(release)["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
    let needed = before + seconds("drain_delay") + seconds("shutdown_timeout");
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(grace >= needed + 5, "a grace of {grace} s for a stop of {needed} s");
}

fn probes_use_the_operations_port(release: &Release) {
    let container = container(release);
    let ports = json!([
        { "name": "http", "containerPort": 8081 },
        { "name": "ops", "containerPort": 9081 },
    ]);
    assert_eq!(container["ports"], ports);
    for (probe, path) in
        [("startupProbe", "/startupz"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")]
    {
        assert_eq!(container[probe]["httpGet"], json!({ "path": path, "port": "ops" }));
    }
    let configured: toml::Table = release.configuration().parse().unwrap();
    assert_eq!(configured["http"]["bind"].as_str(), Some("0.0.0.0:8081"));
    assert_eq!(configured["ops"]["bind"].as_str(), Some("0.0.0.0:9081"));
}

fn pods_have_no_privileges(release: &Release) {
    for workload in [release.of_kind("Deployment"), release.of_kind("Job")].concat() {
        let pod = &workload["spec"]["template"]["spec"];
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["enableServiceLinks"], false);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_ne!(pod["securityContext"]["runAsUser"], 0);
        assert_eq!(pod["securityContext"]["seccompProfile"], json!({ "type": "RuntimeDefault" }));
        for container in pod["containers"].as_array().unwrap() {
            let expected = json!({
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": { "drop": ["ALL"] },
            });
            assert_eq!(container["securityContext"], expected);
            let resources = &container["resources"];
            for kind in ["requests", "limits"] {
                assert!(
                    resources[kind]["cpu"].is_string() && resources[kind]["memory"].is_string()
                );
            }
        }
    }
    assert_eq!(release.one("ServiceAccount")["automountServiceAccountToken"], false);
    let image = format!("boxoffice:{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(container(release)["image"], image);
    let resources = json!({ "cpu": "2", "memory": "1Gi" });
    assert_eq!(container(release)["resources"]["limits"], resources);
}

/// The operations port is in the Service without an address, and there alone.
fn the_operations_port_is_not_public(release: &Release) {
    let (operations, public): (Vec<_>, Vec<_>) = release
        .of_kind("Service")
        .into_iter()
        .partition(|service| service["spec"]["clusterIP"] == "None");
    assert_eq!((operations.len(), public.len()), (1, 1));
    assert_eq!(public[0]["spec"]["type"], "ClusterIP");
    let ports =
        json!([{ "name": "http", "port": 80, "targetPort": "http", "appProtocol": "http" }]);
    assert_eq!(public[0]["spec"]["ports"], ports);
    assert_eq!(operations[0]["spec"]["ports"][0]["targetPort"], "ops");
    for route in release.of_kind("HTTPRoute") {
        let spec = json!({
            "parentRefs": [{ "name": "gateway", "namespace": "gateway-system" }],
            "hostnames": ["tickets.example.com"],
            "rules": [{
                "matches": [{ "path": { "type": "PathPrefix", "value": "/api/v1" } }],
                "backendRefs": [{ "name": public[0]["metadata"]["name"], "port": 80 }],
            }],
        });
        assert_eq!(route["apiVersion"], "gateway.networking.k8s.io/v1");
        assert_eq!(route["spec"], spec);
    }
    for policy in release.of_kind("NetworkPolicy") {
        let allowed = |namespace: &str, port: &str| {
            let labels = json!({ "kubernetes.io/metadata.name": namespace });
            json!({
                "from": [{ "namespaceSelector": { "matchLabels": labels } }],
                "ports": [{ "port": port, "protocol": "TCP" }],
            })
        };
        let ingress = json!([allowed("gateway-system", "http"), allowed("monitoring", "ops")]);
        assert_eq!(policy["spec"]["ingress"], ingress);
        assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
        let ports = policy["spec"]["egress"][0]["ports"].as_array().unwrap();
        let ports: Vec<_> = ports.iter().map(|port| port["port"].as_u64().unwrap()).collect();
        assert_eq!(ports, [53, 53, 5432, 6379, 26379]);
    }
}

fn selectors_find_the_pods_and_no_others(release: &Release) {
    let labels = |workload: &Value| workload["spec"]["template"]["metadata"]["labels"].clone();
    let pods = labels(release.one("Deployment"));
    let mut selectors = vec![release.one("Deployment")["spec"]["selector"]["matchLabels"].clone()];
    for service in release.of_kind("Service") {
        selectors.push(service["spec"]["selector"].clone());
    }
    selectors.push(release.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"].clone());
    for policy in release.of_kind("NetworkPolicy") {
        selectors.push(policy["spec"]["podSelector"]["matchLabels"].clone());
    }
    for constraint in pod(release)["topologySpreadConstraints"].as_array().unwrap() {
        selectors.push(constraint["labelSelector"]["matchLabels"].clone());
    }
    for selector in selectors {
        assert!(selects(&selector, &pods), "{selector} does not select {pods}");
        for job in release.of_kind("Job") {
            assert!(!selects(&selector, &labels(job)), "{selector} selects the migration");
        }
    }
}

pub(crate) fn selects(selector: &Value, labels: &Value) -> bool {
    let selector = selector.as_object().unwrap();
    !selector.is_empty() && selector.iter().all(|(label, value)| labels[label] == *value)
}

fn the_number_of_pods(options: &Options, release: &Release) {
    let spec = &release.one("Deployment")["spec"];
    assert_eq!(release.one("PodDisruptionBudget")["spec"]["maxUnavailable"], 1);
    if !options.stores.redis_queue {
        assert_eq!(spec["replicas"], 1);
        assert_eq!(spec["strategy"], json!({ "type": "Recreate" }));
        return;
    }
    assert_eq!(spec["strategy"]["rollingUpdate"]["maxUnavailable"], 0);
    let (least, most) = match options.scaling {
        Scaling::None => {
            assert_eq!(spec["replicas"], 3);
            return;
        }
        Scaling::Cpu => ("minReplicas", "maxReplicas"),
        Scaling::Requests | Scaling::Sales => ("minReplicaCount", "maxReplicaCount"),
    };
    // An upgrade would otherwise reset the number that the autoscaler has chosen.
    assert!(spec.get("replicas").is_none());
    let scaler =
        [release.of_kind("HorizontalPodAutoscaler"), release.of_kind("ScaledObject")].concat();
    assert_eq!(scaler.len(), 1);
    let scaler = &scaler[0]["spec"];
    assert_eq!((&scaler[least], &scaler[most]), (&json!(3), &json!(12)));
    let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": RELEASE });
    assert_eq!(scaler["scaleTargetRef"], target);
}

fn secrets_are_referred_to(options: &Options, release: &Release) {
    let stores = options.stores;
    let expected = [
        ("BOXOFFICE__QUEUE__KEYS", "queue-keys", stores.secret),
        ("BOXOFFICE__POSTGRES__URL", "postgres-url", stores.postgres),
        ("BOXOFFICE__REDIS__QUEUE__URL", "redis-queue-url", stores.redis_queue),
        ("BOXOFFICE__REDIS__CACHE__URL", "redis-cache-url", stores.redis_cache),
    ];
    let expected: Vec<Value> = expected
        .iter()
        .filter(|(_, _, is_needed)| *is_needed)
        .map(|(variable, key, _)| {
            let reference = json!({ "name": "boxoffice", "key": key });
            json!({ "name": variable, "valueFrom": { "secretKeyRef": reference } })
        })
        .collect();
    let found = container(release).get("env").cloned().unwrap_or(json!([]));
    assert_eq!(found, Value::from(expected));
}

/// Before an install there is nothing but the Secret.
fn the_migration_needs_nothing_of_the_release(release: &Release) {
    for job in release.of_kind("Job") {
        assert_eq!(job["metadata"]["annotations"]["helm.sh/hook"], "pre-install,pre-upgrade");
        let pod = &job["spec"]["template"]["spec"];
        assert!(pod.get("serviceAccountName").is_none() && pod.get("volumes").is_none());
        let container = &pod["containers"][0];
        assert_eq!(container["args"], json!(["migrate"]));
        let reference = json!({ "name": "boxoffice", "key": "postgres-url" });
        assert_eq!(container["env"][0]["valueFrom"]["secretKeyRef"], reference);
        assert!(job["spec"]["activeDeadlineSeconds"].is_u64());
    }
}

/// Values that no combination changes arrive in the pods that serve and in the migration.
pub(crate) fn further_values_are_used(release: &Release) {
    for workload in [release.one("Deployment"), release.one("Job")] {
        let pod = &workload["spec"]["template"]["spec"];
        assert_eq!(pod["imagePullSecrets"], json!([{ "name": "registry" }]));
        assert_eq!(pod["nodeSelector"], json!({ "kubernetes.io/arch": "amd64" }));
        assert_eq!(pod["tolerations"][0]["key"], "sale");
        let container = &pod["containers"][0];
        assert_eq!(container["image"], format!("registry.example.com/boxoffice@{DIGEST}"));
        assert_eq!(container["imagePullPolicy"], "Always");
    }
    assert_eq!(pod(release)["priorityClassName"], "sale");
    let annotations = &release.one("Deployment")["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(annotations["example.com/owner"], "tickets");
    assert!(annotations["checksum/config"].is_string());
    assert_eq!(container(release)["resources"]["limits"], json!({ "cpu": 4, "memory": "2Gi" }));
    let route = &release.one("HTTPRoute")["spec"];
    assert_eq!(route["parentRefs"][0]["sectionName"], "https");
    assert_eq!(route["hostnames"], json!(["a.example.com", "b.example.com"]));
    assert_eq!(release.one("ScaledObject")["spec"]["triggers"].as_array().unwrap().len(), 4);
    let ports = &release.one("NetworkPolicy")["spec"]["egress"][0]["ports"];
    assert_eq!(ports[2], json!({ "port": 6380, "protocol": "TCP" }));
}

fn pod(release: &Release) -> &Value {
    &release.one("Deployment")["spec"]["template"]["spec"]
}

/// The container that serves.
pub(crate) fn container(release: &Release) -> &Value {
    let containers = pod(release)["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 1);
    &containers[0]
}
