//! Finds or installs nginx.

use std::path::PathBuf;

use crate::error::Outcome;
use crate::install::{Package, find_or_install, from_path};

/// The Debian folder, which is not in every user's `PATH`.
const DEBIAN: &str = "/usr/sbin";

const PACKAGE: Package<'_> = Package {
    what: "the proxy nginx",
    debian: "nginx",
    others: "`sudo dnf install nginx` (Fedora) or `brew install nginx` (macOS)",
};

/// Finds nginx, or installs it if that needs no password; reports through `notify`. Tests do not
/// use the service that the package starts.
///
/// # Errors
/// If it is missing and cannot be installed: with the command to run.
pub fn find_or_install_nginx(notify: impl Fn(&str)) -> Outcome<PathBuf> {
    find_or_install(&PACKAGE, look, notify)
}

pub(crate) fn look() -> Option<PathBuf> {
    let folders = from_path().into_iter().chain([PathBuf::from(DEBIAN)]);
    folders.map(|folder| folder.join("nginx")).find(|file| file.is_file())
}
