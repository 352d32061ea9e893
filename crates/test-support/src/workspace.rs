//! The repository as tasks see it: its root, cargo, the release binary, and programs run in it.

#![expect(clippy::print_stdout, reason = "tasks print the commands they run")]

use std::path::PathBuf;
use std::process::Command;

use crate::error::{Doing as _, Outcome, failed};

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map_or(here.clone(), PathBuf::from)
}

/// Builds the release binary.
///
/// # Errors
/// If it does not build.
pub fn build_release() -> Outcome<PathBuf> {
    run(cargo(&["build", "--release", "--locked", "--package", "boxoffice"]))?;
    Ok(release_binary())
}

/// The path of the binary that [`build_release`] builds.
pub fn release_binary() -> PathBuf {
    target().join("release/boxoffice")
}

/// Cargo's target folder.
#[must_use]
pub fn target() -> PathBuf {
    root().join(std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from))
}

/// A command of the cargo that runs this task.
pub fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    // Build scripts would see these as changed inputs, and cargo would rebuild everything.
    let of_this_package = |name: &str| {
        name.starts_with("CARGO_PKG_")
            || name.starts_with("CARGO_MANIFEST_")
            || ["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"].contains(&name)
    };
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(of_this_package) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs to the end; anything but success is a failure.
///
/// # Errors
/// If the command cannot be started, or does not succeed.
pub fn run(mut command: Command) -> Outcome {
    let shown = show(&command);
    println!("$ {shown}");
    let status = command.status().doing(format!("starting `{shown}`"))?;
    if status.success() { Ok(()) } else { Err(failed(format!("`{shown}` ended with {status}"))) }
}

/// The command as typed in a shell.
pub fn show(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned();
    command.get_args().fold(name, |line, argument| format!("{line} {}", argument.to_string_lossy()))
}

/// Runs to the end and returns standard output.
///
/// # Errors
/// If the command cannot be started, or does not succeed: with its standard error.
pub fn output(command: &mut Command) -> Outcome<String> {
    let shown = show(command);
    println!("$ {shown}");
    let output = command.output().doing(format!("starting `{shown}`"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(failed(format!(
        "`{shown}` ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    )))
}
