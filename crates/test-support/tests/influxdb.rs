//! A private InfluxDB stores data and accepts the deployed configuration.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use serde_json::json;
use test_support::{Influx, InfluxBinaries};

fn influx() -> Influx {
    Influx::start(&InfluxBinaries::find().unwrap()).unwrap()
}

/// The path of a deployed file.
fn deployed(file: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap().join("deploy/observability/influxdb").join(file)
}

#[test]
fn it_answers_and_frees_its_port() {
    let influx = influx();
    influx.create_database("a \"name\"").unwrap();
    let databases = influx.query("", "SHOW DATABASES").unwrap();
    assert!(databases[0].values.contains(&vec![json!("a \"name\"")]), "{databases:?}");
    assert_eq!(influx.query("a \"name\"", "SELECT * FROM nothing").unwrap(), []);

    let address = influx.address();
    drop(influx);
    assert!(TcpStream::connect(address).is_err());
    TcpListener::bind(address).unwrap();
}

#[test]
fn a_failed_statement_returns_the_servers_error() {
    let influx = influx();
    let wrong = influx.query("", "SHOW NONSENSE").unwrap_err().to_string();
    assert!(wrong.contains("found NONSENSE"), "{wrong}");
    // The first statement runs before the second fails.
    let missing = influx
        .query("", "SHOW DATABASES; SHOW RETENTION POLICIES ON missing")
        .unwrap_err()
        .to_string();
    assert!(missing.contains("database not found: missing"), "{missing}");
    let unread = influx.run_file(Path::new("no-such-file.iql")).unwrap_err().to_string();
    assert!(unread.contains("no-such-file.iql"), "{unread}");
}

#[test]
fn the_deployed_statements_keep_results_for_ninety_days_and_are_idempotent() {
    let influx = influx();
    for _ in 0..2 {
        influx.run_file(&deployed("k6.iql")).unwrap();
        let policies = influx.query("", "SHOW RETENTION POLICIES ON k6").unwrap();
        let columns = ["name", "duration", "shardGroupDuration", "replicaN", "default"];
        assert_eq!(policies[0].columns, columns);
        assert_eq!(
            policies[0].values,
            [[json!("runs"), json!("2160h0m0s"), json!("24h0m0s"), json!(1), json!(true)]]
        );
    }
    // k6 does this when it starts.
    influx.create_database("k6").unwrap();
    assert_eq!(influx.query("", "SHOW RETENTION POLICIES ON k6").unwrap()[0].values.len(), 1);
}

#[test]
fn the_deployed_configuration_sets_no_limit_that_its_index_ignores() {
    let text = std::fs::read_to_string(deployed("influxdb.conf")).unwrap();
    let settings: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect();
    assert!(settings.contains(&"index-version = \"tsi1\""), "{text}");
    for ignored in ["max-values-per-tag", "max-series-per-database"] {
        assert!(!settings.iter().any(|line| line.starts_with(ignored)), "{ignored}");
    }
}

/// If a later version enforces such a limit in this index too, the comment in the file must say so.
#[test]
fn a_tag_can_exceed_the_value_limit_of_the_other_index() {
    let influx = influx();
    influx.create_database("k6").unwrap();
    // The default of `max-values-per-tag` is 100,000; only a later write is refused.
    let line = |value: u32| format!("http_reqs,name=/user/{value} value=1\n");
    for values in [0..100_001, 100_001..100_010] {
        let lines: String = values.map(line).collect();
        let written =
            ureq::post(format!("http://{}/write?db=k6", influx.address())).send(&lines).unwrap();
        assert_eq!(written.status(), 204);
    }
    let count =
        influx.query("k6", "SHOW TAG VALUES EXACT CARDINALITY WITH KEY = \"name\"").unwrap();
    assert_eq!(count[0].values, [[json!(100_010)]]);
}
