//! CPU affinity: the measured server runs on one core, the load generator and everything else on
//! another.

use std::ffi::OsStr;
use std::fs;
use std::process::{Command, Stdio};

use test_support::Outcome;
use test_support::workspace::run;

/// The core of the measured server.
pub(crate) const SERVER: &str = "0";
/// The core of the load generator and of the server's dependencies.
pub(crate) const GENERATOR: &str = "1";

/// The cores of the machine, regardless of this program's affinity.
pub(crate) fn count() -> usize {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    cpu.lines().filter(|line| line.starts_with("processor")).count()
}

/// A command pinned to a core, if there is more than one core and `taskset` is installed.
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

/// Pins this program and its future children to one core, except servers, which get their own.
pub(crate) fn stay_on(core: &str) -> Outcome {
    let mut command = Command::new("taskset");
    let id = std::process::id().to_string();
    command.args(["--all-tasks", "--cpu-list", "--pid", core, &id]);
    run(command)
}
