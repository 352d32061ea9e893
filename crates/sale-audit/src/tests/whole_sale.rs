//! A whole sale of a correct service passes, and each planted fault is found.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use super::simulated_sale::{Setup, sale};
use super::*;

/// The settings that the model keeps.
fn promised() -> AuditSettings {
    let milliseconds = Duration::from_millis;
    AuditSettings {
        batch: Some(60),
        every: milliseconds(100),
        max_active: Some(400),
        stale_after: milliseconds(100),
        claim_within: milliseconds(1_500),
        session_ttl: milliseconds(1_000),
        require_all: true,
        ..AuditSettings::default()
    }
}

/// The record of a correct sale, built once.
fn correct() -> Vec<Line> {
    static LINES: LazyLock<Vec<Line>> = LazyLock::new(|| sale(Setup::default()));
    LINES.clone()
}

/// Asserts that at least this property is broken; a fault may break others too.
#[track_caller]
fn breaks(lines: &[Line], property: &str) {
    let verdict = judge(lines, &promised());
    assert!(
        verdict.broken().contains(&property),
        "{property} should be broken:\n{}",
        verdict.text()
    );
}

/// Plants a fault into the first matching line.
#[track_caller]
fn plant(
    lines: &mut [Line],
    meant: impl FnMut(&Line) -> bool,
    field: &str,
    value: impl Into<Value>,
) {
    let at = lines.iter().position(meant).unwrap();
    lines[at].0[field] = value.into();
}

fn is(line: &Line, what: &str, status: u64) -> bool {
    line.0["what"] == what && line.0["status"] == status && line.0["kind"] == "person"
}

fn number(line: &Line) -> u64 {
    line.0["number"].as_u64().unwrap_or_default()
}

#[test]
fn a_correct_sale_is_good() {
    let lines = correct();
    let verdict = judge(&lines, &promised());
    assert!(verdict.is_good(), "{}", verdict.text());
    assert!(lines.len() > 40_000, "{}", lines.len());
    // The counted maximum comes close to the limit, so the check is tight.
    let text = verdict.text();
    let most = text.split("certainly ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let most: u32 = most.parse().unwrap();
    assert!((360..=400).contains(&most), "{text}");
}

#[test]
fn one_node_must_keep_stricter_rules_than_two() {
    let settings = AuditSettings { one_node: true, ..promised() };
    let alone = judge(&sale(Setup { nodes: 1, ..Setup::default() }), &settings);
    assert!(alone.is_good(), "{}", alone.text());
    let two = judge(&correct(), &settings);
    assert!(two.broken().contains(&"order of calling"), "{}", two.text());
}

#[test]
fn a_number_given_twice() {
    let mut lines = correct();
    plant(&mut lines, |line| is(line, "join", 200) && number(line) == 2_000, "number", 1_000);
    breaks(&lines, "no number twice");
}

#[test]
fn two_people_in_the_wrong_order() {
    let mut lines = correct();
    let joins = lines.iter().filter(|line| is(line, "join", 200)).map(number);
    let joined: Vec<u64> = joins.collect();
    let near = |wanted: u64| *joined.iter().find(|&&number| number >= wanted).unwrap();
    let swapped = HashMap::from([(near(1_000), near(1_200)), (near(1_200), near(1_000))]);
    for line in &mut lines {
        if let Some(&other) = swapped.get(&number(line)) {
            line.0["number"] = other.into();
        }
    }
    breaks(&lines, "order of joining");
}

#[test]
fn a_person_overtaken() {
    let mut lines = correct();
    let late =
        |line: &Line| is(line, "ask", 200) && line.0["state"] == "WAITING" && number(line) > 3_000;
    let at = lines.iter().position(late).unwrap();
    let waits = number(&lines[at]);
    lines[at].0["position"] = (waits - 10).into();
    breaks(&lines, "order of calling");
}

#[test]
fn nodes_that_refresh_too_rarely() {
    let slow = Setup { look_every: 400_000, ..Setup::default() };
    breaks(&sale(slow), "order of calling");
}

#[test]
fn more_inside_than_promised() {
    let generous = Setup { max_active: 500, ..Setup::default() };
    breaks(&sale(generous), "never more active than allowed");
}

#[test]
fn a_person_admitted_too_early() {
    let mut lines = correct();
    let pushes = |line: &Line| line.0["what"] == "dates" && line.0["status"] == 403;
    plant(&mut lines, pushes, "status", 200);
    breaks(&lines, "nobody let in who was not called");
}

#[test]
fn a_called_person_refused() {
    for status in [401, 403, 410] {
        let mut lines = correct();
        let mut admitted: HashMap<u64, i64> = HashMap::new();
        // A person admitted long enough ago that every node knows, and whose session has not ended.
        let is_inside = |line: &Line| {
            let sent = line.0["sent"].as_i64().unwrap();
            let is_granted = is(line, "dates", 200);
            is_granted
                && (150..500).contains(&(sent - *admitted.entry(number(line)).or_insert(sent)))
        };
        plant(&mut lines, is_inside, "status", status);
        breaks(&lines, "nobody called is turned away");
    }
}

#[test]
fn a_forged_token_that_works() {
    let mut lines = correct();
    plant(&mut lines, |line| line.0["forged"] == true && line.0["status"] == 401, "status", 204);
    breaks(&lines, "forged and junk refused");
}

#[test]
fn junk_that_breaks_something() {
    let mut lines = correct();
    plant(&mut lines, |line| line.0["what"] == "junk", "status", 500);
    breaks(&lines, "forged and junk refused");
}

#[test]
fn people_called_faster_than_promised() {
    let fast = Setup { batch: 90, max_active: 400, ..Setup::default() };
    breaks(&sale(fast), "rate of calling");
}

#[test]
fn a_person_not_served() {
    let verdict = judge(&correct(), &AuditSettings { all_served: true, ..promised() });
    assert_eq!(verdict.broken(), ["everybody served"], "{}", verdict.text());
}
