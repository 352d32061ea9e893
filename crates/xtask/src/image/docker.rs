//! The Docker client.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use test_support::{Outcome, failed, run_within};

use super::NotRun;

/// The time limit of a command that does not build.
const LIMIT: Duration = Duration::from_secs(60);

/// A client whose engine answers, and which can build with BuildKit.
pub(crate) struct Docker {
    program: PathBuf,
}

impl Docker {
    /// Looks through `PATH`.
    pub(crate) fn find() -> Result<Self, NotRun> {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let programs = std::env::split_paths(&folders).map(|folder| folder.join("docker"));
        let mut answers = false;
        for program in programs.filter(|program| program.is_file()) {
            let docker = Self { program };
            if docker.says(&["version", "--format", "{{.Server.Version}}"]).is_err() {
                continue;
            }
            answers = true;
            if docker.has_buildkit() {
                return Ok(docker);
            }
        }
        Err(NotRun(if answers {
            "the Docker client cannot build with BuildKit: install docker-buildx".to_owned()
        } else {
            "no Docker Engine answers".to_owned()
        }))
    }

    /// Since version 23 of the client, BuildKit needs a plugin.
    fn has_buildkit(&self) -> bool {
        let version = self.says(&["version", "--format", "{{.Client.Version}}"]);
        let major = version.ok().and_then(|text| text.split('.').next()?.parse::<u32>().ok());
        major.is_some_and(|major| major < 23) || self.says(&["buildx", "version"]).is_ok()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end, and returns its output without the final line break.
    pub(crate) fn says(&self, arguments: &[&str]) -> Outcome<String> {
        let (succeeded, said) = self.attempt(arguments)?;
        if succeeded {
            Ok(said)
        } else {
            Err(failed(format!("`docker {}`: {said}", arguments.join(" "))))
        }
    }

    /// Like [`Self::says`], and a failure is not an error.
    pub(crate) fn attempt(&self, arguments: &[&str]) -> Outcome<(bool, String)> {
        let (status, said) = run_within(&mut self.command(arguments), LIMIT)?;
        Ok((status.success(), said.trim_end().to_owned()))
    }
}
