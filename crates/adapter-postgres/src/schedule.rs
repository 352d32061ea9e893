//! The dates of a concert.

use std::num::NonZeroU32;

use async_trait::async_trait;
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, JoinOnDsl as _,
    NullableExpressionMethods as _, QueryDsl as _, Queryable,
};
use diesel_async::RunQueryDsl as _;
use domain::concert::ConcertId;
use domain::schedule::{OpenDate, SaleWindow, ScheduleBook, ScheduleId};
use domain::{PortError, Timestamp};
use jiff_diesel::ToDiesel as _;

use crate::concert::PostgresCatalog;
use crate::error::corrupt;
use crate::id::{checked, signed};
use crate::schema::{concerts, schedules};

/// A concert with one of its open dates, or without a date if it has none.
#[derive(Queryable)]
struct DateRow {
    title: String,
    date: Option<OpenDateRow>,
}

#[derive(Queryable)]
struct OpenDateRow {
    id: i64,
    performance_at: jiff_diesel::Timestamp,
    sale_opens_at: jiff_diesel::Timestamp,
    sale_closes_at: jiff_diesel::Timestamp,
    seats_left: i32,
}

/// One statement, answered by two index probes: the concert by its id, and its dates by the
/// concert's id in display order. No row at all means no such concert.
#[diesel::dsl::auto_type]
fn open_dates(concert: i64, now: jiff_diesel::Timestamp) -> _ {
    let is_open = schedules::concert_id
        .eq(concerts::id)
        .and(schedules::sale_opens_at.le(now))
        .and(schedules::sale_closes_at.gt(now))
        .and(schedules::seats_left.gt(0_i32));
    let date = (
        schedules::id,
        schedules::performance_at,
        schedules::sale_opens_at,
        schedules::sale_closes_at,
        schedules::seats_left,
    );
    concerts::table
        .left_join(schedules::table.on(is_open))
        .filter(concerts::id.eq(concert))
        .order((schedules::performance_at, schedules::id))
        .select((concerts::title, date.nullable()))
}

/// The SQL of [`ScheduleBook::open_dates`], for query plans and benchmarks of the same statement.
#[must_use]
pub fn open_dates_statement() -> String {
    let statement = open_dates(0, Timestamp::UNIX_EPOCH.to_diesel());
    let text = diesel::debug_query::<diesel::pg::Pg, _>(&statement).to_string();
    text.split(" -- binds").next().unwrap_or_default().to_owned()
}

impl DateRow {
    fn open_date(self) -> Result<Option<OpenDate>, PortError> {
        let Some(date) = self.date else { return Ok(None) };
        let seats_left =
            u32::try_from(date.seats_left).and_then(NonZeroU32::try_from).map_err(corrupt)?;
        let sale = SaleWindow::new(date.sale_opens_at.into(), date.sale_closes_at.into())
            .map_err(corrupt)?;
        Ok(Some(OpenDate {
            id: checked(date.id, ScheduleId::new)?,
            concert_title: self.title,
            performance: date.performance_at.into(),
            sale,
            seats_left,
        }))
    }
}

impl PostgresCatalog {
    async fn date_rows(&self, concert: i64, now: Timestamp) -> Result<Vec<DateRow>, PortError> {
        let rows = self.0.run("open dates", move |connection| {
            Box::pin(async move {
                open_dates(concert, now.to_diesel()).load::<DateRow>(connection).await
            })
        });
        rows.await
    }

    pub(crate) async fn check_dates(&self) -> Result<(), PortError> {
        self.date_rows(i64::MAX, Timestamp::UNIX_EPOCH).await.map(drop)
    }
}

#[async_trait]
impl ScheduleBook for PostgresCatalog {
    async fn open_dates(
        &self,
        concert: ConcertId,
        now: Timestamp,
    ) -> Result<Option<Vec<OpenDate>>, PortError> {
        let rows = self.date_rows(signed(concert.get()), now).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let dates = rows.into_iter().filter_map(|row| row.open_date().transpose());
        Ok(Some(dates.collect::<Result<_, _>>()?))
    }
}
