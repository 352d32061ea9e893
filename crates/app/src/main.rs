//! The `boxoffice` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    boxoffice::run(std::env::args_os())
}
