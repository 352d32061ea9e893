//! `cargo xtask layers`: checks that dependencies between crates point inwards, and that each
//! technology stays behind its fence.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use serde::Deserialize;

use test_support::workspace::root;
use test_support::{Doing as _, Outcome, failed};

const GOLDEN: &str = "docs/layers.txt";

const HEADER: &str = "\
# Dependencies between crates, checked by `cargo xtask layers`. Dev-dependencies are left out.
# For `domain`, which must stay pure, all its dependencies are listed, not only workspace crates.
";

/// Compares the edges with the golden file, and checks fences and crate docs.
pub(crate) fn layers(bless: bool) -> Outcome {
    let metadata = MetadataCommand::new()
        .current_dir(root())
        .other_options(vec!["--locked".to_owned()])
        .exec()
        .map_err(|error| failed(format!("cargo metadata: {error}")))?;
    let mut findings = check_edges(&metadata, bless)?;
    findings.extend(check_fences(&metadata)?);
    findings.extend(check_fronts(&metadata)?);
    if findings.is_empty() {
        println!("layers: {} crates in order", metadata.workspace_packages().len());
        return Ok(());
    }
    Err(failed(format!("layers:\n  {}", findings.join("\n  "))))
}

fn check_edges(metadata: &Metadata, bless: bool) -> Outcome<Vec<String>> {
    let path = root().join(GOLDEN);
    let now = edges(metadata);
    if bless {
        let lines: String = now.iter().map(|edge| format!("{edge}\n")).collect();
        fs::write(&path, format!("{HEADER}{lines}")).doing(format!("writing {GOLDEN}"))?;
    }
    let golden = fs::read_to_string(&path).doing(format!("reading {GOLDEN}"))?;
    let allowed: BTreeSet<String> =
        golden.lines().filter(|line| !line.starts_with('#')).map(ToOwned::to_owned).collect();
    Ok(compare(&now, &allowed))
}

fn compare(now: &BTreeSet<String>, allowed: &BTreeSet<String>) -> Vec<String> {
    let new = now.difference(allowed).map(|edge| format!("{edge}: this edge is not in {GOLDEN}"));
    let old = allowed
        .difference(now)
        .map(|edge| format!("{edge}: {GOLDEN} lists it, the code does not have it"));
    new.chain(old).collect()
}

/// Every edge, as `from -> to`.
fn edges(metadata: &Metadata) -> BTreeSet<String> {
    let packages = metadata.workspace_packages();
    let is_ours = |name: &str| packages.iter().any(|package| package.name.as_str() == name);
    let mut edges = BTreeSet::new();
    for package in &packages {
        let product =
            package.dependencies.iter().filter(|to| to.kind != DependencyKind::Development);
        for to in product.filter(|to| is_ours(&to.name) || package.name.as_str() == "domain") {
            edges.insert(format!("{} -> {}", package.name, to.name));
        }
    }
    edges
}

#[derive(Deserialize)]
struct DenyFile {
    bans: Bans,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

/// A technology and the crates that may use it directly.
#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    technology: String,
    #[serde(default)]
    wrappers: Vec<String>,
}

fn check_fences(metadata: &Metadata) -> Outcome<Vec<String>> {
    let text = fs::read_to_string(root().join("deny.toml")).doing("reading deny.toml")?;
    let file: DenyFile =
        toml::from_str(&text).map_err(|error| failed(format!("deny.toml: {error}")))?;
    let mut findings = Vec::new();
    for Ban { technology, wrappers } in file.bans.deny {
        let uses = |package: &&Package| package.dependencies.iter().any(|to| to.name == technology);
        for package in metadata.workspace_packages().into_iter().filter(|p| uses(p)) {
            if !wrappers.iter().any(|wrapper| wrapper == package.name.as_str()) {
                findings.push(format!("{} -> {technology}: fenced off in deny.toml", package.name));
            }
        }
        if wrappers.is_empty()
            && metadata.packages.iter().any(|package| package.name.as_str() == technology)
        {
            findings.push(format!("{technology}: banned in deny.toml, and in the dependency tree"));
        }
    }
    Ok(findings)
}

/// Each crate inherits the lints and has crate docs; each module begins with a doc comment.
fn check_fronts(metadata: &Metadata) -> Outcome<Vec<String>> {
    let mut findings = Vec::new();
    for package in metadata.workspace_packages() {
        let manifest = fs::read_to_string(&package.manifest_path)
            .doing(format!("reading {}", package.manifest_path))?;
        if !manifest.contains("[lints]\nworkspace = true") {
            findings.push(format!("{}: does not inherit the workspace's lints", package.name));
        }
        let folder =
            package.manifest_path.parent().map(|folder| folder.as_std_path().to_path_buf());
        for file in
            folder.map(|folder| rust_files(&folder.join("src"))).transpose()?.unwrap_or_default()
        {
            let text = fs::read_to_string(&file).doing(format!("reading {}", file.display()))?;
            findings.extend(impurities(package.name.as_str(), &file, &text));
            if !(text.starts_with("//! ")
                || text.starts_with("#![doc = include_str!(\"../README.md\")]"))
            {
                findings.push(format!("{}: the first line is not a doc comment", file.display()));
            }
        }
    }
    Ok(findings)
}

/// Parts of the standard library that do I/O or read clocks; no manifest lists them.
const REACHES_OUT: [&str; 7] =
    ["std::env", "std::fs", "std::net", "std::process", "std::thread", "SystemTime", "Instant"];

/// I/O and clocks used by the domain.
fn impurities(package: &str, file: &Path, text: &str) -> Vec<String> {
    if package != "domain" {
        return Vec::new();
    }
    let found = REACHES_OUT.iter().filter(|part| text.contains(**part));
    found.map(|part| format!("{}: the domain must not use {part}", file.display())).collect()
}

fn rust_files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).doing(format!("reading {}", folder.display()))? {
        let path = entry.doing(format!("reading {}", folder.display()))?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(edges: &[&str]) -> BTreeSet<String> {
        edges.iter().map(|edge| (*edge).to_owned()).collect()
    }

    #[test]
    fn unlisted_edges_and_stale_entries_are_findings() {
        let allowed = set(&["app -> domain", "domain -> jiff"]);
        assert!(compare(&allowed, &allowed).is_empty());
        let findings = compare(&set(&["app -> domain", "domain -> serde"]), &allowed);
        assert_eq!(findings.len(), 2);
        assert!(findings[0].starts_with("domain -> serde: this edge is not in"));
        assert!(findings[1].starts_with("domain -> jiff: "));
    }

    #[test]
    fn only_the_domain_is_checked_for_input_and_output() {
        let text = "use std::net::TcpStream;";
        assert_eq!(impurities("domain", Path::new("x.rs"), text).len(), 1);
        assert!(impurities("adapter-http", Path::new("x.rs"), text).is_empty());
        assert!(impurities("domain", Path::new("x.rs"), "use std::sync::Arc;").is_empty());
    }
}
