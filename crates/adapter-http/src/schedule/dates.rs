//! Rendered dates of a concert, from the cache or the schedule.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use decorators::cache::{Answer, Cache, Keep, Loaded, Source, Stored};
use domain::concert::ConcertId;
use domain::schedule::{OpenDate, ScheduleError, ScheduleService};
use domain::{Dependency, PortError, PortErrorKind};
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::time::rfc3339;

/// A date of a concert that still has seats.
#[derive(Serialize, ToSchema)]
#[schema(as = ConcertDate)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DateBody<'a> {
    #[schema(minimum = 1)]
    schedule_id: u64,
    concert_title: &'a str,
    /// When the concert takes place, in UTC.
    #[schema(format = DateTime)]
    open_date: String,
    /// When the sale opens, in UTC.
    #[schema(format = DateTime)]
    start_date: String,
    /// When the sale closes, in UTC.
    #[schema(format = DateTime)]
    end_date: String,
    /// How many seats are free.
    #[schema(minimum = 1)]
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

/// The rendered dates of all concerts, shared by all workers.
pub struct ConcertDates(Cache<DateSource>);

/// Renders dates of a schedule on demand.
pub struct DateSource(Arc<ScheduleService>);

/// The rendered dates of one concert; `None` if the concert does not exist.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RenderedDates(pub(crate) Option<Bytes>);

impl ConcertDates {
    /// Serves dates from this cache.
    #[must_use]
    pub fn new(cache: Cache<DateSource>) -> Self {
        Self(cache)
    }

    /// Returns the dates, or the absence of the concert, if this process has it cached.
    pub(crate) fn at_once(&self, concert: ConcertId) -> Option<Answer<RenderedDates>> {
        self.0.at_once(&concert)
    }

    pub(crate) async fn of(&self, concert: ConcertId) -> Result<Answer<RenderedDates>, Problem> {
        Ok(self.0.get(&concert).await?)
    }
}

impl DateSource {
    /// The kind of its cache entries.
    pub const KIND: &str = "dates";

    /// Renders the dates this use case returns.
    #[must_use]
    pub fn new(schedules: Arc<ScheduleService>) -> Self {
        Self(schedules)
    }
}

/// Increment it when the rendering changes, so that two versions of the program do not share cache
/// entries.
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
            .map_err(|error| {
                PortError::new(PortErrorKind::Corrupt, Dependency::DATES).because(error)
            })?;
        Ok(Loaded { value: RenderedDates(Some(body.into())), keep: Keep::Found })
    }
}

/// The body, or nothing if the concert does not exist: a body is never empty.
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
