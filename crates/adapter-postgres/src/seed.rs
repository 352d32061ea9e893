//! Fills the database with sample concerts, through COPY.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use domain::sample_catalog::{SampleConcert, SampleDate};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Transaction};

use crate::address::PostgresAddress;
use crate::advisory_lock::{self, Lock, Work};
use crate::error::SetupError;
use crate::id::signed;
use crate::limits::SessionLimits;
use crate::migrate::check_applied;

const SEEDING: Work = Work { who: "seeder", lock: 0x626f_786f_7365_6564 };

/// A batch takes a tenth of a second.
const LIMITS: SessionLimits = SessionLimits {
    connect: Duration::ZERO,
    statement: Duration::from_secs(60),
    lock: Duration::from_secs(60),
    idle_in_transaction: Duration::from_secs(60),
};

/// Approximate seats per batch: a transaction of a tenth of a second, and the most an interruption
/// can lose.
const BATCH_SEATS: u64 = 20_000;
/// Maximum number of concerts per batch.
const BATCH_CONCERTS: usize = 500;

/// Progress so far, or the final result.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Seeded {
    /// Concerts added.
    pub added: u64,
    /// Concerts that already existed and were left unchanged.
    pub there: u64,
    /// Seats of the sample processed, whether added or existing.
    pub seats: u64,
    /// Seats added.
    pub seats_added: u64,
}

/// Adds the missing concerts, each with all of its dates and seats or not at all, and calls
/// `progress` after every batch. An interrupted run can be repeated; a second run changes nothing.
///
/// # Errors
/// [`SetupError`]; batches before the failed one stay.
pub async fn seed(
    address: PostgresAddress,
    connect: Duration,
    concerts: impl IntoIterator<Item = SampleConcert>,
    mut progress: impl FnMut(Seeded),
) -> Result<Seeded, SetupError> {
    let mut seeder = Seeder::lock(&address, connect).await?;
    let seeded = seeder.seed(concerts, &mut progress).await;
    seeded.map_err(|error| SetupError::of(&error, &address))
}

struct Seeder {
    client: Client,
    _lock: Lock,
}

impl Seeder {
    async fn lock(address: &PostgresAddress, connect: Duration) -> Result<Self, SetupError> {
        let limits = SessionLimits { connect, ..LIMITS };
        let (client, lock) = advisory_lock::lock(address, limits, SEEDING).await?;
        check_applied(&client, address).await?;
        Ok(Self { client, _lock: lock })
    }

    async fn seed(
        &mut self,
        concerts: impl IntoIterator<Item = SampleConcert>,
        progress: &mut impl FnMut(Seeded),
    ) -> Result<Seeded, tokio_postgres::Error> {
        let mut seeded = Seeded::default();
        let mut concerts = concerts.into_iter();
        loop {
            let batch = next_batch(&mut concerts);
            if batch.is_empty() {
                break;
            }
            seeded.seats += batch.iter().map(seats_of).sum::<u64>();
            let all = batch.len() as u64;
            let (added, seats_added) = self.add(batch).await?;
            seeded.added += added;
            seeded.there += all - added;
            seeded.seats_added += seats_added;
            progress(seeded);
        }
        if seeded.added > 0 {
            let transaction = self.begin().await?;
            transaction.batch_execute("ANALYZE concerts, schedules, seats").await?;
            transaction.commit().await?;
        }
        Ok(seeded)
    }

    /// The session may have no limits of its own, behind a pooler.
    async fn begin(&mut self) -> Result<Transaction<'_>, tokio_postgres::Error> {
        let transaction = self.client.transaction().await?;
        transaction.batch_execute(&LIMITS.for_the_transaction()).await?;
        Ok(transaction)
    }

    /// Adds the missing concerts of a batch in one transaction, and returns how many concerts and
    /// seats it added.
    async fn add(
        &mut self,
        batch: Vec<SampleConcert>,
    ) -> Result<(u64, u64), tokio_postgres::Error> {
        let transaction = self.begin().await?;
        let missing = missing(&transaction, batch).await?;
        if !missing.is_empty() {
            copy_concerts(&transaction, &missing).await?;
            copy_schedules(&transaction, &missing).await?;
            copy_seats(&transaction, &missing).await?;
        }
        transaction.commit().await?;
        Ok((missing.len() as u64, missing.iter().map(seats_of).sum()))
    }
}

fn next_batch(concerts: &mut impl Iterator<Item = SampleConcert>) -> Vec<SampleConcert> {
    let (mut batch, mut seats) = (Vec::new(), 0);
    while seats < BATCH_SEATS && batch.len() < BATCH_CONCERTS {
        let Some(concert) = concerts.next() else { break };
        seats += seats_of(&concert);
        batch.push(concert);
    }
    batch
}

fn seats_of(concert: &SampleConcert) -> u64 {
    concert.dates.iter().map(|date| u64::from(date.seats.get())).sum()
}

async fn missing(
    transaction: &Transaction<'_>,
    batch: Vec<SampleConcert>,
) -> Result<Vec<SampleConcert>, tokio_postgres::Error> {
    let ids: Vec<i64> = batch.iter().map(|entry| signed(entry.concert.id.get())).collect();
    let known = "SELECT id FROM concerts WHERE id = ANY ($1)";
    let rows = transaction.query_typed(known, &[(&ids, Type::INT8_ARRAY)]).await?;
    let there: HashSet<i64> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    Ok(batch.into_iter().filter(|entry| !there.contains(&signed(entry.concert.id.get()))).collect())
}

async fn copy_concerts(
    transaction: &Transaction<'_>,
    entries: &[SampleConcert],
) -> Result<(), tokio_postgres::Error> {
    let sink =
        transaction.copy_in("COPY concerts (id, title, place) FROM STDIN (FORMAT binary)").await?;
    let mut rows = pin!(BinaryCopyInWriter::new(sink, &[Type::INT8, Type::TEXT, Type::TEXT]));
    for SampleConcert { concert, .. } in entries {
        let row: [&(dyn ToSql + Sync); 3] =
            [&signed(concert.id.get()), &concert.title, &concert.place];
        rows.as_mut().write(&row).await?;
    }
    rows.finish().await.map(drop)
}

async fn copy_schedules(
    transaction: &Transaction<'_>,
    entries: &[SampleConcert],
) -> Result<(), tokio_postgres::Error> {
    const INTO: &str = "COPY schedules (id, concert_id, performance_at, sale_opens_at, sale_closes_at) \
                        FROM STDIN (FORMAT binary)";
    let types = [Type::INT8, Type::INT8, Type::TIMESTAMPTZ, Type::TIMESTAMPTZ, Type::TIMESTAMPTZ];
    let mut rows = pin!(BinaryCopyInWriter::new(transaction.copy_in(INTO).await?, &types));
    for SampleConcert { concert, dates } in entries {
        for date in dates {
            let (id, concert) = (signed(date.id.get()), signed(concert.id.get()));
            let (opens, closes) = (date.sale.opens(), date.sale.closes());
            let row: [&(dyn ToSql + Sync); 5] = [&id, &concert, &date.performance, &opens, &closes];
            rows.as_mut().write(&row).await?;
        }
    }
    rows.finish().await.map(drop)
}

async fn copy_seats(
    transaction: &Transaction<'_>,
    entries: &[SampleConcert],
) -> Result<(), tokio_postgres::Error> {
    const INTO: &str = "COPY seats (schedule_id, number, state) FROM STDIN (FORMAT binary)";
    let types = [Type::INT8, Type::INT4, Type::TEXT];
    let mut rows = pin!(BinaryCopyInWriter::new(transaction.copy_in(INTO).await?, &types));
    for date in entries.iter().flat_map(|entry| &entry.dates) {
        let id = signed(date.id.get());
        for number in 1..=date.seats.get() {
            // A date has at most a hundred thousand seats.
            let (signed_number, state) =
                (i32::try_from(number).unwrap_or(i32::MAX), state(date, number));
            rows.as_mut().write(&[&id, &signed_number, &state]).await?;
        }
    }
    rows.finish().await.map(drop)
}

fn state(date: &SampleDate, number: u32) -> &'static str {
    if number <= date.sold { "sold" } else { "free" }
}
