//! A private Prometheus scrapes a test's endpoints, and `promtool` accepts the rules of this
//! repository.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use test_support::{Prometheus, PrometheusBinaries, observability};

const LIMIT: Duration = Duration::from_secs(60);

fn binaries() -> PrometheusBinaries {
    PrometheusBinaries::find().unwrap()
}

/// The folder of the rules and dashboards.
fn deployed() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap().join("deploy/observability")
}

/// Waits until `get` returns something.
fn eventually<T>(what: &str, mut get: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(found) = get() {
            return found;
        }
        assert!(Instant::now() < end, "not within {LIMIT:?}: {what}");
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// Answers every request with this page until the test ends.
fn serve(page: &'static str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let length = page.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n"
            );
            let _ = stream.write_all(format!("{head}{page}").as_bytes());
        }
    });
    address
}

#[test]
fn it_scrapes_answers_and_frees_its_port() {
    let target = serve("# TYPE tickets gauge\ntickets{queue=\"main\"} 451\n");
    let config = format!(
        "global:\n  scrape_interval: 100ms\nscrape_configs:\n  - job_name: boxoffice\n    static_configs:\n      - \
         targets: [\"{target}\"]\n"
    );
    let prometheus = Prometheus::start(&binaries(), &config).unwrap();
    let found = eventually("it has scraped", || prometheus.query("tickets").unwrap().pop());
    assert!((found.value - 451.0).abs() < f64::EPSILON);
    assert_eq!(found.labels["queue"], "main");
    assert_eq!(found.labels["instance"], target.to_string());
    assert_eq!(prometheus.query("no_such_metric").unwrap(), []);
    let wrong = prometheus.query("tickets{").unwrap_err().to_string();
    assert!(wrong.contains("parse error"), "{wrong}");

    let address = prometheus.address();
    drop(prometheus);
    assert!(TcpStream::connect(address).is_err());
    TcpListener::bind(address).unwrap();
}

#[test]
fn an_invalid_configuration_returns_the_servers_error() {
    let error = Prometheus::start(&binaries(), "nonsense: true\n").err().unwrap().to_string();
    assert!(error.contains("nonsense"), "{error}");
}

/// The rules, with each group evaluated several times a second, so that the test need not wait
/// minutes.
fn hasty_rules() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in observability::files(&deployed().join("prometheus/rules"), "yml").unwrap() {
        let text = observability::read(&file).unwrap();
        let hasty = |line: &str| {
            let is_interval = line.trim_start().starts_with("interval:");
            if is_interval { "    interval: 300ms".to_owned() } else { line.to_owned() }
        };
        let lines: Vec<String> = text.lines().map(hasty).collect();
        fs::write(folder.path().join(file.file_name().unwrap()), lines.join("\n")).unwrap();
    }
    folder
}

#[test]
fn a_server_evaluates_the_rules_without_errors() {
    let target = serve("# TYPE boxoffice_panics_total counter\nboxoffice_panics_total 0\n");
    let rules = hasty_rules();
    let config = format!(
        "global:\n  scrape_interval: 100ms\nrule_files:\n  - {}/*.yml\nscrape_configs:\n  - job_name: boxoffice\n    \
         static_configs:\n      - targets: [\"{target}\"]\n",
        rules.path().display()
    );
    let prometheus = Prometheus::start(&binaries(), &config).unwrap();
    let watchdog = r#"ALERTS{alertname="Watchdog", alertstate="firing", severity="none"}"#;
    eventually("the watchdog fires", || prometheus.query(watchdog).unwrap().pop());
    let is_done = |rule: &serde_json::Value| rule["health"] != "unknown";
    let rules = eventually("every rule has been evaluated", || {
        let data = prometheus.api("rules", &[]).unwrap();
        let groups = data["groups"].as_array().unwrap().iter();
        let rules = groups.flat_map(|group| group["rules"].as_array().unwrap().clone());
        let rules: Vec<serde_json::Value> = rules.collect();
        rules.iter().all(is_done).then_some(rules)
    });
    let bad: Vec<_> = rules.iter().filter(|rule| rule["health"] != "ok").collect();
    assert!(bad.is_empty(), "{bad:#?}");
    let files = observability::files(&deployed().join("prometheus/rules"), "yml").unwrap();
    let read = files
        .iter()
        .flat_map(|file| observability::read_rules(&observability::read(file).unwrap()));
    let mut names: Vec<String> = read.map(|rule| rule.name().to_owned()).collect();
    let mut loaded: Vec<String> =
        rules.iter().map(|rule| rule["name"].as_str().unwrap().to_owned()).collect();
    names.sort_unstable();
    loaded.sort_unstable();
    assert_eq!(names, loaded, "the rules read here and by Prometheus");
}

#[test]
fn a_server_accepts_every_query_of_dashboards_and_runbook() {
    let prometheus = Prometheus::start(&binaries(), "global: {}\n").unwrap();
    let mut requested: Vec<(String, String)> = observability::expressions(&deployed())
        .unwrap()
        .into_iter()
        .map(|expression| (expression.place, expression.text))
        .collect();
    let runbook = deployed().join("../../docs/runbook");
    for file in observability::files(&runbook, "md").unwrap() {
        let text = observability::read(&file).unwrap();
        let place = file.display().to_string();
        requested
            .extend(observability::queries(&text).map(|query| (place.clone(), query.to_owned())));
    }
    let understands = |text: &str| {
        // The query as Grafana fills it in.
        let text = text.replace("$__rate_interval", "1m");
        prometheus.api("query", &[("query", &text)])
    };
    let wrong: Vec<String> = requested
        .iter()
        .filter_map(|(place, text)| Some(format!("{place}: {text}: {}", understands(text).err()?)))
        .collect();
    assert!(requested.len() > 200, "{} queries", requested.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs `promtool` on these files.
fn promtool(words: &[&str], files: &[PathBuf]) {
    let mut command = binaries().promtool();
    let output = command.args(words).args(files).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "promtool {}:\n{}",
        words.join(" "),
        String::from_utf8_lossy(&said)
    );
}

#[test]
fn the_configuration_is_valid() {
    promtool(&["check", "config"], &[deployed().join("prometheus/prometheus.yml")]);
}

#[test]
fn the_rules_are_valid() {
    let files = observability::files(&deployed().join("prometheus/rules"), "yml").unwrap();
    promtool(&["check", "rules"], &files);
}

#[test]
fn every_alert_fires_clears_and_stays_silent_in_its_cases() {
    let files = observability::files(&deployed().join("prometheus/tests"), "yml").unwrap();
    promtool(&["test", "rules"], &files);
}
