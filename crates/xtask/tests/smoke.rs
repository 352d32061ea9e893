//! Each k6 scenario for a few seconds, on the embedded default and on Postgres and Redis. For correctness: the limits of a
//! smoke test are far from what even a debug build on a busy machine needs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use test_support::run_within;

/// Starting stores, filling a database and ten seconds of k6, on a machine that runs other tests.
const LIMIT: Duration = Duration::from_secs(300);

fn xtask(arguments: &[&str]) -> (ExitStatus, String) {
    run_within(Command::new(env!("CARGO_BIN_EXE_xtask")).args(arguments), LIMIT).unwrap()
}

/// Beside this task: the tests of the program itself have it built. Alone (`cargo test --package xtask`) it is built here.
fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_xtask")).with_file_name("boxoffice");
    if !program.is_file() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--locked", "--package", "boxoffice"]);
        assert!(build.status().unwrap().success());
    }
    program
}

fn smoke(scenario: &str, on: &str, more: &[&str]) -> String {
    let program = program();
    let run = ["loadtest", scenario, "smoke", "--on", on, "--program", program.to_str().unwrap()];
    let (status, text) = xtask(&[&run[..], more].concat());
    assert!(status.success(), "{status}: {text}");
    text
}

#[test]
fn tokens_are_issued_from_memory() {
    smoke("issue", "embedded", &[]);
}

#[test]
fn tokens_are_issued_from_redis_and_influxdb_is_told() {
    let text = smoke("issue", "shared", &["--into", "influxdb"]);
    assert!(text.contains("InfluxDB has all"), "{text}");
}

#[test]
fn concerts_are_listed_from_memory() {
    smoke("concerts", "embedded", &[]);
}

#[test]
fn concerts_are_listed_from_postgres_and_prometheus_is_told() {
    let text = smoke("concerts", "shared", &["--into", "prometheus"]);
    assert!(text.contains("Prometheus has all"), "{text}");
}

#[test]
fn dates_are_read_from_memory() {
    smoke("dates", "embedded", &[]);
}

#[test]
fn dates_are_read_from_postgres() {
    smoke("dates", "shared", &[]);
}

#[test]
fn a_sale_in_memory_is_fair_and_would_not_be_called_so_if_it_were_not() {
    let text = smoke("sale", "embedded", &[]);
    assert!(text.contains("verdict: good"), "{text}");
    // The same record, against a promise that was not made.
    let record = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/loadtest/sale-smoke-embedded/record.jsonl");
    let (status, text) = xtask(&["verdict", record.to_str().unwrap(), "--max-active", "1"]);
    assert!(
        !status.success() && text.contains("never more active than allowed: VIOLATED"),
        "{text}"
    );
}

#[test]
fn a_sale_on_redis_and_postgres_is_fair() {
    let text = smoke("sale", "shared", &[]);
    assert!(text.contains("verdict: good"), "{text}");
}

/// A limit that cannot hold.
#[test]
fn a_run_that_breaks_a_limit_fails() {
    let program = program();
    let run = ["loadtest", "issue", "smoke", "--program", program.to_str().unwrap()];
    let (status, text) = xtask(
        &[&run[..], &["--env", "P999=0.000001", "--to", "a-limit-that-cannot-hold"]].concat(),
    );
    assert!(
        !status.success() && text.contains("thresholds of the scenario were crossed"),
        "{text}"
    );
}
