//! A panic is one log line without the values of its message. Runs in a separate process, because
//! the panic hook and the logger are global to a process.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::env;
use std::process::Command;
use std::time::Duration;

use telemetry::{LogFormat, Sampling, Settings, Telemetry};

const CHILD: &str = "BOXOFFICE_TEST_PANICS";

#[test]
fn a_panic_is_logged_and_counted_without_its_values() {
    if env::var_os(CHILD).is_some() {
        return panic_twice();
    }
    let test = "a_panic_is_logged_and_counted_without_its_values";
    let program = env::current_exe().unwrap();
    let child = Command::new(program)
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    let log = String::from_utf8(child.stderr).unwrap();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("\"level\":\"ERROR\"")).collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(lines.iter().all(|line| line.contains("panics.rs:")), "{log}");
    assert!(lines[0].contains("as written") && !log.contains("hunter2"), "{log}");
}

fn panic_twice() {
    let settings = Settings {
        log_filter: "info".to_owned(),
        log_format: LogFormat::Json,
        metrics: true,
        traces: Sampling { share: 0.0, trust_callers: false },
        resource: Vec::new(),
        otlp: None,
    };
    let telemetry = Telemetry::start(&settings).unwrap();
    let secret = String::from("hunter2");
    std::thread::spawn(|| panic!("as written")).join().unwrap_err();
    std::thread::spawn(move || panic!("made from {secret}")).join().unwrap_err();
    let text = telemetry.instruments().scrape.unwrap().text().unwrap();
    assert!(
        text.lines().any(|line| line.starts_with("boxoffice_panics_total") && line.ends_with(" 2")),
        "{text}"
    );
    telemetry.stop(Duration::from_secs(10));
}
