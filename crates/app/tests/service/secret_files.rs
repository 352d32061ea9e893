//! Secrets in files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;

use crate::program::{Serving, boxoffice, text};

const KEY: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA";
const OTHER: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Never printed, whatever is wrong.
const SECRET: &str = "hunter2Canary";

fn written(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The value of a key as printed.
fn shown(output: &Output, key: &str) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut value = toml::Value::Table(toml::from_str(text(&output.stdout)).unwrap());
    for name in key.split('.') {
        value = value[name].clone();
    }
    value.to_string()
}

#[test]
fn every_secret_may_be_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    for (key, content, expected) in [
        ("queue.keys", format!("{KEY}\n"), r#"["(secret)"]"#),
        ("queue.keys", format!("{KEY},{OTHER}\r\n"), r#"["(secret)", "(secret)"]"#),
        ("postgres.url", format!("postgres://shop:{SECRET}@db/shop"), r#""(secret)""#),
        ("redis.queue.url", format!("redis://:{SECRET}@line:6379\n"), r#""(secret)""#),
        ("redis.cache.url", format!("redis://:{SECRET}@cache:6379\n"), r#""(secret)""#),
        ("telemetry.otlp.headers", format!("authorization={SECRET}\n"), r#"["(secret)"]"#),
    ] {
        let path = written(folder.path(), "secret", content);
        let variable = format!("BOXOFFICE__{}_FILE", key.to_uppercase().replace('.', "__"));
        let by_variable = boxoffice(&["config"], &[(&variable, &path)]);
        let by_flag = boxoffice(&["config", "--set", &format!("{key}_file={path}")], &[]);
        let (section, name) = key.rsplit_once('.').unwrap();
        let file =
            written(folder.path(), "some.toml", format!("[{section}]\n{name}_file = \"{path}\"\n"));
        let by_file = boxoffice(&["config", "--config", &file], &[]);
        for output in [by_variable, by_flag, by_file] {
            assert_eq!(shown(&output, key), expected, "{key}");
            let shown = text(&output.stdout);
            assert!(!shown.contains(&format!("{name}_file")), "{shown}");
        }
    }
}

/// Tokens of one node are accepted by another whose key is the content of the file.
#[test]
fn the_secret_is_the_content_without_its_final_line_break() {
    let folder = tempfile::tempdir().unwrap();
    // Kubernetes gives secrets as links.
    let path = written(folder.path(), "..data", format!("{KEY}\n"));
    let link = folder.path().join("keys");
    symlink(path, &link).unwrap();
    let setting = format!("queue.keys_file={}", link.to_str().unwrap());
    let node = Serving::start(&["--set", &setting]);
    let agent = crate::support::agent();
    let joined =
        crate::support::send(&agent, "POST", &node.url("/user/7/queue/token/issue"), &[], &[]);
    let token = joined.word("waitingToken");
    let inspected = boxoffice(&["token", "inspect", &token], &[("BOXOFFICE__QUEUE__KEYS", KEY)]);
    assert!(inspected.status.success(), "{}", text(&inspected.stderr));
}

#[test]
fn a_file_that_cannot_be_used_is_one_line_without_its_name_or_content() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, content: &[u8]| written(folder.path(), name, content);
    let big = SECRET.repeat(6_000);
    let pipe = folder.path().join("hunter2Canary-pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let bytes = [SECRET.as_bytes(), b"\xff"].concat();
    for (path, expected) in [
        (
            format!("/nowhere/{SECRET}"),
            "postgres.url_file must name a file that can be read: No such",
        ),
        (String::new(), "postgres.url_file must name a file that can be read: No such"),
        (folder.path().to_str().unwrap().to_owned(), "it is not a regular file"),
        (pipe.to_str().unwrap().to_owned(), "it is not a regular file"),
        (at("big", big.as_bytes()), "postgres.url_file must name a file of at most 65536 bytes"),
        (at("bytes", &bytes), "postgres.url_file must name a file with valid UTF-8"),
        (at("empty", b""), "postgres.url_file must name a file that is not empty"),
        (at("line", b"\n"), "postgres.url_file must name a file that is not empty"),
        (at("address", SECRET.as_bytes()), "postgres.url "),
    ] {
        refused(&boxoffice(&["config"], &[("BOXOFFICE__POSTGRES__URL_FILE", &path)]), expected);
    }
}

#[test]
fn a_secret_in_both_ways_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "url", format!("postgres://shop:{SECRET}@db/shop"));
    let file = [("BOXOFFICE__POSTGRES__URL_FILE", path.as_str())];
    let flag = format!("postgres.url=postgres://shop:{SECRET}@db/shop");
    refused(
        &boxoffice(&["config", "--set", &flag], &file),
        "postgres.url and postgres.url_file must not both be given",
    );
    let keys = written(folder.path(), "keys", KEY);
    refused(
        &boxoffice(
            &["config", "--set", &format!("queue.keys=[\"{OTHER}\"]")],
            &[("BOXOFFICE__QUEUE__KEYS_FILE", &keys)],
        ),
        "queue.keys and queue.keys_file must not both be given",
    );
    let empty = boxoffice(&["config", "--set", "postgres.url="], &file);
    assert_eq!(shown(&empty, "postgres.url"), r#""(secret)""#, "an empty value is none");
}

/// A file for a value that is no secret is an unknown key.
#[test]
fn other_values_have_no_file() {
    refused(
        &boxoffice(&["config"], &[("BOXOFFICE__QUEUE__ID_FILE", "/etc/hostname")]),
        "queue.id_file is unknown",
    );
}

#[track_caller]
fn refused(output: &Output, expected: &str) {
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{output:?}");
    assert!(said.starts_with("boxoffice: configuration: ") && said.contains(expected), "{said}");
    assert!(!said.contains(SECRET) && output.stdout.is_empty(), "{said}");
}
