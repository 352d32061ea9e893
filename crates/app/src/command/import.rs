//! `boxoffice import`

mod csv_file;
mod fields;
mod file;
mod json_file;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use adapter_postgres::{
    ImportChanges, ImportCounts, ImportEntry, ImportFault, ImportFaults, ImportMode, ImportOutcome,
    ImportProgress,
};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use self::csv_file::CsvEntries;
use self::json_file::JsonEntries;
use super::{cache, complain, database, fail, fail_usage, print};
use crate::command::USAGE;
use crate::config::Config;

#[derive(Args)]
pub(super) struct Arguments {
    /// The file: CSV with a row for each date, or JSON with an array of concerts
    file: PathBuf,
    /// The format, if the name does not end with `.csv` or `.json`
    #[arg(long)]
    format: Option<Format>,
    /// Check everything and print what would change, without changing anything
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Csv,
    Json,
}

impl Format {
    fn of(file: &Path) -> Option<Self> {
        let extension = file.extension()?.to_str()?;
        Self::from_str(extension, true).ok()
    }
}

type Entries = Box<dyn Iterator<Item = Result<ImportEntry, ImportFault>>>;

pub(super) fn run(arguments: &Arguments, config: &Config) -> ExitCode {
    let file = &arguments.file;
    let Some(format) = arguments.format.or_else(|| Format::of(file)) else {
        complain("the file's name does not end with .csv or .json: pass --format");
        return ExitCode::from(USAGE);
    };
    let invalidation = match cache::Invalidation::of_everything(config) {
        Ok(invalidation) => invalidation,
        Err(error) => return fail_usage(&error),
    };
    let bar = ProgressBar::new(0).with_style(style());
    let entries = match open(file, format, &bar) {
        Ok(entries) => entries,
        Err(why) => return fail(format_args!("{}: {why}", file.display())),
    };
    let mode = if arguments.dry_run { ImportMode::DryRun } else { ImportMode::Write };
    database::with_address(config, async |address, connect| {
        let show = |progress| draw(&bar, progress);
        let outcome = adapter_postgres::import(address, connect, entries, mode, show).await;
        bar.finish_and_clear();
        Ok(match outcome? {
            ImportOutcome::Refused(faults) => refuse(file, &faults),
            ImportOutcome::Done(changes) => {
                let printed = print(summary(&changes, mode));
                if mode == ImportMode::DryRun || changes.is_empty() {
                    printed
                } else {
                    publish(invalidation, config).await
                }
            }
        })
    })
}

fn open(file: &Path, format: Format, bar: &ProgressBar) -> Result<Entries, String> {
    Ok(match format {
        Format::Csv => Box::new(CsvEntries::read(file::open(file, csv_file::MAX_ROW, bar)?)),
        Format::Json => Box::new(JsonEntries::read(file::open(file, json_file::MAX_CONCERT, bar)?)),
    })
}

/// Drawn only on a terminal.
fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{bar:40} {msg}, {eta} to go");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// The bar shows the bytes of the file that were read, then the dates that were written.
fn draw(bar: &ProgressBar, progress: ImportProgress) {
    match progress {
        ImportProgress::Read(entries) => bar.set_message(format!("{entries} dates read")),
        ImportProgress::Written { dates, of } => {
            bar.set_length(of);
            bar.set_position(dates);
            bar.set_message(format!("{dates} of {of} new dates written"));
        }
    }
}

/// One line for each fault, and one that says that nothing was imported.
fn refuse(file: &Path, faults: &ImportFaults) -> ExitCode {
    let name = file.display();
    for ImportFault { at, field, what } in &faults.first {
        let item = at.item.map(|item| format!("dates[{item}]"));
        let parts: Vec<_> = item.into_iter().chain(field.clone()).collect();
        let place = if parts.is_empty() { String::new() } else { format!(", {}", parts.join(".")) };
        complain(format_args!("{name}: line {}{place}: {what}", at.line));
    }
    let more = faults.total - faults.first.len() as u64;
    if more > 0 {
        complain(format_args!("{name}: and {more} more"));
    }
    fail(format_args!("{name}: nothing was imported; faults: {}", faults.total))
}

fn summary(changes: &ImportChanges, mode: ImportMode) -> String {
    let counts = |ImportCounts { new, changed, unchanged }: ImportCounts| {
        format!("{new} new, {changed} changed, {unchanged} unchanged")
    };
    let head = match mode {
        ImportMode::Write => "imported",
        ImportMode::DryRun => "a dry run, nothing was changed",
    };
    format!(
        "{head}\nconcerts: {}\ndates: {}\nseats: {} added, {} removed\n",
        counts(changes.concerts),
        counts(changes.dates),
        changes.seats_added,
        changes.seats_removed
    )
}

/// Makes the nodes load what was imported.
async fn publish(invalidation: Option<cache::Invalidation>, config: &Config) -> ExitCode {
    let Some(invalidation) = invalidation else {
        let ttl = config.cache.concerts.ttl;
        return print(format_args!("nodes show it when their cached pages expire, after {ttl}\n"));
    };
    match invalidation.run().await {
        Ok(kinds) => print(format_args!("invalidated in the shared cache: {}\n", kinds.join(", "))),
        Err(why) => fail(format_args!(
            "the import is done, but cached pages may be old until you run \
             `boxoffice cache invalidate`: {why}"
        )),
    }
}
