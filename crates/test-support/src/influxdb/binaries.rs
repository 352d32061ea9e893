//! Where the program of an InfluxDB server is, and how to get it.

use std::path::{Path, PathBuf};

use crate::error::{Outcome, failed};
use crate::install::{Package, find_or_install, from_path};

/// An InfluxDB server, version 1.
#[derive(Clone, Debug)]
pub struct InfluxBinaries {
    server: PathBuf,
}

/// Where Debian puts it.
const DEBIAN: &str = "/usr/bin";

const PACKAGE: Package = Package {
    what: "InfluxDB 1",
    debian: "influxdb",
    others: "`sudo dnf install influxdb` (Fedora) or `brew install influxdb@1` (macOS)",
};

impl InfluxBinaries {
    /// The program where it is installed.
    ///
    /// # Errors
    /// When it is not: with what installs it.
    pub fn find() -> Outcome<Self> {
        Self::look().ok_or_else(|| {
            failed("the program of InfluxDB is not here; `cargo xtask test` gets it")
        })
    }

    /// Looks on the path, and where Debian puts it.
    fn look() -> Option<Self> {
        let folders = from_path().into_iter().chain([PathBuf::from(DEBIAN)]);
        let server = folders.map(|folder| folder.join("influxd")).find(|file| file.is_file())?;
        Some(Self { server })
    }

    pub(super) fn server(&self) -> &Path {
        &self.server
    }
}

/// The program; installed first where that can be done without asking anybody, and said through `tell`. A service that
/// the package starts is not used.
///
/// # Errors
/// When it is not there and cannot be installed: with the command to run.
pub fn find_or_install_influxdb(tell: impl Fn(&str)) -> Outcome<InfluxBinaries> {
    find_or_install(&PACKAGE, InfluxBinaries::look, tell)
}
