//! Finds or installs the program of an InfluxDB server.

use std::path::{Path, PathBuf};

use crate::error::{Outcome, failed};
use crate::install::{Package, find_or_install, from_path};

/// An InfluxDB server, version 1.
#[derive(Clone, Debug)]
pub struct InfluxBinaries {
    server: PathBuf,
}

/// The Debian folder.
const DEBIAN: &str = "/usr/bin";

const PACKAGE: Package<'_> = Package {
    what: "InfluxDB 1",
    debian: "influxdb",
    others: "`sudo dnf install influxdb` (Fedora) or `brew install influxdb@1` (macOS)",
};

impl InfluxBinaries {
    /// Finds the installed program.
    ///
    /// # Errors
    /// If it is not installed: with the command that installs it.
    pub fn find() -> Outcome<Self> {
        Self::look()
            .ok_or_else(|| failed("InfluxDB is not installed; `cargo xtask test` installs it"))
    }

    /// Searches `PATH` and the Debian folder.
    fn look() -> Option<Self> {
        let folders = from_path().into_iter().chain([PathBuf::from(DEBIAN)]);
        let server = folders.map(|folder| folder.join("influxd")).find(|file| file.is_file())?;
        Some(Self { server })
    }

    pub(super) fn server(&self) -> &Path {
        &self.server
    }
}

/// Finds the program, or installs it if that needs no password; reports through `notify`. Tests do
/// not use the service that the package starts.
///
/// # Errors
/// If it is missing and cannot be installed: with the command to run.
pub fn find_or_install_influxdb(notify: impl Fn(&str)) -> Outcome<InfluxBinaries> {
    find_or_install(&PACKAGE, InfluxBinaries::look, notify)
}
