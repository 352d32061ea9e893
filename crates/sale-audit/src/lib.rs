#![doc = include_str!("../README.md")]
#![expect(clippy::print_stdout, reason = "the verdict is printed")]

mod history;
mod request_and_response;
mod rules;
mod serving_bounds;
mod settings;
mod verdict;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use clap::Args;
use test_support::{Doing, Outcome, failed};

use self::history::History;
use self::serving_bounds::Bounds;
pub use self::settings::AuditSettings;
pub use self::verdict::Verdict;

/// The arguments of `cargo xtask verdict`.
#[derive(Args)]
pub struct Arguments {
    /// The record of the clients
    file: PathBuf,
    #[command(flatten)]
    settings: AuditSettings,
}

/// Prints the verdict about a record.
///
/// # Errors
/// If the sale was not fair, or the record cannot be read.
pub fn verdict_of(arguments: &Arguments) -> Outcome {
    let name = arguments.file.display();
    let file = File::open(&arguments.file).doing(format!("opening {name}"))?;
    let verdict = verdict(BufReader::new(file), &arguments.settings)?;
    print!("{}", verdict.text());
    if verdict.is_good() {
        return Ok(());
    }
    let broken = verdict.broken().join(", ");
    Err(failed(if broken.is_empty() {
        "the record cannot be read".to_owned()
    } else {
        format!("broken: {broken}")
    }))
}

/// Reads a record and checks every property. Memory grows with the number of records, not with
/// their text.
///
/// # Errors
/// If the record cannot be read at all. Lines that cannot be understood are part of the verdict.
pub fn verdict(reader: impl BufRead, settings: &AuditSettings) -> Outcome<Verdict> {
    let history = History::read(reader)?;
    let properties = rules::all(&Bounds::of(&history, settings), settings);
    Ok(Verdict::new(&history, properties, settings))
}
