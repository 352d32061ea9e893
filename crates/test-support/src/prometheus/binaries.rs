//! Where the programs of Prometheus are, and how to get them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Outcome, failed};
use crate::install::{Package, find_or_install, from_path};

/// The server, and `promtool`, which checks its files and tries its rules.
#[derive(Clone, Debug)]
pub struct PrometheusBinaries {
    server: PathBuf,
    promtool: PathBuf,
}

/// Where Debian puts them.
const DEBIAN: &str = "/usr/bin";

const PACKAGE: Package = Package {
    what: "Prometheus",
    debian: "prometheus",
    others: "`sudo dnf install prometheus` (Fedora) or `brew install prometheus` (macOS)",
};

impl PrometheusBinaries {
    /// The programs where they are installed.
    ///
    /// # Errors
    /// When they are not: with what installs them.
    pub fn find() -> Outcome<Self> {
        Self::look().ok_or_else(|| {
            failed("the programs of Prometheus are not here; `cargo xtask test` gets them")
        })
    }

    /// Looks on the path, and where Debian puts them.
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

    /// A command that runs `promtool`, with nothing on standard input.
    #[must_use]
    pub fn promtool(&self) -> Command {
        let mut command = Command::new(&self.promtool);
        command.stdin(Stdio::null());
        command
    }
}

/// The programs; installed first where that can be done without asking anybody, and said through `tell`.
///
/// # Errors
/// When they are not there and cannot be installed: with the command to run.
pub fn find_or_install_prometheus(tell: impl Fn(&str)) -> Outcome<PrometheusBinaries> {
    find_or_install(&PACKAGE, PrometheusBinaries::look, tell)
}
