//! The unit for systemd.

use std::process::Command;
use std::time::Duration;

use test_support::run_within;

use crate::configuration::SECRETS;

const UNIT: &str = include_str!("../../../../deploy/systemd/boxoffice.service");
const PRODUCTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/production.toml");

/// Time limit of one run of the program.
const LIMIT: Duration = Duration::from_secs(60);

/// The value of a setting that is there once.
#[track_caller]
fn setting(name: &str) -> &'static str {
    let mut values = UNIT.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let value = values.next().unwrap_or_else(|| panic!("{name} is not set"));
    assert_eq!(values.next(), None, "{name} is set twice");
    value
}

fn seconds(text: &str) -> u64 {
    text.strip_suffix('s').unwrap().parse().unwrap()
}

#[test]
fn a_stop_has_time_for_the_drain_and_the_requests_in_flight() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_boxoffice"));
    program.args(["config", "--config", PRODUCTION]).envs(SECRETS);
    let (status, said) = run_within(&mut program, LIMIT).unwrap();
    assert!(status.success(), "{said}");
    let configured: toml::Table = said.parse().unwrap();
    let time = |key: &str| seconds(configured["http"][key].as_str().unwrap());
    let needed = time("drain_delay") + time("shutdown_timeout");
    let limit = seconds(setting("TimeoutStopSec"));
    assert!(limit >= needed + 5, "{limit} s for a stop of {needed} s");
}

#[test]
fn a_node_has_no_privileges_and_its_secrets_are_not_in_the_unit() {
    for (name, value) in [
        ("DynamicUser", "yes"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("CapabilityBoundingSet", ""),
        ("EnvironmentFile", "/etc/boxoffice/secrets.env"),
    ] {
        assert_eq!(setting(name), value, "{name}");
    }
    assert!(!UNIT.lines().any(|line| line.starts_with("Environment=")));
}
