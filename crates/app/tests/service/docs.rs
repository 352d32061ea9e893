//! Pages generated from code are current. `cargo xtask docs` writes them.

use std::fs;
use std::path::Path;

fn check(page: &str, printed: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
    if std::env::var_os("BOXOFFICE_WRITE_DOCS").is_some() {
        fs::write(&path, printed).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == printed, "docs/{page} is not current; write it with `cargo xtask docs`");
}

#[test]
fn the_configuration_reference_is_current() {
    check("configuration.md", &boxoffice::config::reference::markdown());
}

#[test]
fn the_error_reference_is_current() {
    check("http-errors.md", &adapter_http::error_reference());
}

#[test]
fn the_metric_reference_is_current() {
    check("metrics.md", &telemetry::metrics::reference::markdown());
}
