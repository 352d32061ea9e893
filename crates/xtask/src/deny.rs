//! `cargo xtask deny`: checks licences, sources and bans of dependencies, and known advisories.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use clap::Args;

use crate::tools::CargoTool;
use test_support::workspace::{root, run, show};
use test_support::{Doing as _, Outcome, failed};

/// Options of the check.
#[derive(Args, Default)]
pub(crate) struct Arguments {
    /// Fail if the advisory database is not available
    #[arg(long)]
    require_advisories: bool,
}

const TOOL: CargoTool = CargoTool {
    name: "cargo-deny",
    version: "0.20.2",
    requested: &["--version"],
    options: &["--debug"],
};

/// The source of advisories, and the age from which a copy of them counts as stale.
const DATABASE: &str = "https://github.com/RustSec/advisory-db";
const OLD_AFTER: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Runs the checks of `deny.toml`.
pub(crate) fn deny(arguments: &Arguments) -> Outcome {
    let program = TOOL.find_or_install()?;
    run(command(&program, &["check", "bans", "licenses", "sources"]))?;
    match Advisories::at_hand(&program) {
        Some(database) => {
            println!("advisories: {}", database.described());
            run(command(&program, &["--offline", "check", "advisories"]))
        }
        None if arguments.require_advisories => Err(failed(NOT_CHECKED)),
        None => {
            println!("{NOT_CHECKED}");
            Ok(())
        }
    }
}

/// Always printed if advisories were not checked.
const NOT_CHECKED: &str = "advisories were NOT CHECKED: their database, \
    https://github.com/RustSec/advisory-db, cannot be fetched from here, and no copy of it is in CARGO_HOME/advisory-dbs";

fn command(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).arg("--locked").args(arguments);
    command
}

/// A local copy of the database.
struct Advisories {
    /// Whether this run fetched it.
    is_fresh: bool,
    /// When it last changed.
    changed: Option<SystemTime>,
}

impl Advisories {
    /// Fetches the database if possible, and otherwise uses the existing copy.
    fn at_hand(program: &Path) -> Option<Self> {
        let mut fetch = command(program, &["fetch", "db"]);
        println!("$ {}", show(&fetch));
        let is_fresh = fetch.output().is_ok_and(|output| output.status.success());
        let copy = copies().into_iter().next()?;
        Some(Self { is_fresh, changed: last_change(&copy) })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the age of a copy is measured by the machine's clock"
    )]
    fn described(&self) -> String {
        let source =
            if self.is_fresh { "fetched now" } else { "NOT fetched now, a copy that is kept" };
        let Some(changed) = self.changed else {
            return format!("{DATABASE}, {source}, of an unknown day");
        };
        let age = SystemTime::now().duration_since(changed).unwrap_or_default();
        let old = if age > OLD_AFTER { ": OLD, so what is newer is not known" } else { "" };
        format!("{DATABASE}, {source}, last changed {} days ago{old}", age.as_secs() / (24 * 3_600))
    }
}

/// The folders of databases that cargo-deny keeps.
fn copies() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let Some(folder) = home.map(|home| home.join("advisory-dbs")) else { return Vec::new() };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    // An interrupted fetch can leave a folder without a database.
    entries.map(|entry| entry.path()).filter(|path| last_change(path).is_some()).collect()
}

/// When the last advisory was added or changed: the time of the last commit.
fn last_change(copy: &Path) -> Option<SystemTime> {
    let mut git = Command::new("git");
    git.arg("-C").arg(copy).args(["log", "-1", "--format=%ct"]);
    let said = git.output().doing("starting git").ok().filter(|output| output.status.success())?;
    let seconds = String::from_utf8_lossy(&said.stdout).trim().parse().ok()?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the age of a copy is measured by the machine's clock"
    )]
    fn a_copy_reports_its_age_and_whether_it_was_fetched() {
        let days = |days: u64| SystemTime::now() - Duration::from_secs(days * 24 * 3_600);
        let said = |is_fresh, changed| Advisories { is_fresh, changed }.described();
        assert!(said(true, Some(days(2))).ends_with("fetched now, last changed 2 days ago"));
        let kept = said(false, Some(days(40)));
        assert!(kept.contains("NOT fetched now") && kept.contains("40 days ago: OLD"), "{kept}");
        assert!(said(false, None).contains("of an unknown day"));
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the age of a copy is measured by the machine's clock"
    )]
    fn a_folder_without_a_database_is_not_a_copy() {
        let folder = tempfile::tempdir().unwrap();
        assert!(last_change(folder.path()).is_none());
        let git = |arguments: &[&str]| {
            let mut git = Command::new("git");
            git.arg("-C").arg(folder.path()).args([
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@example.org",
            ]);
            assert!(git.args(arguments).output().unwrap().status.success(), "{arguments:?}");
        };
        git(&["init", "--quiet"]);
        assert!(last_change(folder.path()).is_none());
        git(&["commit", "--quiet", "--allow-empty", "--message", "an advisory"]);
        let age = SystemTime::now().duration_since(last_change(folder.path()).unwrap());
        assert!(age.unwrap_or_default() < Duration::from_secs(600));
    }
}
