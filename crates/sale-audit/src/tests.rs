//! Planted faults are found, and valid behaviour of a correct service is not reported.

mod planted_faults;
mod simulated_sale;
mod whole_sale;

use std::time::Duration;

use serde_json::{Value, json};

use super::{AuditSettings, Verdict, verdict};
use crate::settings::duration;

/// One line of a record; tests add further fields.
#[derive(Clone)]
struct Line(Value);

fn line(what: &str, user: u64, sent: i64, answered: i64, status: u16) -> Line {
    Line(json!({
        "client": user, "kind": "person", "what": what, "user": user,
        "sent": sent, "answered": answered, "status": status,
    }))
}

impl Line {
    fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0[field] = value.into();
        self
    }
}

/// The user is the number times 100, unless a test sets another.
fn join(number: u64, sent: i64, answered: i64, position: u64) -> Line {
    reported("join", number, sent, answered, position)
}

fn request(number: u64, sent: i64, answered: i64, position: u64) -> Line {
    reported("ask", number, sent, answered, position)
}

/// Position 0 means called.
fn reported(what: &str, number: u64, sent: i64, answered: i64, position: u64) -> Line {
    let state = if position == 0 { "CALLED" } else { "WAITING" };
    let reported = line(what, number * 100, sent, answered, 200);
    reported.with("number", number).with("state", state).with("position", position)
}

fn dates(number: u64, sent: i64, answered: i64, status: u16) -> Line {
    line("dates", number * 100, sent, answered, status).with("number", number)
}

fn leave(number: u64, sent: i64, answered: i64, status: u16) -> Line {
    line("leave", number * 100, sent, answered, status).with("number", number)
}

fn text(lines: &[Line]) -> String {
    lines.iter().map(|Line(line)| format!("{line}\n")).collect()
}

fn judge(lines: &[Line], settings: &AuditSettings) -> Verdict {
    verdict(text(lines).as_bytes(), settings).unwrap()
}

/// Low settings, so that short records can exceed them.
fn tight() -> AuditSettings {
    AuditSettings {
        batch: Some(2),
        max_active: Some(2),
        stale_after: Duration::from_millis(100),
        claim_within: Duration::from_secs(10),
        session_ttl: Duration::from_secs(10),
        ..AuditSettings::default()
    }
}

#[track_caller]
fn good(lines: &[Line]) {
    good_by(lines, &tight());
}

#[track_caller]
fn good_by(lines: &[Line], settings: &AuditSettings) {
    let verdict = judge(lines, settings);
    assert!(verdict.is_good(), "{}", verdict.text());
}

/// Exactly this property is broken.
#[track_caller]
fn broken(lines: &[Line], property: &str) {
    broken_by(lines, &tight(), property);
}

#[track_caller]
fn broken_by(lines: &[Line], settings: &AuditSettings, property: &str) {
    let verdict = judge(lines, settings);
    assert!(!verdict.is_good());
    assert_eq!(verdict.broken(), [property], "{}", verdict.text());
}

#[test]
fn a_record_that_is_empty_or_malformed_is_not_good() {
    let settings = AuditSettings::default();
    assert!(!verdict("".as_bytes(), &settings).unwrap().is_good());
    assert!(!verdict("level=info\n".as_bytes(), &settings).unwrap().is_good());
    let whole = text(&[join(1, 0, 5, 0)]);
    let read = |text: String| verdict(text.as_bytes(), &settings).unwrap();
    let noted = read(format!("running\n{whole}\n"));
    assert!(noted.is_good() && noted.text().contains("1 records, 0 malformed, 2 other lines"));
    let cut = read(format!("{whole}{}", &whole[..whole.len() / 2]));
    assert!(!cut.is_good() && cut.text().contains("1 records, 1 malformed"), "{}", cut.text());
}

#[test]
fn a_line_that_lacks_a_required_field_is_malformed() {
    let lacking = [
        line("join", 1, 0, 5, 200),
        line("join", 0, 0, 5, 200).with("number", 1).with("state", "CALLED"),
        join(1, 5, 4, 0),
        join(1, 0, 5, 0).with("state", "DANCING"),
        join(1, 0, 5, 0).with("what", "dance"),
        line("dates", 1, 0, 5, 200),
        line("leave", 1, 0, 5, 204),
    ];
    for line in lacking {
        let reported = line.0.to_string();
        let verdict = judge(&[line], &AuditSettings::default());
        assert!(verdict.text().starts_with("0 records, 1 malformed"), "{reported}");
    }
}

#[test]
fn a_property_without_a_case_fails_if_all_are_required() {
    let lines = || [join(1, 0, 5, 0)];
    good(&lines());
    let settings = AuditSettings { require_all: true, ..tight() };
    let verdict = judge(&lines(), &settings);
    assert!(!verdict.is_good());
    assert!(
        verdict.text().contains("forged and junk refused: NOTHING TO CHECK"),
        "{}",
        verdict.text()
    );
}

#[test]
fn an_unchecked_property_is_reported_as_such() {
    let text = judge(&[join(1, 0, 5, 0)], &AuditSettings::default()).text().to_owned();
    for name in ["rate of calling", "never more active than allowed", "everybody served"] {
        assert!(text.contains(&format!("{name}: not asked")), "{text}");
    }
}

#[test]
fn durations_are_parsed_with_their_unit() {
    let read = |text: &str| duration(text).ok();
    assert_eq!(read("250ms"), Some(Duration::from_millis(250)));
    assert_eq!(read("1s"), Some(Duration::from_secs(1)));
    assert_eq!(read("10m"), Some(Duration::from_secs(600)));
    assert_eq!(read("1h"), Some(Duration::from_secs(3_600)));
    assert_eq!(read("1.5s"), Some(Duration::from_millis(1_500)));
    for bad in ["", "1", "s", "-1s", "1d", "99999999999999999999h", "9999999999999999999h"] {
        assert_eq!(read(bad), None, "{bad:?}");
    }
}
