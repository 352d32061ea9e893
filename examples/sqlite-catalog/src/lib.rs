//! The concerts and their dates in one SQLite file.
//!
//! The adapter implements two ports, [`ConcertCatalog`] and [`ScheduleBook`]. One thread owns the
//! connection and runs the queries in order; callers wait without blocking a thread of the service.

use std::num::NonZeroU32;
use std::path::Path;

use async_trait::async_trait;
use ports::concert::{Concert, ConcertCatalog, ConcertId, ConcertPage, PageRequest};
use ports::sample_catalog::SampleConcert;
use ports::schedule::{OpenDate, SaleWindow, ScheduleBook, ScheduleId};
use ports::{Dependency, PortError, PortErrorKind, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};
use tokio_rusqlite::Connection;

/// The name of this dependency in errors and logs.
pub const SQLITE: Dependency = Dependency::named("sqlite");

/// Times are seconds since 1970 in UTC.
const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS concerts (
        id INTEGER PRIMARY KEY,
        title TEXT NOT NULL,
        place TEXT NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS dates (
        id INTEGER PRIMARY KEY,
        concert INTEGER NOT NULL REFERENCES concerts,
        performance INTEGER NOT NULL,
        opens INTEGER NOT NULL,
        closes INTEGER NOT NULL CHECK (opens < closes),
        seats INTEGER NOT NULL,
        sold INTEGER NOT NULL CHECK (sold BETWEEN 0 AND seats)
    ) STRICT;
    CREATE INDEX IF NOT EXISTS dates_by_concert ON dates (concert, performance, id);
";

/// A catalog in a file. Clones share its connection.
#[derive(Clone)]
pub struct SqliteCatalog(Connection);

type Outcome<T> = Result<T, PortError>;

impl SqliteCatalog {
    /// Opens the file, or creates it with empty tables.
    ///
    /// # Errors
    /// [`PortError`] if the file cannot be opened or is of something else.
    pub async fn open(file: &Path) -> Outcome<Self> {
        let connection = Connection::open(file).await.map_err(unavailable)?;
        let catalog = Self(connection);
        catalog.run(|connection| connection.execute_batch(SCHEMA)).await?;
        Ok(catalog)
    }

    /// Adds concerts and their dates, all of them or none.
    ///
    /// # Errors
    /// [`PortError`] if one of them exists already or the file cannot be written.
    pub async fn add(&self, concerts: Vec<SampleConcert>) -> Outcome<()> {
        self.run(move |connection| {
            let all = connection.transaction()?;
            for SampleConcert { concert, dates } in &concerts {
                let Concert { id, title, place } = concert;
                all.prepare_cached("INSERT INTO concerts VALUES (?, ?, ?)")?.execute(params![
                    id.get(),
                    title,
                    place
                ])?;
                for date in dates {
                    all.prepare_cached("INSERT INTO dates VALUES (?, ?, ?, ?, ?, ?, ?)")?.execute(
                        params![
                            date.id.get(),
                            id.get(),
                            date.performance.as_second(),
                            date.sale.opens().as_second(),
                            date.sale.closes().as_second(),
                            date.seats.get(),
                            date.sold,
                        ],
                    )?;
                }
            }
            all.commit()
        })
        .await
    }

    /// Marks this many seats of a date as sold.
    ///
    /// # Errors
    /// [`PortError`] if it has fewer seats or the file cannot be written.
    pub async fn set_seats_sold(&self, date: ScheduleId, sold: u32) -> Outcome<()> {
        let update = "UPDATE dates SET sold = ? WHERE id = ?";
        self.run(move |connection| connection.execute(update, params![sold, date.get()])).await?;
        Ok(())
    }

    async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Outcome<T> {
        self.0.call(query).await.map_err(unavailable)
    }
}

#[async_trait]
impl ConcertCatalog for SqliteCatalog {
    async fn page(&self, request: PageRequest) -> Outcome<ConcertPage> {
        // An offset beyond SQLite's integers is beyond the end of any catalog.
        let offset = i64::try_from(request.offset()).unwrap_or(i64::MAX);
        let size = request.size.get();
        let (rows, total) = self
            .run(move |connection| {
                // One transaction: the page and the total are of the same moment.
                let moment = connection.transaction()?;
                let total: u64 =
                    moment.query_row("SELECT count(*) FROM concerts", (), |row| row.get(0))?;
                let page = "SELECT id, title, place FROM concerts ORDER BY id LIMIT ? OFFSET ?";
                let mut page = moment.prepare_cached(page)?;
                let rows = page.query_map(params![size, offset], |row| {
                    Ok((row.get::<_, u64>(0)?, row.get(1)?, row.get(2)?))
                })?;
                Ok((rows.collect::<rusqlite::Result<Vec<_>>>()?, total))
            })
            .await?;
        let concert = |(id, title, place)| {
            Ok(Concert { id: ConcertId::new(id).map_err(corrupt)?, title, place })
        };
        let concerts = rows.into_iter().map(concert).collect::<Outcome<_>>()?;
        Ok(ConcertPage { request, concerts, total })
    }
}

/// A row of `dates`, with the title of its concert.
struct DateRow {
    id: u64,
    title: String,
    performance: i64,
    opens: i64,
    closes: i64,
    seats_left: u32,
}

impl DateRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            title: row.get(1)?,
            performance: row.get(2)?,
            opens: row.get(3)?,
            closes: row.get(4)?,
            seats_left: row.get(5)?,
        })
    }

    fn open_date(self) -> Outcome<OpenDate> {
        let time = |seconds| Timestamp::from_second(seconds).map_err(corrupt);
        Ok(OpenDate {
            id: ScheduleId::new(self.id).map_err(corrupt)?,
            concert_title: self.title,
            performance: time(self.performance)?,
            sale: SaleWindow::new(time(self.opens)?, time(self.closes)?).map_err(corrupt)?,
            seats_left: NonZeroU32::try_from(self.seats_left).map_err(corrupt)?,
        })
    }
}

#[async_trait]
impl ScheduleBook for SqliteCatalog {
    async fn open_dates(
        &self,
        concert: ConcertId,
        now: Timestamp,
    ) -> Outcome<Option<Vec<OpenDate>>> {
        let (concert, now) = (concert.get(), now.as_second());
        let rows = self
            .run(move |connection| {
                let moment = connection.transaction()?;
                let known = "SELECT 1 FROM concerts WHERE id = ?";
                let known = moment.query_row(known, [concert], |_| Ok(())).optional()?;
                if known.is_none() {
                    return Ok(None);
                }
                let mut dates = moment.prepare_cached(
                    "SELECT dates.id, title, performance, opens, closes, seats - sold
                     FROM dates JOIN concerts ON concerts.id = concert
                     WHERE concert = ?1 AND opens <= ?2 AND ?2 < closes AND sold < seats
                     ORDER BY performance, dates.id",
                )?;
                let rows = dates.query_map(params![concert, now], DateRow::read)?;
                rows.collect::<rusqlite::Result<Vec<_>>>().map(Some)
            })
            .await?;
        rows.map(|rows| rows.into_iter().map(DateRow::open_date).collect()).transpose()
    }
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> PortError {
    PortError::new(PortErrorKind::Unavailable, SQLITE).because(error)
}

/// The file has values that this program never writes.
fn corrupt(error: impl std::error::Error + Send + Sync + 'static) -> PortError {
    PortError::new(PortErrorKind::Corrupt, SQLITE).because(error)
}
