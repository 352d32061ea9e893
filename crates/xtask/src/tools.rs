//! Programs built from crates.io into `target/tools`, each in one version. Cargo verifies its
//! downloads against the checksums of the registry, and against the lock file that the program was
//! published with.

use std::path::{Path, PathBuf};
use std::process::Command;

use test_support::workspace::{cargo, run, target};
use test_support::{Outcome, failed};

/// A subcommand of cargo.
pub(crate) struct CargoTool {
    /// The package, and the program in it.
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// The arguments that print its version.
    pub(crate) requested: &'static [&'static str],
    /// Further options of `cargo install`.
    pub(crate) options: &'static [&'static str],
}

impl CargoTool {
    /// Finds the program in this version, or builds it first.
    pub(crate) fn find_or_install(&self) -> Outcome<PathBuf> {
        let Self { name, version, .. } = self;
        let tools = target().join("tools");
        let program = tools.join("bin").join(name);
        if !self.is_pinned(&program) {
            println!(
                "{name} {version} is needed and not installed: building it takes some minutes"
            );
            let mut install = cargo(&["install", name, "--version", version, "--locked", "--root"]);
            install.arg(&tools).args(self.options);
            run(install)?;
        }
        if self.is_pinned(&program) {
            Ok(program)
        } else {
            Err(failed(format!("{} is installed, and is not {name} {version}", program.display())))
        }
    }

    fn is_pinned(&self, program: &Path) -> bool {
        let answer = Command::new(program).args(self.requested).output();
        let expected = format!("{} {}", self.name, self.version);
        answer.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).trim() == expected)
    }
}
