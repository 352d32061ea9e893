//! The results of k6 arrive in InfluxDB, where the dashboard finds them, and in Prometheus.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use test_support::{
    Influx, InfluxBinaries, K6Binary, Prometheus, PrometheusBinaries, Series, observability,
    run_within,
};

/// The time limit of a run, which takes two seconds on an idle machine.
const LIMIT: Duration = Duration::from_secs(120);

/// The id of the runs.
const RUN: &str = "2026-11-25-2000";

/// Three requests.
const THREE: &str = "{ executor: 'shared-iterations', vus: 1, iterations: 3, maxDuration: '30s' }";

/// More requests than one user can send, so that iterations are dropped, for longer than the second
/// after which k6 first reports the number of users.
const TOO_MANY: &str = "{ executor: 'constant-arrival-rate', rate: 50, timeUnit: '1s', duration: '1500ms', \
                        preAllocatedVUs: 1, maxVUs: 1, gracefulStop: '30s' }";

/// A site that counts its requests.
struct Site {
    address: SocketAddr,
    requested: Arc<AtomicU64>,
}

impl Site {
    /// Answers all requests on all connections alike until the test ends.
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let requested = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&requested);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counter = Arc::clone(&counter);
                thread::spawn(move || answer(stream, &counter));
            }
        });
        Self { address, requested }
    }

    fn requested(&self) -> u64 {
        self.requested.load(Ordering::SeqCst)
    }
}

fn answer(mut stream: TcpStream, requested: &AtomicU64) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    for line in lines.map_while(Result::ok) {
        if line.is_empty() {
            requested.fetch_add(1, Ordering::SeqCst);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    }
}

/// The folder of the rules and dashboards.
fn deployed() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap().join("deploy/observability")
}

/// Runs k6 against the site to its end; `output` sets the destination of the results.
fn load(site: &Site, scenario: &str, output: impl FnOnce(&mut Command)) {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script.js");
    let text = format!(
        "import http from 'k6/http';\nimport {{ check, sleep }} from 'k6';\n\
         export const options = {{ scenarios: {{ all: {scenario} }} }};\n\
         export default function () {{\n\
         const answer = http.get('http://{}/', {{ tags: {{ name: 'page' }} }});\n\
         check(answer, {{ 'is there': (answer) => answer.status === 200 }});\n\
         sleep(0.1);\n}}\n",
        site.address
    );
    fs::write(&script, text).unwrap();
    let mut command = K6Binary::find().unwrap().command();
    command.args(["run", "--quiet", "--tag"]).arg(format!("testid={RUN}"));
    output(&mut command);
    let (status, said) = run_within(command.arg(script), LIMIT).unwrap();
    assert!(status.success(), "{said}");
    assert!(!said.contains("level=error"), "{said}");
}

fn load_to_influx(site: &Site, scenario: &str) -> Influx {
    let influx = Influx::start(&InfluxBinaries::find().unwrap()).unwrap();
    influx.run_file(&deployed().join("influxdb/k6.iql")).unwrap();
    let place = format!("influxdb=http://{}/k6", influx.address());
    load(site, scenario, |command| {
        command.args(["--out", &place]);
    });
    influx
}

/// The only number of the only row of an answer.
fn number(series: &[Series]) -> &Value {
    assert!(series.len() == 1 && series[0].values.len() == 1, "{series:?}");
    &series[0].values[0][1]
}

#[test]
fn every_request_is_in_influxdb_once_and_kept_as_deployed() {
    let site = Site::start();
    let influx = load_to_influx(&site, THREE);
    assert_eq!(site.requested(), 3);
    let count = influx.query("k6", "SELECT count(\"value\") FROM \"runs\".\"http_reqs\"").unwrap();
    assert_eq!(number(&count), &json!(3));
    let sum = influx.query("k6", "SELECT sum(\"value\") FROM \"http_reqs\"").unwrap();
    assert_eq!(number(&sum), &json!(3));
}

/// The query as Grafana fills it in for one run in the last hour.
fn filled_in(query: &str) -> String {
    let query = query.replace("$timeFilter", "time > now() - 1h").replace("$__interval", "1s");
    query.replace("$testid", RUN)
}

/// Any other dollar sign ends a pattern.
fn has_variable(query: &str) -> bool {
    let begins_a_name =
        |rest: &str| rest.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '{');
    query.split('$').skip(1).any(begins_a_name)
}

/// The fault in the answer to a dashboard's query, if any.
fn fault(influx: &Influx, query: &str) -> Option<String> {
    let query = filled_in(query);
    let series = match influx.query("k6", &query) {
        Ok(series) => series,
        Err(error) => return Some(error.to_string()),
    };
    let has_rows = !series.is_empty() && series.iter().all(|series| !series.values.is_empty());
    let is_empty = |(_, value): (&String, &String)| value.is_empty();
    if has_variable(&query) {
        Some("an unknown variable".to_owned())
    } else if !has_rows {
        Some("no rows".to_owned())
    } else {
        // Grouping by a tag that is never written gives one series with an empty tag.
        let has_empty_tag = series.iter().any(|series| series.tags.iter().any(is_empty));
        has_empty_tag.then(|| "a tag that is not written".to_owned())
    }
}

#[test]
fn the_dashboard_finds_a_run_in_influxdb() {
    let site = Site::start();
    let influx = load_to_influx(&site, TOO_MANY);
    let queries = observability::influx_queries(&deployed()).unwrap();
    assert!(queries.len() > 20, "{} queries", queries.len());
    let wrong: Vec<String> = queries
        .iter()
        .filter_map(|requested| {
            Some(format!(
                "{}: {}: {}",
                requested.place,
                requested.text,
                fault(&influx, &requested.text)?
            ))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let runs =
        queries.iter().find(|requested| requested.text.starts_with("SHOW TAG VALUES")).unwrap();
    let runs = influx.query("k6", &runs.text).unwrap();
    assert_eq!(runs[0].values, [[json!("testid"), json!(RUN)]]);
    let requests =
        queries.iter().find(|requested| requested.place.ends_with(": Requests")).unwrap();
    let requests = influx.query("k6", &filled_in(&requests.text)).unwrap();
    assert_eq!(number(&requests), &json!(site.requested()));
}

#[test]
fn a_query_of_unwritten_data_is_detected() {
    let influx = load_to_influx(&Site::start(), THREE);
    let faults = [
        ("SELECT sum(\"value\") FROM \"http_requests\" WHERE $timeFilter", "no rows"),
        (
            "SELECT sum(\"value\") FROM \"http_reqs\" GROUP BY \"route\"",
            "a tag that is not written",
        ),
        (
            "SELECT sum(\"value\") FROM \"http_reqs\" WHERE \"a\" = '$unknown'",
            "an unknown variable",
        ),
        ("SELECT total(\"value\") FROM \"http_reqs\"", "undefined function total()"),
    ];
    for (query, expected) in faults {
        let found = fault(&influx, query).unwrap();
        assert!(found.contains(expected), "{query}: {found}");
    }
}

#[test]
fn every_request_is_in_prometheus() {
    let site = Site::start();
    let prometheus = Prometheus::taking_writes(&PrometheusBinaries::find().unwrap()).unwrap();
    load(&site, THREE, |command| {
        command.args(["--out", "experimental-prometheus-rw"]);
        command.env("K6_PROMETHEUS_RW_SERVER_URL", prometheus.write_url());
    });
    assert_eq!(site.requested(), 3);
    let found = prometheus.query("k6_http_reqs_total").unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!((found[0].value - 3.0).abs() < f64::EPSILON, "{found:?}");
    assert_eq!((&*found[0].labels["name"], &*found[0].labels["testid"]), ("page", RUN));
    assert_eq!(prometheus.query("k6_http_req_duration_p99").unwrap().len(), 1);
}
