//! Finds or installs the programs of a Redis server.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Outcome, failed};
use crate::install::{Package, find_or_install, from_path};

/// A Redis or Valkey server, 7.0 or newer, and its command line client.
#[derive(Clone, Debug)]
pub struct RedisBinaries {
    server: PathBuf,
    client: PathBuf,
}

/// The names of the programs, in order of preference.
const NAMES: [(&str, &str); 2] = [("redis-server", "redis-cli"), ("valkey-server", "valkey-cli")];

/// The Debian folder.
const DEBIAN: &str = "/usr/bin";

const PACKAGE: Package<'_> = Package {
    what: "a Redis server",
    debian: "redis-server",
    others: "`sudo dnf install valkey` (Fedora) or `brew install redis` (macOS)",
};

impl RedisBinaries {
    /// Finds the installed programs.
    ///
    /// # Errors
    /// If they are not installed: with the command that installs them.
    pub fn find() -> Outcome<Self> {
        Self::look().ok_or_else(|| failed("Redis is not installed; `cargo xtask test` installs it"))
    }

    /// Searches `PATH` and the Debian folder.
    fn look() -> Option<Self> {
        let folders: Vec<PathBuf> =
            from_path().into_iter().chain([PathBuf::from(DEBIAN)]).collect();
        let place =
            |name: &str| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file());
        NAMES.into_iter().find_map(|(server, client)| {
            Some(Self { server: place(server)?, client: place(client)? })
        })
    }

    pub(super) fn server(&self) -> &Path {
        &self.server
    }

    /// A command that runs the client, without standard input.
    pub(super) fn client(&self) -> Command {
        let mut command = Command::new(&self.client);
        command.stdin(Stdio::null());
        command
    }
}

/// Finds the programs, or installs them if that needs no password; reports through `notify`.
///
/// # Errors
/// If they are missing and cannot be installed: with the command to run.
pub fn find_or_install_redis(notify: impl Fn(&str)) -> Outcome<RedisBinaries> {
    find_or_install(&PACKAGE, RedisBinaries::look, notify)
}
