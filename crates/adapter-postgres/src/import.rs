//! Adds concerts and their dates to the catalog and updates existing ones, all or nothing.
//!
//! The entries are copied to temporary tables, so that neither side keeps them in memory, and the
//! server compares them with each other and with the catalog.

mod checks;
mod entry;
mod staging;
mod write;

use std::time::Duration;

use tokio_postgres::Transaction;

pub use self::entry::{ImportDate, ImportEntry, ImportFault, ImportFaults, ImportPosition};
use self::staging::Staging;
pub use self::write::{ImportChanges, ImportCounts};
use crate::address::PostgresAddress;
use crate::advisory_lock::{self, Work};
use crate::error::SetupError;
use crate::limits::SessionLimits;
use crate::migrate::{MIGRATION_LOCK, check_applied};

/// The lock of the migrator: the tables must stay what the checks have seen.
const IMPORTING: Work = Work { who: "migration or import", lock: MIGRATION_LOCK };

const LIMITS: SessionLimits = SessionLimits {
    connect: Duration::ZERO,
    // For the checks of the largest import, which read all of it.
    statement: Duration::from_secs(600),
    // A seller holds a seat for less.
    lock: Duration::from_secs(10),
    idle_in_transaction: Duration::from_secs(60),
};

/// The most entries of one import: one transaction of a few minutes.
pub const MAX_IMPORT_ENTRIES: u64 = 1_000_000;
/// The most seats of one import.
pub const MAX_IMPORT_SEATS: u64 = 100_000_000;

/// Whether to keep what an import changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ImportMode {
    /// Commit it.
    Write,
    /// Do all of it, and roll it back.
    DryRun,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ImportProgress {
    /// So many entries were read.
    Read(u64),
    /// So many of the new dates were written.
    Written {
        /// Dates written.
        dates: u64,
        /// New dates in all.
        of: u64,
    },
}

/// How an import ended.
#[derive(Clone, Debug)]
pub enum ImportOutcome {
    /// It changed this, or would.
    Done(ImportChanges),
    /// It changed nothing.
    Refused(ImportFaults),
}

/// Imports the entries in one transaction, unless one of them has a fault. Entries after a fault
/// are still checked. Deletes nothing but free seats above the number that a date has now. Only one
/// import or migration runs at a time.
///
/// # Errors
/// [`SetupError`]; nothing was changed, unless the connection was lost during the commit.
pub async fn import(
    address: PostgresAddress,
    connect: Duration,
    entries: impl IntoIterator<Item = Result<ImportEntry, ImportFault>>,
    mode: ImportMode,
    progress: impl FnMut(ImportProgress),
) -> Result<ImportOutcome, SetupError> {
    let limits = SessionLimits { connect, ..LIMITS };
    let (mut client, _lock) = advisory_lock::lock(&address, limits, IMPORTING).await?;
    check_applied(&client, &address).await?;
    let run = async {
        // Dropped without a commit, it is rolled back.
        let transaction = client.transaction().await?;
        // The session may have no limits of its own, behind a pooler.
        transaction.batch_execute(&LIMITS.for_the_transaction()).await?;
        let outcome = run(&transaction, entries, progress).await?;
        match (&outcome, mode) {
            (ImportOutcome::Done(_), ImportMode::Write) => transaction.commit().await?,
            _ => transaction.rollback().await?,
        }
        Ok(outcome)
    };
    run.await.map_err(|error: tokio_postgres::Error| SetupError::of(&error, &address))
}

async fn run(
    transaction: &Transaction<'_>,
    entries: impl IntoIterator<Item = Result<ImportEntry, ImportFault>>,
    mut progress: impl FnMut(ImportProgress),
) -> Result<ImportOutcome, tokio_postgres::Error> {
    let mut faults = ImportFaults::default();
    let mut staging = Staging::create(transaction).await?;
    for entry in entries {
        match entry {
            Ok(entry) => {
                let at = entry.at;
                if staging.add(entry).await? {
                    progress(ImportProgress::Read(staging.entries()));
                }
                if let Some(what) = beyond_a_limit(&staging) {
                    faults.add(ImportFault { at, field: None, what });
                    break;
                }
            }
            Err(fault) => faults.add(fault),
        }
    }
    if staging.entries() == 0 && faults.total == 0 {
        let what = "there is no concert".to_owned();
        let at = ImportPosition { line: 1, item: None };
        faults.add(ImportFault { at, field: None, what });
    }
    let batches = staging.finish().await?;
    let faults = faults.and(checks::faults(transaction).await?);
    if faults.total > 0 {
        return Ok(ImportOutcome::Refused(faults));
    }
    let write = write::write(transaction, &batches, |dates, of| {
        progress(ImportProgress::Written { dates, of });
    });
    let changes = write.await?;
    // Seats may have been sold since the first checks.
    let faults = checks::faults(transaction).await?;
    let is_fine = faults.total == 0;
    Ok(if is_fine { ImportOutcome::Done(changes) } else { ImportOutcome::Refused(faults) })
}

fn beyond_a_limit(staging: &Staging<'_>) -> Option<String> {
    if staging.entries() > MAX_IMPORT_ENTRIES {
        Some(format!("more than {MAX_IMPORT_ENTRIES} dates: import the file in parts"))
    } else if staging.seats() > MAX_IMPORT_SEATS {
        Some(format!("more than {MAX_IMPORT_SEATS} seats: import the file in parts"))
    } else {
        None
    }
}
