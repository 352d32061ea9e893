//! Copies the entries to temporary tables, which the server drops with the transaction.

use std::pin::pin;

use domain::concert::Concert;
use tokio_postgres::Transaction;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::entry::{ImportDate, ImportEntry, ImportPosition};
use crate::id::signed;

const TABLES: &str = "
    CREATE TEMP TABLE import_concerts (
        line bigint NOT NULL, id bigint NOT NULL, title text NOT NULL, place text NOT NULL
    ) ON COMMIT DROP;
    CREATE TEMP TABLE import_dates (
        row bigint NOT NULL, line bigint NOT NULL, item bigint,
        id bigint NOT NULL, concert_id bigint NOT NULL, performance_at timestamptz NOT NULL,
        sale_opens_at timestamptz NOT NULL, sale_closes_at timestamptz NOT NULL,
        seats integer NOT NULL, standing text NOT NULL DEFAULT 'new'
    ) ON COMMIT DROP";

const INDEXES: &str = "
    CREATE INDEX ON import_concerts (id);
    CREATE INDEX ON import_dates (row);
    CREATE INDEX ON import_dates (id);
    ANALYZE import_concerts, import_dates";

/// A date is `new`, `changed` or `unchanged`. Its seats are those from 1 to their number.
const COMPARE: &str = "
    UPDATE import_dates AS i
    SET standing = CASE
        WHEN (s.performance_at, s.sale_opens_at, s.sale_closes_at)
            IS DISTINCT FROM (i.performance_at, i.sale_opens_at, i.sale_closes_at)
        OR (SELECT count(*) <> i.seats OR coalesce(max(number), 0) <> i.seats
            FROM seats WHERE schedule_id = i.id)
        THEN 'changed' ELSE 'unchanged' END
    FROM schedules AS s WHERE s.id = i.id";

/// Entries that are copied at once.
const CHUNK: usize = 5_000;
/// Seats that are written by one statement, unless a single date has more.
const BATCH_SEATS: u64 = 50_000;

/// Consecutive rows of `import_dates`, to be written by one statement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Batch {
    pub(super) first: i64,
    pub(super) last: i64,
    seats: u64,
}

pub(super) struct Staging<'t> {
    transaction: &'t Transaction<'t>,
    concerts: Vec<(ImportPosition, Concert)>,
    dates: Vec<(ImportPosition, Concert, ImportDate)>,
    last_concert: Option<Concert>,
    batches: Vec<Batch>,
    entries: u64,
    seats: u64,
    rows: i64,
}

impl<'t> Staging<'t> {
    pub(super) async fn create(
        transaction: &'t Transaction<'t>,
    ) -> Result<Self, tokio_postgres::Error> {
        transaction.batch_execute(TABLES).await?;
        Ok(Self {
            transaction,
            concerts: Vec::new(),
            dates: Vec::new(),
            last_concert: None,
            batches: Vec::new(),
            entries: 0,
            seats: 0,
            rows: 0,
        })
    }

    /// Entries so far.
    pub(super) fn entries(&self) -> u64 {
        self.entries
    }

    /// Seats so far.
    pub(super) fn seats(&self) -> u64 {
        self.seats
    }

    /// Returns whether this copied a chunk to the server.
    pub(super) async fn add(&mut self, entry: ImportEntry) -> Result<bool, tokio_postgres::Error> {
        let ImportEntry { at, concert, date } = entry;
        self.entries += 1;
        if self.last_concert.as_ref() != Some(&concert) {
            self.concerts.push((at, concert.clone()));
            self.last_concert = Some(concert.clone());
        }
        if let Some(date) = date {
            self.rows += 1;
            self.seats += u64::from(date.seats);
            extend(&mut self.batches, self.rows, u64::from(date.seats));
            self.dates.push((at, concert, date));
        }
        let is_full = self.concerts.len().max(self.dates.len()) >= CHUNK;
        if is_full {
            self.copy().await?;
        }
        Ok(is_full)
    }

    /// Copies the rest, compares it with what is stored, and returns the batches.
    pub(super) async fn finish(mut self) -> Result<Vec<Batch>, tokio_postgres::Error> {
        self.copy().await?;
        self.transaction.batch_execute(INDEXES).await?;
        self.transaction.batch_execute(COMPARE).await?;
        Ok(self.batches)
    }

    async fn copy(&mut self) -> Result<(), tokio_postgres::Error> {
        self.copy_concerts().await?;
        self.copy_dates().await?;
        self.concerts.clear();
        self.dates.clear();
        Ok(())
    }

    async fn copy_concerts(&self) -> Result<(), tokio_postgres::Error> {
        const INTO: &str =
            "COPY import_concerts (line, id, title, place) FROM STDIN (FORMAT binary)";
        let types = [Type::INT8, Type::INT8, Type::TEXT, Type::TEXT];
        let sink = self.transaction.copy_in(INTO).await?;
        let mut rows = pin!(BinaryCopyInWriter::new(sink, &types));
        for (at, concert) in &self.concerts {
            let (line, id) = (signed(at.line), signed(concert.id.get()));
            let row: [&(dyn ToSql + Sync); 4] = [&line, &id, &concert.title, &concert.place];
            rows.as_mut().write(&row).await?;
        }
        rows.finish().await.map(drop)
    }

    async fn copy_dates(&self) -> Result<(), tokio_postgres::Error> {
        const INTO: &str = "COPY import_dates (row, line, item, id, concert_id, performance_at, \
                            sale_opens_at, sale_closes_at, seats) FROM STDIN (FORMAT binary)";
        let (int, time) = (Type::INT8, Type::TIMESTAMPTZ);
        let ints = [&int, &int, &int, &int, &int].map(Clone::clone);
        let times = [&time, &time, &time].map(Clone::clone);
        let types = [&ints[..], &times, &[Type::INT4]].concat();
        let sink = self.transaction.copy_in(INTO).await?;
        let mut rows = pin!(BinaryCopyInWriter::new(sink, &types));
        let before = self.rows - i64::try_from(self.dates.len()).unwrap_or(i64::MAX);
        for (row, (at, concert, date)) in (before + 1..).zip(&self.dates) {
            let (line, item) = (signed(at.line), at.item.map(i64::from));
            let (id, concert) = (signed(date.id.get()), signed(concert.id.get()));
            let (opens, closes) = (date.sale.opens(), date.sale.closes());
            let seats = i32::try_from(date.seats).unwrap_or(i32::MAX);
            let row: [&(dyn ToSql + Sync); 9] =
                [&row, &line, &item, &id, &concert, &date.performance, &opens, &closes, &seats];
            rows.as_mut().write(&row).await?;
        }
        rows.finish().await.map(drop)
    }
}

fn extend(batches: &mut Vec<Batch>, row: i64, seats: u64) {
    let rows = i64::try_from(CHUNK).unwrap_or(i64::MAX);
    match batches.last_mut() {
        Some(batch) if batch.seats + seats <= BATCH_SEATS && row - batch.first < rows => {
            batch.last = row;
            batch.seats += seats;
        }
        _ => batches.push(Batch { first: row, last: row, seats }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_ends_before_it_has_too_many_seats_or_rows() {
        let mut batches = Vec::new();
        for (row, seats) in (1..).zip([40_000, 10_000, 1, 100_000, 0]) {
            extend(&mut batches, row, seats);
        }
        let rows = |batches: &[Batch]| -> Vec<_> {
            batches.iter().map(|batch| (batch.first, batch.last)).collect()
        };
        assert_eq!(rows(&batches), [(1, 2), (3, 3), (4, 4), (5, 5)]);
        let mut batches = Vec::new();
        (1..=5_001).for_each(|row| extend(&mut batches, row, 0));
        assert_eq!(rows(&batches), [(1, 5_000), (5_001, 5_001)]);
    }
}
