//! Pages generated from code are current. `cargo xtask docs` writes them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::openapi::breaking::{breaking_changes, may_break};

fn path_of(page: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page)
}

fn check(page: &str, printed: &str) {
    let path = path_of(page);
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

/// Comes before the comparison of the texts, so that a change which breaks clients is neither
/// accepted nor written.
#[test]
fn the_description_of_the_api_is_current_and_breaks_no_client() {
    let described = adapter_http::openapi_json();
    if let Ok(committed) = fs::read_to_string(path_of("openapi.json")) {
        let [old, new] = [&committed, described].map(|text| serde_json::from_str(text).unwrap());
        let broken = breaking_changes(&old, &new);
        assert!(
            broken.is_empty() || may_break(&old, &new),
            "these changes break clients, and the version has not been raised:\n{}",
            broken.join("\n")
        );
    }
    check("openapi.json", described);
}

/// Renamed files live on in prose. A name counts if the end of some file's path is the same.
#[test]
fn every_source_file_that_a_page_or_a_comment_names_exists() {
    let root = test_support::workspace::root();
    let listed = std::process::Command::new("git").args(["ls-files"]).current_dir(&root).output();
    let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
    let files: Vec<&str> = listed.lines().collect();
    assert!(!files.is_empty(), "this checks the files of a git repository");
    let exists = |name: &str| {
        let name = name.trim_start_matches("../").trim_start_matches("./");
        files.iter().any(|file| *file == name || file.ends_with(&format!("/{name}")))
    };
    // `mod.rs` names a convention.
    let is_source = |name: &str| {
        name != "mod.rs"
            && [".rs", ".lua", ".sh"]
                .iter()
                .any(|end| name.len() > end.len() && name.ends_with(end))
            && !name.contains([' ', '{', '*', '(', ':'])
    };
    let mut dead = Vec::new();
    for file in &files {
        let is_page = file.ends_with(".md") && !file.starts_with("loadtest/results/");
        if !is_page && !file.ends_with(".rs") && !file.ends_with(".lua") {
            continue;
        }
        let Ok(text) = fs::read_to_string(root.join(file)) else { continue };
        for line in text.lines() {
            let is_prose = is_page || ["//", "--"].iter().any(|it| line.trim().starts_with(it));
            let names = line.split('`').skip(1).step_by(2).filter(|name| is_source(name));
            dead.extend(
                names
                    .filter(|name| is_prose && !exists(name))
                    .map(|name| format!("{file}: {name}")),
            );
        }
    }
    assert!(dead.is_empty(), "these files do not exist:\n{}", dead.join("\n"));
}
