//! Finds or installs PgBouncer.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use crate::binaries::server_user;
use crate::error::{Doing as _, Outcome};
use crate::install::{Package, find_or_install, from_path};

/// The Debian folder, which is not in every user's `PATH`.
const DEBIAN: &str = "/usr/sbin";

const PACKAGE: Package<'_> = Package {
    what: "the pooler PgBouncer",
    debian: "pgbouncer",
    others: "`sudo dnf install pgbouncer` (Fedora) or `brew install pgbouncer` (macOS)",
};

/// Finds PgBouncer, or installs it if that needs no password; reports through `notify`. Tests do not
/// use the service that the package starts.
///
/// # Errors
/// If it is missing and cannot be installed: with the command to run.
pub fn find_or_install_pgbouncer(notify: impl Fn(&str)) -> Outcome<PathBuf> {
    find_or_install(&PACKAGE, look, notify)
}

pub(super) fn look() -> Option<PathBuf> {
    let folders = from_path().into_iter().chain([PathBuf::from(DEBIAN)]);
    folders.map(|folder| folder.join("pgbouncer")).find(|file| file.is_file())
}

/// Started by root, it becomes the user of the server, who must be able to read its files.
pub(super) fn give_to_its_user(folder: &Path) -> Outcome {
    let Some((user, group)) = server_user()? else { return Ok(()) };
    chown(folder, Some(user), Some(group)).doing("giving the folder to `postgres`")
}
