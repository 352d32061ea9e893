//! The rules of [`ScheduleBook`].

use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use domain::Timestamp;
use domain::concert::{Concert, ConcertId};
use domain::sample_catalog::{self, SampleConcert, SampleDate, SampleSize};
use domain::schedule::{OpenDate, SaleWindow, ScheduleBook, ScheduleId};
use futures_util::future::BoxFuture;
use jiff::SignedDuration;

use crate::{RuleResult, Violation, ensure_eq};

/// Opens schedule books.
#[async_trait]
pub trait ScheduleFixture: Send + Sync {
    /// Opens a book of exactly these concerts and dates.
    async fn open(&self, concerts: Vec<SampleConcert>) -> Box<dyn ScheduleHarness>;
}

/// A book whose seats can be sold.
#[async_trait]
pub trait ScheduleHarness: Send + Sync {
    /// The book.
    fn book(&self) -> Arc<dyn ScheduleBook>;

    /// Marks the first `sold` seats of a date as sold, and all others as free.
    async fn set_seats_sold(&self, concert: ConcertId, date: ScheduleId, sold: u32);
}

/// The macro behind [`schedule_contract`](crate::schedule_contract); calls back with the name of
/// every rule.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_schedule_rule {
    ($then:ident!($($args:tt)*)) => {
        $crate::$then! { $($args)*;
            distinguishes_an_unknown_concert_from_one_without_dates
            lists_only_dates_on_sale
            lists_only_dates_with_seats_left
            lists_dates_by_performance_and_no_other_concerts_dates
            gives_the_showcase_concert_three_dates
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! schedule_tests {
    ($fixture:expr; $($rule:ident)*) => {
        $(#[test]
        fn $rule() {
            if let Err(violation) = $crate::run_rule($crate::schedule::$rule(&$fixture)) {
                panic!("{violation}");
            }
        })*
    };
}

/// Expands to one test per rule of [`ScheduleBook`], on a [`ScheduleFixture`].
#[macro_export]
macro_rules! schedule_contract {
    ($fixture:expr) => {
        $crate::for_each_schedule_rule! { schedule_tests!($fixture) }
    };
}

/// A rule of this port.
pub type ScheduleRule = for<'a> fn(&'a dyn ScheduleFixture) -> BoxFuture<'a, RuleResult>;

#[doc(hidden)]
#[macro_export]
macro_rules! schedule_table {
    (; $($rule:ident)*) => {
        /// Every rule with its name.
        pub const RULES: &[(&str, ScheduleRule)] = &[$((stringify!($rule), |fixture| Box::pin($rule(fixture)))),*];
    };
}

for_each_schedule_rule! { schedule_table!() }

/// The time at which these rules are checked.
pub(crate) fn noon() -> Timestamp {
    Timestamp::from_second(1_777_896_000).unwrap_or_default()
}

fn hours(n: i64) -> Result<Timestamp, Violation> {
    Ok(noon().checked_add(SignedDuration::from_hours(n))?)
}

/// A date with ten seats, on sale between these hours from noon.
fn date(id: u64, opens: i64, closes: i64, performance: i64) -> Result<SampleDate, Violation> {
    Ok(SampleDate {
        id: ScheduleId::new(id)?,
        performance: hours(performance)?,
        sale: SaleWindow::new(hours(opens)?, hours(closes)?)?,
        seats: NonZeroU32::new(10).unwrap_or(NonZeroU32::MIN),
        sold: 0,
    })
}

fn concert(id: u64, dates: Vec<SampleDate>) -> Result<SampleConcert, Violation> {
    let concert = Concert {
        id: ConcertId::new(id)?,
        title: format!("콘서트 {id}"),
        place: "서울".to_owned(),
    };
    Ok(SampleConcert { concert, dates })
}

async fn open_ids(
    book: &dyn ScheduleBook,
    concert: u64,
    now: Timestamp,
) -> Result<Option<Vec<u64>>, Violation> {
    let dates = book.open_dates(ConcertId::new(concert)?, now).await?;
    Ok(dates.map(|dates| dates.into_iter().map(|date| date.id.get()).collect()))
}

/// An unknown concert is `None`; a concert without dates on sale is an empty list.
///
/// # Errors
/// The violation, if any.
pub async fn distinguishes_an_unknown_concert_from_one_without_dates(
    fixture: &dyn ScheduleFixture,
) -> RuleResult {
    let world =
        fixture.open(vec![concert(1, vec![])?, concert(3, vec![date(31, -1, 1, 9)?])?]).await;
    ensure_eq(
        open_ids(world.book().as_ref(), 1, noon()).await?,
        Some(vec![]),
        "a concert without dates",
    )?;
    ensure_eq(open_ids(world.book().as_ref(), 2, noon()).await?, None, "an unknown concert")?;
    ensure_eq(
        open_ids(world.book().as_ref(), ConcertId::MAX, noon()).await?,
        None,
        "the highest id",
    )
}

/// A sale runs from its opening, included, to its close, excluded, to the nanosecond.
///
/// # Errors
/// The violation, if any.
pub async fn lists_only_dates_on_sale(fixture: &dyn ScheduleFixture) -> RuleResult {
    let dates =
        vec![date(11, -2, 0, 9)?, date(12, -1, 1, 10)?, date(13, 0, 2, 11)?, date(14, 1, 3, 12)?];
    let world = fixture.open(vec![concert(1, dates)?]).await;
    let expected =
        [(-3, vec![]), (-1, vec![11, 12]), (0, vec![12, 13]), (1, vec![13, 14]), (3, vec![])];
    for (hour, ids) in expected {
        let seen = open_ids(world.book().as_ref(), 1, hours(hour)?).await?;
        ensure_eq(seen, Some(ids), &format!("dates on sale {hour} h from noon"))?;
    }
    let just_before = hours(1)?.checked_sub(SignedDuration::from_nanos(1))?;
    let seen = open_ids(world.book().as_ref(), 1, just_before).await?;
    ensure_eq(
        seen,
        Some(vec![12, 13]),
        "dates on sale a nanosecond before one closes and another opens",
    )
}

/// A date disappears when its last seat is sold and returns when a seat is free again, and the
/// count is right in between.
///
/// # Errors
/// The violation, if any.
pub async fn lists_only_dates_with_seats_left(fixture: &dyn ScheduleFixture) -> RuleResult {
    let world =
        fixture.open(vec![concert(1, vec![date(11, -1, 1, 9)?, date(12, -1, 1, 10)?])?]).await;
    let id = ConcertId::new(1)?;
    for (sold, expected) in [(0, vec![10, 10]), (9, vec![1, 10]), (10, vec![10]), (8, vec![2, 10])]
    {
        world.set_seats_sold(id, ScheduleId::new(11)?, sold).await;
        let dates = world.book().open_dates(id, noon()).await?.unwrap_or_default();
        let seats: Vec<_> = dates.iter().map(|date| date.seats_left.get()).collect();
        ensure_eq(seats, expected, &format!("seats left with {sold} of 10 sold"))?;
    }
    Ok(())
}

/// Dates are ordered by performance, then id; each is complete, and none belongs to another
/// concert.
///
/// # Errors
/// The violation, if any.
pub async fn lists_dates_by_performance_and_no_other_concerts_dates(
    fixture: &dyn ScheduleFixture,
) -> RuleResult {
    let latest_first = vec![
        date(21, -1, 1, 30)?,
        date(22, -1, 1, 20)?,
        date(24, -1, 1, 10)?,
        date(23, -1, 1, 10)?,
    ];
    let neighbours =
        [concert(1, vec![date(11, -1, 1, 9)?])?, concert(3, vec![date(31, -1, 1, 9)?])?];
    let [before, after] = neighbours;
    let world = fixture.open(vec![before, concert(2, latest_first)?, after]).await;
    let dates = world.book().open_dates(ConcertId::new(2)?, noon()).await?.unwrap_or_default();
    let ids: Vec<_> = dates.iter().map(|date| date.id.get()).collect();
    ensure_eq(ids, vec![23, 24, 22, 21], "the order of dates")?;
    let expected = OpenDate {
        id: ScheduleId::new(22)?,
        concert_title: "콘서트 2".to_owned(),
        performance: hours(20)?,
        sale: SaleWindow::new(hours(-1)?, hours(1)?)?,
        seats_left: NonZeroU32::new(10).unwrap_or(NonZeroU32::MIN),
    };
    ensure_eq(dates.get(2), Some(&expected), "a complete date")
}

/// The sample data has what the load scripts need: concert 451 has three dates on sale.
///
/// # Errors
/// The violation, if any.
pub async fn gives_the_showcase_concert_three_dates(fixture: &dyn ScheduleFixture) -> RuleResult {
    let world = fixture
        .open(sample_catalog::concerts(SampleSize::of_concerts(500), noon()).collect())
        .await;
    let dates = open_ids(world.book().as_ref(), sample_catalog::SHOWCASE, noon()).await?;
    ensure_eq(dates.map(|dates| dates.len()), Some(3), "dates of the showcase concert")
}
