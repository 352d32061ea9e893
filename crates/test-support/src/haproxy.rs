//! Where the program of a proxy is, and how to get it.

use std::path::PathBuf;

use crate::error::Outcome;
use crate::install::{Package, find_or_install, from_path};

/// Where Debian puts it, which is not on everybody's path.
const DEBIAN: &str = "/usr/sbin";

const PACKAGE: Package = Package {
    what: "the proxy HAProxy",
    debian: "haproxy",
    others: "`sudo dnf install haproxy` (Fedora) or `brew install haproxy` (macOS)",
};

/// HAProxy; installed first where that can be done without asking anybody, and said through `tell`.
///
/// # Errors
/// When it is not there and cannot be installed: with the command to run.
pub fn find_or_install_haproxy(tell: impl Fn(&str)) -> Outcome<PathBuf> {
    find_or_install(&PACKAGE, look, tell)
}

pub(crate) fn look() -> Option<PathBuf> {
    let folders = from_path().into_iter().chain([PathBuf::from(DEBIAN)]);
    folders.map(|folder| folder.join("haproxy")).find(|file| file.is_file())
}
