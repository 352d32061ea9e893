//! The metrics and alerts of a Prometheus while scripts run: each family of metrics, and the firing
//! alerts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use test_support::{
    Outcome, Prometheus, PrometheusBinaries, Redis, RedisSetup, find_or_install_prometheus,
    find_or_install_redis,
};

use super::deployment;
use super::report::Report;
use crate::cluster::k6::Script;
use crate::cluster::node::Node;
use test_support::workspace::root;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The k6 scripts, run in sequence; they aim at port 8081
    #[arg(long, value_name = "FILE", default_values = ["loadtest/token-issue.js", "loadtest/concert-list.js"])]
    k6: Vec<PathBuf>,
}

/// The queries after the load, by family. Sums and quantiles keep an answer to a few lines.
const QUESTIONS: &[(&str, &str)] = &[
    (
        "requests",
        "sum by (http_route, http_response_status_code) (http_server_request_duration_seconds_count)",
    ),
    (
        "requests",
        "histogram_quantile(0.99, sum by (le) (rate(http_server_request_duration_seconds_bucket[5m])))",
    ),
    ("line", "boxoffice_queue_last"),
    ("line", "boxoffice_queue_serving"),
    ("line", "boxoffice_queue_waiting"),
    ("line", "boxoffice_queue_active / boxoffice_queue_active_limit"),
    ("line", "boxoffice_queue_joined_total"),
    ("line", "boxoffice_queue_claimed_total"),
    ("line", "boxoffice_queue_lapsed_total"),
    ("line", "boxoffice_queue_left_total"),
    ("line", "sum by (reason) (boxoffice_queue_refused_total)"),
    ("line", "histogram_quantile(0.5, sum by (le) (boxoffice_queue_wait_duration_seconds_bucket))"),
    (
        "line",
        "histogram_quantile(0.9, sum by (le, direction) (boxoffice_queue_promise_error_seconds_bucket))",
    ),
    ("line", "boxoffice_queue_view_age_seconds < boxoffice_queue_view_limit_seconds"),
    ("line", "time() - boxoffice_queue_step_time_seconds"),
    (
        "dependencies",
        "sum by (db_system_name, db_operation_name) (db_client_operation_duration_seconds_count)",
    ),
    (
        "dependencies",
        "sum by (db_client_connection_pool_name, db_client_connection_state) (db_client_connection_count)",
    ),
    ("dependencies", "db_client_connection_max"),
    ("dependencies", "db_client_connection_timeouts_total"),
    ("dependencies", "boxoffice_dependency_up"),
    ("dependencies", "boxoffice_redis_memory_used_bytes"),
    ("dependencies", "boxoffice_redis_batches_total"),
    ("breakers", "boxoffice_circuit_breaker_state == 1"),
    ("breakers", "sum by (breaker, kind) (boxoffice_circuit_breaker_calls_total) > 0"),
    ("caches", "sum by (cache, layer, result) (boxoffice_cache_requests_total) > 0"),
    ("caches", "boxoffice_cache_size_bytes"),
    ("overload", "boxoffice_overload_passed_total > 0"),
    ("overload", "sum(boxoffice_overload_shed_total) + sum(boxoffice_overload_rate_limited_total)"),
    ("process", "process_cpu_time_seconds_total"),
    ("process", "process_memory_usage_bytes"),
    ("process", "process_unix_file_descriptor_count"),
    ("process", "process_thread_count"),
    ("process", "system_network_io_bytes_total"),
    ("program", "boxoffice_build_info"),
    ("program", "boxoffice_log_events_total"),
    ("program", "boxoffice_panics_total"),
    ("program", "boxoffice_telemetry_dropped_total{signal=\"lines\"}"),
];

/// Limit for the next scrape.
const LOOKED_WITHIN: Duration = Duration::from_secs(20);

pub(super) fn watched(arguments: &Arguments, settings: &[String], report: &mut Report) -> Outcome {
    let binaries = find_or_install_prometheus(|line| println!("{line}"))?;
    let database = deployment::database(report)?;
    let copies = deployment::cache(deployment::ENOUGH, report)?;
    let line =
        Redis::start(&find_or_install_redis(|line| println!("{line}"))?, RedisSetup::default())?;
    report.add("a Redis of its own for the line");
    let ours = [
        "http.bind=127.0.0.1:8081".to_owned(),
        "queue.store=redis".to_owned(),
        format!("redis.queue.url=redis://{}", line.address()),
    ];
    let ours: Vec<&str> = ours.iter().map(String::as_str).collect();
    let nodes =
        deployment::nodes(1, database.server.address(), Some(&copies), &ours, settings, report)?;
    let Some(node) = nodes.first() else { return Ok(()) };
    let prometheus = watching(&binaries, node)?;
    report.add("a Prometheus looks every second, with the rules of deploy/observability");
    for script in &arguments.k6 {
        let (is_content, text) = Script::start(script)?.end()?;
        report.add(&text);
        report.expect(is_content, "every threshold of the script holds");
    }
    report.expect(looked_again(&prometheus)?, "Prometheus looked once more");
    for (family, question) in QUESTIONS {
        let answers = prometheus.query(question)?;
        report.add(format!("\n{family}: {question}"));
        for answer in &answers {
            report.add(format!("  {} {}", named(&answer.labels), answer.value));
        }
        report.expect(!answers.is_empty(), "it is known");
    }
    let firing = prometheus.query("ALERTS{alertstate=\"firing\"}")?;
    let firing: Vec<&str> = firing
        .iter()
        .filter_map(|alert| alert.labels.get("alertname").map(String::as_str))
        .collect();
    report.add(format!("\nalerts that fire: {}", firing.join(", ")));
    deployment::report_troubles(&nodes, report);
    Ok(())
}

fn watching(binaries: &PrometheusBinaries, node: &Node) -> Outcome<Prometheus> {
    let rules = root().join("deploy/observability/prometheus/rules/*.yml");
    let config = format!(
        "global:\n  scrape_interval: 1s\n  evaluation_interval: 5s\nrule_files:\n  - \"{}\"\nscrape_configs:\n  \
         - job_name: boxoffice\n    static_configs:\n      - targets: [\"{}\"]\n",
        rules.display(),
        node.ops
    );
    Prometheus::start(binaries, &config)
}

/// Waits for another scrape, by Prometheus' own clock, up to [`LOOKED_WITHIN`].
fn looked_again(prometheus: &Prometheus) -> Outcome<bool> {
    let now =
        prometheus.query("vector(time())")?.first().map_or(f64::INFINITY, |clock| clock.value);
    let limit = Instant::now() + LOOKED_WITHIN;
    while Instant::now() < limit {
        if prometheus.query("timestamp(up == 1)")?.iter().any(|looked| looked.value > now) {
            return Ok(true);
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    Ok(false)
}

/// Labels, except those that are the same everywhere.
fn named(labels: &BTreeMap<String, String>) -> String {
    let own =
        labels.iter().filter(|(name, _)| !matches!(name.as_str(), "__name__" | "instance" | "job"));
    own.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}
