//! Where the programs of a Postgres server are, and how to get them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Doing as _, Outcome, failed};

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

fn from_path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// The programs; installed first where that can be done without asking anybody, and said through `tell`.
///
/// # Errors
/// When they are not there and cannot be installed: with the command to run.
pub fn find_or_install_postgres(tell: impl Fn(&str)) -> Outcome<PostgresBinaries> {
    if let Some(found) = PostgresBinaries::look() {
        return Ok(found);
    }
    let Some(as_root) = as_root() else {
        return Err(failed(
            "the tests need the programs of a Postgres server; install them with `sudo apt-get install postgresql` \
             (Debian, Ubuntu), `sudo dnf install postgresql-server` (Fedora) or `brew install postgresql@15` (macOS)",
        ));
    };
    tell("the tests need a Postgres server, which is not installed: installing Debian's `postgresql`");
    for arguments in [&["update"][..], &["install", "--yes", "--no-install-recommends", "postgresql"]] {
        let shown = format!("apt-get {}", arguments.join(" "));
        tell(&format!("$ {}{shown}", as_root.iter().map(|word| format!("{word} ")).collect::<String>()));
        let words: Vec<&str> = as_root.iter().copied().chain(["apt-get"]).collect();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .args(arguments)
            .stdin(Stdio::null())
            .env("DEBIAN_FRONTEND", "noninteractive");
        let status = command.status().doing(format!("starting `{shown}`"))?;
        if !status.success() {
            return Err(failed(format!("`{shown}` ended with {status}")));
        }
    }
    PostgresBinaries::look().ok_or_else(|| failed("`postgresql` is installed, and its programs are nowhere"))
}

/// What goes before a command so that root runs it: nothing, or `sudo` that asks for no password. `None` where there is
/// no apt-get or no way to be root.
fn as_root() -> Option<&'static [&'static str]> {
    let succeeds = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !succeeds("apt-get", &["--version"]) {
        None
    } else if is_root() {
        Some(&[])
    } else if succeeds("sudo", &["--non-interactive", "true"]) {
        Some(&["sudo", "--non-interactive"])
    } else {
        None
    }
}

/// Whether this process is root, which Postgres refuses to be.
fn is_root() -> bool {
    id(&["-u"]) == Some(0)
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

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
