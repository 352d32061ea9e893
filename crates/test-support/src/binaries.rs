//! Where the programs of a Postgres server are, and how to get them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Outcome, failed};
use crate::install::{Package, find_or_install, from_path, id, is_root};

/// The folder with `initdb`, `pg_ctl`, `psql`, `pgbench` and `postgres`.
#[derive(Clone, Debug)]
pub struct PostgresBinaries(PathBuf);

/// Where Debian puts them; a folder for each major version, none of them on the path.
const DEBIAN: &str = "/usr/lib/postgresql";

impl PostgresBinaries {
    /// The programs where they are installed.
    ///
    /// # Errors
    /// When they are not: with what installs them.
    pub fn find() -> Outcome<Self> {
        Self::look().ok_or_else(|| {
            failed("the programs of a Postgres server are not here; `cargo xtask test` gets them")
        })
    }

    /// Looks where `pg_config` says, where Debian puts them, and on the path.
    fn look() -> Option<Self> {
        let places = from_pg_config().into_iter().chain(from_debian()).chain(from_path());
        places
            .into_iter()
            .find(|folder| folder.join("initdb").exists() && folder.join("psql").exists())
            .map(Self)
    }

    /// A command that runs one of the programs, with nothing on standard input.
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

/// The newest version first.
fn from_debian() -> Vec<PathBuf> {
    let versions = Path::new(DEBIAN).read_dir().into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut folders: Vec<_> =
        versions.filter_map(|entry| Some((number(&entry.path())?, entry.path()))).collect();
    folders.sort_unstable_by(|a, b| b.cmp(a));
    folders.into_iter().map(|(_, folder)| folder.join("bin")).collect()
}

const PACKAGE: Package = Package {
    what: "a Postgres server",
    debian: "postgresql",
    others: "`sudo dnf install postgresql-server` (Fedora) or `brew install postgresql@15` (macOS)",
};

/// The programs; installed first where that can be done without asking anybody, and said through `tell`.
///
/// # Errors
/// When they are not there and cannot be installed: with the command to run.
pub fn find_or_install_postgres(tell: impl Fn(&str)) -> Outcome<PostgresBinaries> {
    find_or_install(&PACKAGE, PostgresBinaries::look, tell)
}

/// The user and group a server runs as when we are root.
pub(crate) fn server_user() -> Outcome<Option<(u32, u32)>> {
    if !is_root() {
        return Ok(None);
    }
    let ids = id(&["-u", "postgres"]).zip(id(&["-g", "postgres"]));
    ids.map(Some).ok_or_else(|| {
        failed("Postgres refuses to run as root, and there is no user `postgres` to run it as")
    })
}
