//! Finds or installs HAProxy.

use std::path::PathBuf;

use crate::error::Outcome;
use crate::install::{Package, find_or_install, from_path};

/// The Debian folder, which is not in every user's `PATH`.
const DEBIAN: &str = "/usr/sbin";

const PACKAGE: Package<'_> = Package {
    what: "the proxy HAProxy",
    debian: "haproxy",
    others: "`sudo dnf install haproxy` (Fedora) or `brew install haproxy` (macOS)",
};

/// Finds HAProxy, or installs it if that needs no password; reports through `notify`.
///
/// # Errors
/// If it is missing and cannot be installed: with the command to run.
pub fn find_or_install_haproxy(notify: impl Fn(&str)) -> Outcome<PathBuf> {
    find_or_install(&PACKAGE, look, notify)
}

pub(crate) fn look() -> Option<PathBuf> {
    let folders = from_path().into_iter().chain([PathBuf::from(DEBIAN)]);
    folders.map(|folder| folder.join("haproxy")).find(|file| file.is_file())
}
