//! The concert list.

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{QueryableByName, sql_query};
use diesel_async::RunQueryDsl as _;
use domain::PortError;
use domain::concert::{Concert, ConcertCatalog, ConcertId, ConcertPage, PageRequest};

use crate::error::corrupt;
use crate::id::checked;
use crate::pool::Postgres;

/// The concert catalog and the dates, as ports.
#[derive(Clone)]
pub struct PostgresCatalog(pub(crate) Postgres);

impl PostgresCatalog {
    /// Creates the catalog of a database whose schema is current.
    #[must_use]
    pub fn new(postgres: Postgres) -> Self {
        Self(postgres)
    }
}

/// Reads a page and the total number of concerts in one statement, so that both are consistent; a
/// page beyond the end is one row with only the total. The cost grows with the offset and with the
/// total: one or two milliseconds for ten thousand concerts, and pages are cached above this layer.
const PAGE: &str = "\
SELECT counted.total, page.id, page.title, page.place
FROM (SELECT count(*) AS total FROM concerts) AS counted
LEFT JOIN LATERAL (SELECT id, title, place FROM concerts ORDER BY id LIMIT $1 OFFSET $2) AS page ON true
ORDER BY page.id";

#[derive(QueryableByName)]
struct PageRow {
    #[diesel(sql_type = BigInt)]
    total: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    id: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    title: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    place: Option<String>,
}

impl PageRow {
    /// The concert of this row, if it has one.
    fn concert(self) -> Result<Option<Concert>, PortError> {
        let (Some(id), Some(title), Some(place)) = (self.id, self.title, self.place) else {
            return Ok(None);
        };
        Ok(Some(Concert { id: checked(id, ConcertId::new)?, title, place }))
    }
}

impl PostgresCatalog {
    async fn rows(&self, limit: i64, offset: i64) -> Result<Vec<PageRow>, PortError> {
        let rows = self.0.run("page of concerts", move |connection| {
            let statement = sql_query(PAGE).bind::<BigInt, _>(limit).bind::<BigInt, _>(offset);
            Box::pin(async move { statement.load::<PageRow>(connection).await })
        });
        rows.await
    }

    /// Checks both read statements: a page of one concert, and the dates of an unused id.
    pub(crate) async fn check(&self) -> Result<(), PortError> {
        for row in self.rows(1, 0).await? {
            row.concert()?;
        }
        self.check_dates().await
    }
}

#[async_trait]
impl ConcertCatalog for PostgresCatalog {
    async fn page(&self, request: PageRequest) -> Result<ConcertPage, PortError> {
        let limit = i64::from(request.size.get());
        let offset = i64::try_from(request.offset()).unwrap_or(i64::MAX);
        let rows = self.rows(limit, offset).await?;
        let total = if let [row, ..] = rows.as_slice() { row.total } else { 0 };
        let total = u64::try_from(total).map_err(corrupt)?;
        let concerts = rows.into_iter().filter_map(|row| row.concert().transpose());
        Ok(ConcertPage { request, concerts: concerts.collect::<Result<_, _>>()?, total })
    }
}
