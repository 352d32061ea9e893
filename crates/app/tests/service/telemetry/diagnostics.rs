//! `boxoffice diagnostics`

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use flate2::read::GzDecoder;

use crate::program::{Serving, boxoffice, boxoffice_limited, text};

/// The files of a bundle, by name.
fn unpack(path: &Path) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(path).unwrap()));
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        (name.strip_prefix("boxoffice-diagnostics/").unwrap().to_owned(), content)
    });
    entries.collect()
}

fn names(files: &BTreeMap<String, String>) -> Vec<&str> {
    files.keys().map(String::as_str).collect()
}

#[test]
fn a_bundle_contains_everything_that_a_node_reports() {
    let (node, folder) = (Serving::start(&[]), tempfile::tempdir().unwrap());
    let (path, ops) = (folder.path().join("bundle.tar.gz"), node.ops.to_string());
    let ended = boxoffice(&["diagnostics", "--ops", &ops, "--out", path.to_str().unwrap()], &[]);
    assert!(ended.status.success(), "{}", text(&ended.stderr));
    let files = unpack(&path);
    let expected = [
        "about.txt",
        "config.toml",
        "failures.json",
        "livez.json",
        "metrics.txt",
        "protection.json",
        "readyz-node.json",
        "readyz.json",
        "startupz.json",
    ];
    assert_eq!(names(&files), expected);
    assert!(files["about.txt"].contains(&ops), "{}", files["about.txt"]);
    assert!(files["metrics.txt"].contains("boxoffice_queue_last{"));
    let failures: serde_json::Value = serde_json::from_str(&files["failures.json"]).unwrap();
    assert_eq!(
        (&failures["total"], failures["breakers"]["queue"].as_str()),
        (&0.into(), Some("closed"))
    );
    let said = text(&ended.stdout);
    assert!(
        expected.iter().all(|name| said.contains(name)) && said.contains("written to "),
        "{said}"
    );
}

#[test]
fn an_unreachable_node_is_recorded_in_the_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let (path, nobody) =
        (folder.path().join("bundle.tar.gz"), std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let address = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let ended =
        boxoffice(&["diagnostics", "--ops", &address, "--out", path.to_str().unwrap()], &[]);
    assert!(ended.status.success(), "{}", text(&ended.stderr));
    let files = unpack(&path);
    assert!(
        files.contains_key("config.toml") && files.contains_key("metrics.txt.error"),
        "{:?}",
        names(&files)
    );
    assert!(files["livez.json.error"].contains("refused"), "{}", files["livez.json.error"]);
}

#[test]
fn a_bundle_that_cannot_be_written_is_an_error() {
    let ended =
        boxoffice(&["diagnostics", "--ops", "127.0.0.1:1", "--out", "/nowhere/at/all.tar.gz"], &[]);
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        text(&ended.stderr).starts_with("boxoffice: no diagnostics were written to "),
        "{}",
        text(&ended.stderr)
    );
}

/// Writes a bundle without a node, under a umask that permits everything.
fn write_to(path: &Path) -> std::process::Output {
    let arguments = ["diagnostics", "--ops", "127.0.0.1:1", "--out", path.to_str().unwrap()];
    boxoffice_limited("umask 000", &arguments)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The file names in a folder.
fn listed(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn a_bundle_is_private_even_if_it_replaces_a_readable_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.tar.gz");
    assert!(write_to(&path).status.success());
    assert_eq!(mode(&path), 0o600);

    fs::write(&path, "an older one").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    // A process that has the old file open sees only its old content.
    let mut open = File::open(&path).unwrap();
    assert!(write_to(&path).status.success());
    let mut read = String::new();
    open.read_to_string(&mut read).unwrap();
    assert_eq!((read.as_str(), mode(&path)), ("an older one", 0o600));
    assert!(unpack(&path).contains_key("config.toml"));
    assert_eq!(listed(folder.path()), ["bundle.tar.gz"], "nothing is left beside it");
}

#[test]
fn a_link_in_place_of_a_bundle_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (link, target) = (folder.path().join("bundle.tar.gz"), folder.path().join("target"));
    for is_there in [true, false] {
        if is_there {
            fs::write(&target, "of another user").unwrap();
        }
        symlink(&target, &link).unwrap();
        let refused = write_to(&link);
        assert_eq!(refused.status.code(), Some(1));
        assert!(text(&refused.stderr).contains("it is a link"), "{}", text(&refused.stderr));
        if is_there {
            assert_eq!(fs::read_to_string(&target).unwrap(), "of another user");
            fs::remove_file(&target).unwrap();
        } else {
            assert_eq!(listed(folder.path()), ["bundle.tar.gz"]);
        }
        fs::remove_file(&link).unwrap();
    }
    fs::create_dir(&link).unwrap();
    let refused = write_to(&link);
    assert!(
        text(&refused.stderr).contains("the path is not a regular file"),
        "{}",
        text(&refused.stderr)
    );
    assert_eq!(listed(folder.path()), ["bundle.tar.gz"]);
}
