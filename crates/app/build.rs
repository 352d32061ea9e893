//! Passes the version with its commit to the program, for `boxoffice --version`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the commit where there is no repository, as in the build of an image.
const GIVEN: &str = "BOXOFFICE_REVISION";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={GIVEN}");
    let given = std::env::var(GIVEN).ok().filter(|revision| is_revision(revision));
    let version = env!("CARGO_PKG_VERSION");
    match given.or_else(commit) {
        Some(revision) => println!("cargo::rustc-env=BOXOFFICE_VERSION={version} ({revision})"),
        None => println!("cargo::rustc-env=BOXOFFICE_VERSION={version}"),
    }
}

fn is_revision(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is_part)
}

/// The commit of this repository; `None` for sources without one.
fn commit() -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Sources unpacked somewhere in another repository are not of its commit.
    if !git(&root, &["rev-parse", "--show-prefix"])?.is_empty() {
        return None;
    }
    for changed in ["HEAD", "logs/HEAD"] {
        let path = root.join(PathBuf::from(git(&root, &["rev-parse", "--git-path", changed])?));
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    git(&root, &["rev-parse", "--short=12", "HEAD"])
}

fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
