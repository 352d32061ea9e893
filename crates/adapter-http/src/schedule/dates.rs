//! The dates of a concert as the bytes that go on the wire, from the cache or the schedule.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use decorators::cache::{Answer, Cache, Keep, Loaded, Source, Stored};
use domain::concert::ConcertId;
use domain::schedule::{OpenDate, ScheduleError, ScheduleService};
use domain::{PortError, PortErrorKind};
use serde::Serialize;

use crate::problem::Problem;
use crate::time::rfc3339;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DateBody<'a> {
    schedule_id: u64,
    concert_title: &'a str,
    /// When the concert takes place.
    open_date: String,
    /// When the sale opens.
    start_date: String,
    /// When the sale closes.
    end_date: String,
    seats_left: u32,
}

impl<'a> From<&'a OpenDate> for DateBody<'a> {
    fn from(date: &'a OpenDate) -> Self {
        Self {
            schedule_id: date.id.get(),
            concert_title: &date.concert_title,
            open_date: rfc3339(date.performance),
            start_date: rfc3339(date.sale.opens()),
            end_date: rfc3339(date.sale.closes()),
            seats_left: date.seats_left.get(),
        }
    }
}

/// The dates of all concerts, rendered. Shared by all workers.
pub struct ConcertDates(Cache<DateSource>);

/// Dates of a schedule, rendered when they are asked for.
pub struct DateSource(Arc<ScheduleService>);

/// The dates of one concert, ready to be sent; nothing where there is no such concert.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RenderedDates(pub(crate) Option<Bytes>);

impl ConcertDates {
    /// Dates from a cache.
    #[must_use]
    pub fn new(cache: Cache<DateSource>) -> Self {
        Self(cache)
    }

    /// What this process can answer without waiting: dates, or that there is no such concert.
    pub(crate) fn at_once(&self, concert: ConcertId) -> Option<Answer<RenderedDates>> {
        self.0.at_once(&concert)
    }

    pub(crate) async fn of(&self, concert: ConcertId) -> Result<Answer<RenderedDates>, Problem> {
        Ok(self.0.get(&concert).await?)
    }
}

impl DateSource {
    /// The kind of answer it has, as caches know it.
    pub const KIND: &str = "dates";

    /// Dates as this use case finds them.
    #[must_use]
    pub fn new(schedules: Arc<ScheduleService>) -> Self {
        Self(schedules)
    }
}

/// Raised whenever other bytes are written for the same dates, so that programs of two versions leave each other's alone.
const FORM: u32 = 1;

#[async_trait]
impl Source for DateSource {
    type Key = ConcertId;
    type Value = RenderedDates;

    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn name(&self, concert: &ConcertId) -> String {
        format!("{FORM}-{}", concert.get())
    }

    async fn load(&self, concert: &ConcertId) -> Result<Loaded<RenderedDates>, PortError> {
        let dates = match self.0.open_dates(*concert).await {
            Ok(dates) => dates,
            Err(ScheduleError::NoSuchConcert(_)) => {
                return Ok(Loaded { value: RenderedDates(None), keep: Keep::Absent });
            }
            Err(ScheduleError::Store(error)) => return Err(error),
        };
        let body = serde_json::to_vec(&dates.iter().map(DateBody::from).collect::<Vec<_>>())
            .map_err(|error| PortError::new(PortErrorKind::Corrupt, "schedule").because(error))?;
        Ok(Loaded { value: RenderedDates(Some(body.into())), keep: Keep::Found })
    }
}

/// The body, which is never empty where there is one.
impl Stored for RenderedDates {
    fn weight(&self) -> usize {
        self.0.as_ref().map_or(0, Bytes::len)
    }

    fn to_bytes(&self) -> Bytes {
        self.0.clone().unwrap_or_default()
    }

    fn from_bytes(bytes: &Bytes) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self(None));
        }
        let is_list = bytes.starts_with(b"[") && bytes.ends_with(b"]");
        is_list.then(|| Self(Some(bytes.clone())))
    }
}
