//! Keys under the names they had in the version before.

use std::fs;

use crate::program::{boxoffice, text};

#[test]
fn an_old_key_works_under_its_new_name_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("old.toml");
    let old = "[cache]\nhear_every = \"3s\"\n[breaker.queue]\nlongest_wait_in_open = \"9s\"\n";
    fs::write(&file, old).unwrap();
    let output = boxoffice(
        &["config", "--config", file.to_str().unwrap(), "--set", "overload.polling.faster=7"],
        &[("BOXOFFICE__REDIS__QUEUE__MAX_UNDER_WAY", "123")],
    );
    let shown: toml::Table = toml::from_str(text(&output.stdout)).unwrap();
    assert_eq!(shown["cache"]["invalidation_interval"].as_str(), Some("3s"));
    assert_eq!(shown["breaker"]["queue"]["max_wait_in_open"].as_str(), Some("9s"));
    assert_eq!(shown["breaker"]["catalog"]["max_wait_in_open"].as_str(), Some("3s"), "untouched");
    assert_eq!(shown["overload"]["polling"]["max_multiple"].as_integer(), Some(7));
    assert_eq!(shown["redis"]["queue"]["max_in_flight"].as_integer(), Some(123));
    let warnings = text(&output.stderr);
    assert_eq!(warnings.lines().count(), 4, "{warnings}");
    for warning in [
        "cache.hear_every is now called cache.invalidation_interval",
        "breaker.queue.longest_wait_in_open is now called breaker.queue.max_wait_in_open",
        "overload.polling.faster is now called overload.polling.max_multiple",
        "redis.queue.max_under_way is now called redis.queue.max_in_flight",
    ] {
        assert!(warnings.contains(warning), "{warning}: {warnings}");
    }
}

/// The later source wins, whichever name it uses.
#[test]
fn an_old_key_has_the_precedence_of_its_source() {
    let old_in_file = "[cache]\nhear_every = \"3s\"\n";
    let new_in_file = "[cache]\ninvalidation_interval = \"3s\"\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("boxoffice.toml");
    for (in_file, flag) in [
        (old_in_file, "cache.invalidation_interval=4s"),
        (new_in_file, "cache.hear_every=4s"),
        (old_in_file, "cache.hear_every=4s"),
    ] {
        fs::write(&file, in_file).unwrap();
        let output = boxoffice(&["config", "--config", file.to_str().unwrap(), "--set", flag], &[]);
        let shown: toml::Table = toml::from_str(text(&output.stdout)).unwrap();
        assert_eq!(shown["cache"]["invalidation_interval"].as_str(), Some("4s"), "{flag}");
    }
    let wrong = boxoffice(&["config", "--set", "cache.hear_every=soon"], &[]);
    assert!(text(&wrong.stderr).contains("old name hear_every"), "{}", text(&wrong.stderr));
    let both =
        ["config", "--set", "cache.hear_every=4s", "--set", "cache.invalidation_interval=4s"];
    let output = boxoffice(&both, &[]);
    assert_eq!(output.status.code(), Some(2));
    let expected = "cache.invalidation_interval is given twice, also by its old name hear_every";
    assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
}
