//! Finds or installs the programs of a Postgres server.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Outcome, failed};
use crate::install::{Package, find_or_install, from_path, id, is_root};

/// The folder with `initdb`, `pg_ctl`, `psql`, `pgbench` and `postgres`.
#[derive(Clone, Debug)]
pub struct PostgresBinaries(PathBuf);

/// The Debian folder, with one folder per major version, none of them in `PATH`.
const DEBIAN: &str = "/usr/lib/postgresql";

impl PostgresBinaries {
    /// Finds the installed programs.
    ///
    /// # Errors
    /// If they are not installed: with the command that installs them.
    pub fn find() -> Outcome<Self> {
        Self::look()
            .ok_or_else(|| failed("Postgres is not installed; `cargo xtask test` installs it"))
    }

    /// Searches the folder of `pg_config`, the Debian folders, and `PATH`.
    fn look() -> Option<Self> {
        let places = from_pg_config().into_iter().chain(from_debian()).chain(from_path());
        places
            .into_iter()
            .find(|folder| folder.join("initdb").exists() && folder.join("psql").exists())
            .map(Self)
    }

    /// A command that runs one of the programs, without standard input.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.0.join(program));
        command.stdin(Stdio::null());
        command
    }
}

fn from_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").stderr(Stdio::null()).output().ok()?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

/// The Debian folders, newest version first.
fn from_debian() -> Vec<PathBuf> {
    let versions = Path::new(DEBIAN).read_dir().into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut folders: Vec<_> =
        versions.filter_map(|entry| Some((number(&entry.path())?, entry.path()))).collect();
    folders.sort_unstable_by(|a, b| b.cmp(a));
    folders.into_iter().map(|(_, folder)| folder.join("bin")).collect()
}

const PACKAGE: Package<'_> = Package {
    what: "a Postgres server",
    debian: "postgresql",
    others: "`sudo dnf install postgresql-server` (Fedora) or `brew install postgresql@15` (macOS)",
};

/// Finds the programs, or installs them if that needs no password; reports through `notify`.
///
/// # Errors
/// If they are missing and cannot be installed: with the command to run.
pub fn find_or_install_postgres(notify: impl Fn(&str)) -> Outcome<PostgresBinaries> {
    find_or_install(&PACKAGE, PostgresBinaries::look, notify)
}

/// The user and group of a server that is started by root.
pub(crate) fn server_user() -> Outcome<Option<(u32, u32)>> {
    if !is_root() {
        return Ok(None);
    }
    let ids = id(&["-u", "postgres"]).zip(id(&["-g", "postgres"]));
    ids.map(Some).ok_or_else(|| {
        failed("Postgres refuses to run as root, and the user `postgres` does not exist")
    })
}
