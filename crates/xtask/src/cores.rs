//! Who runs on which core: what is measured on one, what measures it, and everything else, on another.

use std::ffi::OsStr;
use std::fs;
use std::process::{Command, Stdio};

use crate::run::run;
use test_support::Outcome;

/// Of what is measured.
pub(crate) const SERVER: &str = "0";
/// Of whatever makes the load, and of what is asked by what is measured.
pub(crate) const GENERATOR: &str = "1";

/// Cores of the machine, not of those this program was left.
pub(crate) fn count() -> usize {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    cpu.lines().filter(|line| line.starts_with("processor")).count()
}

/// A command whose process stays on a core, where there is more than one and `taskset` to say so.
pub(crate) fn on(core: &str, program: impl AsRef<OsStr>) -> Command {
    if !can_pin() {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", core]).arg(program);
    command
}

pub(crate) fn can_pin() -> bool {
    let mut taskset = Command::new("taskset");
    taskset.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    count() > 1 && taskset.status().is_ok_and(|status| status.success())
}

/// This program, and whatever it starts from here on, runs on one core; but for servers, which are told their own.
pub(crate) fn stay_on(core: &str) -> Outcome {
    let mut command = Command::new("taskset");
    let id = std::process::id().to_string();
    command.args(["--all-tasks", "--cpu-list", "--pid", core, &id]);
    run(command)
}
