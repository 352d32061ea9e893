//! Runs each k6 scenario for a few seconds, on the embedded defaults and on Postgres and Redis.
//! This checks correctness only: the thresholds of a smoke test leave room for a debug build on a
//! busy machine.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use test_support::run_within;

/// Time to start stores, fill a database and run k6 for ten seconds, on a machine that runs other
/// tests.
const LIMIT: Duration = Duration::from_secs(300);

fn xtask(arguments: &[&str]) -> (ExitStatus, String) {
    run_within(Command::new(env!("CARGO_BIN_EXE_xtask")).args(arguments), LIMIT).unwrap()
}

/// The program next to xtask, built by the program's own tests. `cargo test --package xtask` alone
/// builds it here.
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
fn tokens_are_issued_from_redis_with_results_in_influxdb() {
    let text = smoke("issue", "shared", &["--into", "influxdb"]);
    assert!(text.contains("InfluxDB has all"), "{text}");
}

#[test]
fn concerts_are_listed_from_memory() {
    smoke("concerts", "embedded", &[]);
}

#[test]
fn concerts_are_listed_from_postgres_with_results_in_prometheus() {
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
fn a_sale_in_memory_is_fair_and_a_broken_limit_is_found() {
    let text = smoke("sale", "embedded", &[]);
    assert!(text.contains("verdict: good"), "{text}");
    // The same record breaks a limit that was never set.
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

/// The limit cannot hold.
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
