//! Finds or installs the programs that check the description of the API, and the API against it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::error::{Doing as _, Outcome, failed};
use crate::process::{START_LIMIT, run_within};
use crate::python::{find_or_install_python, make_environment};
use crate::workspace::target;

/// The installed programs.
#[derive(Clone, Debug)]
pub struct ApiCheckers {
    folder: PathBuf,
}

/// Both programs with everything they need, each with the hashes of its files.
const REQUIREMENTS: &str = include_str!("api-checkers-requirements.txt");

/// The version of schemathesis in [`REQUIREMENTS`].
const VERSION: &str = "4.32.5";

/// The time limit for the installation, a download of 20 MB.
const INSTALL_LIMIT: Duration = Duration::from_secs(300);

impl ApiCheckers {
    /// Finds the installed programs.
    ///
    /// # Errors
    /// If they are not installed: with the command that installs them.
    pub fn find() -> Outcome<Self> {
        let missing = || failed("schemathesis is not installed; `cargo xtask test` installs it");
        Self::look(&folder()).ok_or_else(missing)
    }

    /// A command that runs schemathesis, which sends requests to a service and compares the
    /// responses with the description.
    #[must_use]
    pub fn schemathesis(&self) -> Command {
        self.program("schemathesis")
    }

    /// A command that runs openapi-spec-validator, which checks descriptions.
    #[must_use]
    pub fn validator(&self) -> Command {
        self.program("openapi-spec-validator")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.folder.join("bin").join(name));
        // Both print Unicode, whatever the locale.
        command.env("PYTHONUTF8", "1").env("NO_COLOR", "1");
        command
    }

    fn look(folder: &Path) -> Option<Self> {
        let found = Self { folder: folder.to_owned() };
        let (status, said) = run_within(found.schemathesis().arg("--version"), START_LIMIT).ok()?;
        (status.success() && said.contains(VERSION)).then_some(found)
    }
}

/// Finds schemathesis and openapi-spec-validator in `tools` of the cargo target folder, or installs
/// them there; reports through `notify`.
///
/// # Errors
/// If they are missing and cannot be installed: with the command to run.
pub fn find_or_install_api_checkers(notify: impl Fn(&str)) -> Outcome<ApiCheckers> {
    let folder = folder();
    let tools = folder.parent().unwrap_or(&folder);
    fs::create_dir_all(tools).doing(format!("making {}", tools.display()))?;
    let lock = File::create(tools.join("api-checkers.lock")).doing("opening a lock file")?;
    lock.lock().doing("waiting for another installation")?;
    if let Some(found) = ApiCheckers::look(&folder) {
        return Ok(found);
    }
    let others = "or with the installer of python.org, version 3.11 or later";
    let python = find_or_install_python("to install schemathesis", others, &notify)?;
    notify(&format!("schemathesis {VERSION} is needed and not installed: installing it from PyPI"));
    // An interrupted installation may have left a part. An environment cannot be moved.
    if folder.exists() {
        fs::remove_dir_all(&folder).doing(format!("removing {}", folder.display()))?;
    }
    make_environment(&python, &folder, REQUIREMENTS, INSTALL_LIMIT, notify)?;
    let missing = || failed("schemathesis is installed, but `schemathesis --version` fails");
    ApiCheckers::look(&folder).ok_or_else(missing)
}

fn folder() -> PathBuf {
    target().join("tools/api-checkers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_requirements() {
        assert!(REQUIREMENTS.lines().any(|line| line == format!("schemathesis=={VERSION} \\")));
    }
}
