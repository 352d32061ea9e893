//! The files of `deploy/` that run the image, as far as they can be checked without Docker.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use boxoffice::config::{self, Config, Sources};

use crate::program::{boxoffice, text};

fn deployed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(deployed(name)).unwrap()
}

#[test]
fn the_image_is_configured_by_its_defaults_on_all_addresses() {
    let sources = Sources { file: Some(deployed("image.toml")), overrides: Vec::new() };
    let mut of_the_image = config::load(&sources).unwrap().config;
    let defaults = Config::default();
    assert_eq!(of_the_image.http.bind, "0.0.0.0:8081".parse().unwrap());
    assert_eq!(of_the_image.ops.bind, "0.0.0.0:9081".parse().unwrap());
    of_the_image.http.bind = defaults.http.bind;
    of_the_image.ops.bind = defaults.ops.bind;
    assert_eq!(of_the_image.to_toml().unwrap(), defaults.to_toml().unwrap());
}

/// The secrets are made once, complete the configuration, and stay as they are.
#[test]
fn the_composition_makes_the_secrets_that_its_configuration_needs() {
    let folder = tempfile::tempdir().unwrap();
    let make = || {
        let mut bash = Command::new("bash");
        let output = bash.arg(deployed("compose/make-secrets.sh")).arg(folder.path()).output();
        let output = output.unwrap();
        assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
        let mut made = BTreeSet::new();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            made.insert((path.clone(), fs::read_to_string(path).unwrap()));
        }
        made
    };
    let made = make();
    assert_eq!(make(), made, "a second start keeps them");

    let variables: Vec<(String, String)> = read("compose/compose.yaml")
        .lines()
        .filter_map(|line| line.trim().split_once(": /run/secrets/"))
        .filter(|(name, _)| name.starts_with("BOXOFFICE__"))
        .map(|(name, file)| {
            (name.to_owned(), folder.path().join(file).to_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(variables.len(), 4, "{variables:?}");
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, path)| (name.as_str(), path.as_str())).collect();
    let file = deployed("compose/boxoffice.toml");
    let output = boxoffice(&["config", "--config", file.to_str().unwrap()], &variables);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// A node is killed when the grace is over: it must have ended by itself before.
#[test]
fn the_grace_of_the_composition_is_longer_than_a_node_takes_to_stop() {
    let compose = read("compose/compose.yaml");
    let (_, node) = compose.split_once("\nx-node:").unwrap();
    let (_, grace) = node.split_once("stop_grace_period: ").unwrap();
    let grace: u64 = grace.lines().next().unwrap().strip_suffix('s').unwrap().parse().unwrap();
    let table: toml::Table = read("compose/boxoffice.toml").parse().unwrap();
    let drain = table["http"]["drain_delay"].as_str().unwrap();
    let drain: u64 = drain.strip_suffix('s').unwrap().parse().unwrap();
    let stop = Duration::from_secs(drain) + Config::default().http.shutdown_timeout.0;
    assert!(Duration::from_secs(grace) > stop, "{grace} s is not above {stop:?}");
}

/// The proxy of the composition is the tested one; only its names and ports differ.
#[test]
fn the_proxy_of_the_composition_is_the_tested_one() {
    let lines = |name: &str| -> BTreeSet<String> {
        let differs = [
            "#",
            "bind ",
            "server ",
            "default-server ",
            "global",
            "maxconn ",
            "nameserver ",
            "hold ",
        ];
        let text = read(name);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let same = lines.filter(|line| !differs.iter().any(|start| line.starts_with(start)));
        same.filter(|line| *line != "resolvers docker").map(ToOwned::to_owned).collect()
    };
    assert_eq!(lines("compose/haproxy.cfg"), lines("balancer/haproxy.cfg"));
}
