//! Installs missing programs.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::error::{Doing as _, Outcome, failed};

/// A package that contains the programs.
pub(crate) struct Package<'a> {
    /// The software, such as `a Postgres server`.
    pub(crate) what: &'a str,
    /// The name of the Debian package.
    pub(crate) debian: &'static str,
    /// The commands for other systems.
    pub(crate) others: &'static str,
}

/// Returns the result of `look`. If it finds nothing, installs the package first, if that needs no
/// password.
pub(crate) fn find_or_install<T>(
    package: &Package<'_>,
    look: impl Fn() -> Option<T>,
    notify: impl Fn(&str),
) -> Outcome<T> {
    if let Some(found) = look() {
        return Ok(found);
    }
    let Package { what, debian, others } = package;
    let Some(as_root) = as_root() else {
        return Err(failed(format!(
            "{what} is needed; install it with `sudo apt-get install {debian}` (Debian, \
             Ubuntu), {others}"
        )));
    };
    notify(&format!("{what} is needed and not installed: installing Debian's `{debian}`"));
    for arguments in [&["update"][..], &["install", "--yes", "--no-install-recommends", debian]] {
        apt_get(as_root, arguments, &notify)?;
    }
    look()
        .ok_or_else(|| failed(format!("`{debian}` is installed, but its programs were not found")))
}

fn apt_get(as_root: &[&str], arguments: &[&str], notify: impl Fn(&str)) -> Outcome {
    let shown = format!("apt-get {}", arguments.join(" "));
    notify(&format!(
        "$ {}{shown}",
        as_root.iter().map(|word| format!("{word} ")).collect::<String>()
    ));
    let words: Vec<&str> = as_root.iter().copied().chain(["apt-get"]).collect();
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .args(arguments)
        .stdin(Stdio::null())
        .env("DEBIAN_FRONTEND", "noninteractive");
    let status = command.status().doing(format!("starting `{shown}`"))?;
    if status.success() { Ok(()) } else { Err(failed(format!("`{shown}` ended with {status}"))) }
}

/// The prefix that runs a command as root: empty, or `sudo` without a password. `None` without
/// apt-get or a way to become root.
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

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    id(&["-u"]) == Some(0)
}

/// The output of `id`.
pub(crate) fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// The folders of `PATH`.
pub(crate) fn from_path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}
