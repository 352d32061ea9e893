//! The dates in memory, in the same value as the catalog they belong to.

use std::num::NonZeroU32;
use std::sync::PoisonError;

use async_trait::async_trait;
use domain::concert::ConcertId;
use domain::sample_catalog::SampleDate;
use domain::schedule::{OpenDate, ScheduleBook, ScheduleId};
use domain::{PortError, Timestamp};

use crate::concert::MemoryCatalog;

impl MemoryCatalog {
    /// Sets the number of sold seats, at most all of them. Returns `false` if there is no such
    /// date.
    pub fn set_seats_sold(&self, concert: ConcertId, date: ScheduleId, sold: u32) -> bool {
        let mut dates = self.dates.write().unwrap_or_else(PoisonError::into_inner);
        let mut of_concert = dates.get_mut(&concert).into_iter().flatten();
        let Some(found) = of_concert.find(|found| found.id == date) else { return false };
        found.sold = sold.min(found.seats.get());
        true
    }
}

#[async_trait]
impl ScheduleBook for MemoryCatalog {
    async fn open_dates(
        &self,
        concert: ConcertId,
        now: Timestamp,
    ) -> Result<Option<Vec<OpenDate>>, PortError> {
        let Some(found) = self.find(concert) else { return Ok(None) };
        let dates = self.dates.read().unwrap_or_else(PoisonError::into_inner);
        let of_concert = dates.get(&concert).into_iter().flatten();
        let mut open: Vec<_> =
            of_concert.filter_map(|date| open_date(date, &found.title, now)).collect();
        open.sort_by_key(|date| (date.performance, date.id));
        Ok(Some(open))
    }
}

fn open_date(date: &SampleDate, title: &str, now: Timestamp) -> Option<OpenDate> {
    let seats_left = NonZeroU32::new(date.seats.get() - date.sold.min(date.seats.get()))?;
    let is_open = date.sale.is_open_at(now);
    is_open.then(|| OpenDate {
        id: date.id,
        concert_title: title.to_owned(),
        performance: date.performance,
        sale: date.sale,
        seats_left,
    })
}
