//! The description and the service as checked by programs of others: openapi-spec-validator, and
//! schemathesis, which sends valid and invalid requests and compares the responses.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use test_support::{ApiCheckers, Redis, RedisBinaries, RedisSetup, run_within};

use super::described;
use crate::postgres::database;
use crate::support::TestApp;

/// Time limit of one run; on a calm machine it takes a quarter of it.
const LIMIT: Duration = Duration::from_secs(300);

/// A token key of 32 bytes.
const KEY: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA";

/// The same requests in every run, so that CI does not fail at random. Other seeds are for
/// exploring: docs/guide/http-api.md.
const SEED: &str = "2000";

/// What schemathesis calls a fault and is none, with the reasons.
const SETTINGS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/service/openapi/schemathesis.toml");

/// Test cases per operation in the phases that choose them at random.
const EXAMPLES: &str = "50";

#[test]
fn the_description_is_valid() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    passes(ApiCheckers::find().unwrap().validator().arg(file));
}

#[test]
fn the_service_in_memory_answers_as_described() {
    let app = TestApp::start(&[]);
    answers_as_described(&app);
}

#[test]
fn the_service_on_redis_and_postgres_answers_as_described() {
    let database = database();
    let redis = Redis::start(&RedisBinaries::find().unwrap(), RedisSetup::default()).unwrap();
    let app = TestApp::start(&[
        "catalog.store=postgres",
        &format!("postgres.url={}", database.url()),
        "postgres.connect_timeout=10s",
        "postgres.statement_timeout=3s",
        "postgres.pool.acquire_timeout=3s",
        "queue.store=redis",
        &format!("redis.queue.url=redis://{}", redis.address()),
        &format!("queue.keys={KEY}"),
        "redis.queue.timeout=4s",
        "queue.max_join_wait=4s",
        "http.request_timeout=9s",
    ]);
    answers_as_described(&app);
}

#[test]
fn a_response_that_is_not_as_described_is_found() {
    let app = TestApp::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = described();
    wrong["components"]["schemas"]["Ticket"]["properties"]["number"]["type"] = json!("string");
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, wrong.to_string()).unwrap();
    let mut command = schemathesis(folder.path(), file.to_str().unwrap(), app.public);
    command.args(["--exclude-tag", "operations", "--phases", "fuzzing"]);
    let (status, said) = run_within(&mut command, LIMIT).unwrap();
    assert!(!status.success() && said.contains("Response violates schema"), "{said}");
}

/// Both listeners, in one run each: schemathesis has one address for all paths. Only the public
/// routes have links to follow.
#[track_caller]
fn answers_as_described(app: &TestApp) {
    let described = format!("http://{}/openapi.json", app.public);
    let folder = tempfile::tempdir().unwrap();
    let mut public = schemathesis(folder.path(), &described, app.public);
    passes(public.args(["--exclude-tag", "operations", "--phases", "coverage,fuzzing,stateful"]));
    let mut operations = schemathesis(folder.path(), &described, app.ops);
    passes(operations.args(["--include-tag", "operations", "--phases", "coverage,fuzzing"]));
}

/// A run of schemathesis with all its checks.
fn schemathesis(folder: &Path, described: &str, address: SocketAddr) -> Command {
    let mut command = ApiCheckers::find().unwrap().schemathesis();
    command.current_dir(folder);
    command.args(["--config-file", SETTINGS]);
    command.args(["run", described, "--url", &format!("http://{address}"), "--checks", "all"]);
    command.args([
        "--max-examples",
        EXAMPLES,
        "--seed",
        SEED,
        "--request-timeout",
        "10",
        "--no-color",
    ]);
    command
}

#[track_caller]
fn passes(command: &mut Command) {
    let (status, said) = run_within(command, LIMIT).unwrap();
    assert!(status.success(), "{command:?} ended with {status}:\n{said}");
}
