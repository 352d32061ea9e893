//! Finds or installs debootstrap, which makes a Debian system in a folder.

use std::path::PathBuf;

use crate::error::Outcome;
use crate::install::{Package, find_or_install, from_path, is_root};

/// The Debian folder, which is not in every user's `PATH`.
const DEBIAN: &str = "/usr/sbin";

const PACKAGE: Package<'_> = Package {
    what: "debootstrap",
    debian: "debootstrap",
    others: "`sudo dnf install debootstrap` (Fedora)",
};

/// Whether debootstrap could run: it makes files of other users.
#[must_use]
pub fn can_debootstrap() -> bool {
    is_root()
}

/// Finds debootstrap, or installs it if that needs no password; reports through `notify`.
///
/// # Errors
/// If it is missing and cannot be installed: with the command to run.
pub fn find_or_install_debootstrap(notify: impl Fn(&str)) -> Outcome<PathBuf> {
    find_or_install(&PACKAGE, look, notify)
}

fn look() -> Option<PathBuf> {
    let folders = from_path().into_iter().chain([PathBuf::from(DEBIAN)]);
    folders.map(|folder| folder.join("debootstrap")).find(|file| file.is_file())
}
