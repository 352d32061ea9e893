//! Writes the entries from the temporary tables to the catalog.
//!
//! New rows come first and existing ones last: a seller waits for a date only from the moment it is
//! changed until the commit. The seats of a date are changed before the date itself, the order in
//! which a seller locks them.

use tokio_postgres::Transaction;
use tokio_postgres::types::{ToSql, Type};

use super::staging::Batch;

const COUNT: &str = "
    SELECT (SELECT count(DISTINCT id) FROM import_concerts),
        count(*) FILTER (WHERE standing = 'new'),
        count(*) FILTER (WHERE standing = 'changed'),
        count(*) FILTER (WHERE standing = 'unchanged')
    FROM import_dates";

const ADD_CONCERTS: &str = "
    INSERT INTO concerts (id, title, place)
    SELECT DISTINCT ON (id) id, title, place FROM import_concerts AS i
    WHERE NOT EXISTS (SELECT FROM concerts AS c WHERE c.id = i.id)";

const ADD_DATES: &str = "
    INSERT INTO schedules (id, concert_id, performance_at, sale_opens_at, sale_closes_at)
    SELECT id, concert_id, performance_at, sale_opens_at, sale_closes_at
    FROM import_dates WHERE row BETWEEN $1 AND $2 AND standing = 'new'";

const ADD_SEATS: &str = "
    INSERT INTO seats (schedule_id, number)
    SELECT id, number FROM import_dates, generate_series(1, seats) AS number
    WHERE row BETWEEN $1 AND $2 AND standing = 'new'";

const CHANGE_CONCERTS: &str = "
    UPDATE concerts AS c SET title = i.title, place = i.place
    FROM (SELECT DISTINCT ON (id) * FROM import_concerts) AS i
    WHERE c.id = i.id AND (c.title, c.place) IS DISTINCT FROM (i.title, i.place)";

const REMOVE_FREE_SEATS: &str = "
    DELETE FROM seats USING import_dates AS i
    WHERE i.row BETWEEN $1 AND $2 AND i.standing = 'changed'
        AND seats.schedule_id = i.id AND seats.number > i.seats AND seats.state = 'free'";

const ADD_MISSING_SEATS: &str = "
    INSERT INTO seats (schedule_id, number)
    SELECT id, number FROM import_dates, generate_series(1, seats) AS number
    WHERE row BETWEEN $1 AND $2 AND standing = 'changed'
    ON CONFLICT DO NOTHING";

const CHANGE_DATES: &str = "
    UPDATE schedules AS s
    SET performance_at = i.performance_at,
        sale_opens_at = i.sale_opens_at,
        sale_closes_at = i.sale_closes_at
    FROM import_dates AS i
    WHERE i.row BETWEEN $1 AND $2 AND i.standing = 'changed' AND s.id = i.id
        AND (s.performance_at, s.sale_opens_at, s.sale_closes_at)
            IS DISTINCT FROM (i.performance_at, i.sale_opens_at, i.sale_closes_at)";

/// How many entries of a kind were new, changed and unchanged.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ImportCounts {
    /// Added.
    pub new: u64,
    /// Changed.
    pub changed: u64,
    /// The same as before.
    pub unchanged: u64,
}

/// What an import changed, or would change.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ImportChanges {
    /// Concerts.
    pub concerts: ImportCounts,
    /// Dates.
    pub dates: ImportCounts,
    /// Seats added, to new dates and to changed ones.
    pub seats_added: u64,
    /// Free seats removed from changed dates.
    pub seats_removed: u64,
}

impl ImportChanges {
    /// Whether the database is as it was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { concerts, dates, .. } = self;
        concerts.new + concerts.changed + dates.new + dates.changed == 0
    }
}

/// Writes everything, and calls `progress` with how many of the new dates are written.
pub(super) async fn write(
    transaction: &Transaction<'_>,
    batches: &[Batch],
    mut progress: impl FnMut(u64, u64),
) -> Result<ImportChanges, tokio_postgres::Error> {
    let row = transaction.query_typed_one(COUNT, &[]).await?;
    let count = |n: usize| row.try_get::<_, i64>(n).map(i64::unsigned_abs);
    let concerts = count(0)?;
    let dates = ImportCounts { new: count(1)?, changed: count(2)?, unchanged: count(3)? };
    let new = transaction.execute_typed(ADD_CONCERTS, &[]).await?;
    let mut changes = ImportChanges { dates, ..ImportChanges::default() };
    let mut written = 0;
    let is_needed = |count: u64| if count == 0 { &[] } else { batches };
    for batch in is_needed(dates.new) {
        written += run(transaction, ADD_DATES, batch).await?;
        changes.seats_added += run(transaction, ADD_SEATS, batch).await?;
        progress(written, dates.new);
    }
    if dates.new > 0 {
        transaction.batch_execute("ANALYZE concerts, schedules, seats").await?;
    }
    let changed = transaction.execute_typed(CHANGE_CONCERTS, &[]).await?;
    for batch in is_needed(dates.changed) {
        changes.seats_removed += run(transaction, REMOVE_FREE_SEATS, batch).await?;
        changes.seats_added += run(transaction, ADD_MISSING_SEATS, batch).await?;
        run(transaction, CHANGE_DATES, batch).await?;
    }
    let unchanged = concerts.saturating_sub(new + changed);
    changes.concerts = ImportCounts { new, changed, unchanged };
    Ok(changes)
}

async fn run(
    transaction: &Transaction<'_>,
    statement: &str,
    batch: &Batch,
) -> Result<u64, tokio_postgres::Error> {
    let rows: [(&(dyn ToSql + Sync), Type); 2] =
        [(&batch.first, Type::INT8), (&batch.last, Type::INT8)];
    transaction.execute_typed(statement, &rows).await
}
