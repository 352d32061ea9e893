//! The benchmark program of the Postgres adapter.

use std::process::Command;

use test_support::Outcome;
use test_support::workspace::{cargo, output, run};

/// The program, built.
pub(crate) struct DatesProgram;

impl DatesProgram {
    pub(crate) fn build() -> Outcome<Self> {
        run(Self::cargo(&["--no-run"]))?;
        Ok(Self)
    }

    fn cargo(arguments: &[&str]) -> Command {
        let mut command = cargo(&[
            "bench",
            "--quiet",
            "--locked",
            "--package",
            "adapter-postgres",
            "--bench",
            "dates",
        ]);
        command.args(arguments);
        command
    }

    /// Runs it and returns its output.
    pub(crate) fn run(&self, words: &[&str]) -> Outcome<String> {
        let mut command = Self::cargo(&["--"]);
        command.args(words);
        output(&mut command)
    }

    /// The statement of the dates query, as the adapter sends it.
    pub(crate) fn statement(&self) -> Outcome<String> {
        Ok(self.run(&["statement"])?.trim().to_owned())
    }
}
