//! Finds or installs the programs of Prometheus.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Outcome, failed};
use crate::install::{Package, find_or_install, from_path};

/// The server, and `promtool`, which checks its files and tests its rules.
#[derive(Clone, Debug)]
pub struct PrometheusBinaries {
    server: PathBuf,
    promtool: PathBuf,
}

/// The Debian folder.
const DEBIAN: &str = "/usr/bin";

const PACKAGE: Package<'_> = Package {
    what: "Prometheus",
    debian: "prometheus",
    others: "`sudo dnf install prometheus` (Fedora) or `brew install prometheus` (macOS)",
};

impl PrometheusBinaries {
    /// Finds the installed programs.
    ///
    /// # Errors
    /// If they are not installed: with the command that installs them.
    pub fn find() -> Outcome<Self> {
        Self::look()
            .ok_or_else(|| failed("Prometheus is not installed; `cargo xtask test` installs it"))
    }

    /// Searches `PATH` and the Debian folder.
    fn look() -> Option<Self> {
        let folders: Vec<PathBuf> =
            from_path().into_iter().chain([PathBuf::from(DEBIAN)]).collect();
        let place =
            |name: &str| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file());
        Some(Self { server: place("prometheus")?, promtool: place("promtool")? })
    }

    pub(super) fn server(&self) -> &Path {
        &self.server
    }

    /// A command that runs `promtool`, without standard input.
    #[must_use]
    pub fn promtool(&self) -> Command {
        let mut command = Command::new(&self.promtool);
        command.stdin(Stdio::null());
        command
    }
}

/// Finds the programs, or installs them if that needs no password; reports through `notify`.
///
/// # Errors
/// If they are missing and cannot be installed: with the command to run.
pub fn find_or_install_prometheus(notify: impl Fn(&str)) -> Outcome<PrometheusBinaries> {
    find_or_install(&PACKAGE, PrometheusBinaries::look, notify)
}
