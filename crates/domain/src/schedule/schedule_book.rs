//! A date on sale, and the port that finds the ones with seats left.

use std::num::NonZeroU32;

use async_trait::async_trait;

use super::SaleWindow;
use crate::concert::ConcertId;
use crate::id::positive_id;
use crate::{PortError, Timestamp};

positive_id! {
    /// Identifies one date of a concert.
    ScheduleId, InvalidScheduleId, "schedule id"
}

/// A date that is on sale and has seats left.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OpenDate {
    /// The date's id.
    pub id: ScheduleId,
    /// The concert's title.
    pub concert_title: String,
    /// When the concert takes place.
    pub performance: Timestamp,
    /// When it is on sale.
    pub sale: SaleWindow,
    /// Seats left.
    pub seats_left: NonZeroU32,
}

/// Finds the dates of a concert that can be bought now.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait ScheduleBook: Send + Sync {
    /// The dates of a concert that are on sale at `now` and have seats left, by performance, then
    /// id; `None` if the concert does not exist. The cost grows with the dates of this concert, not
    /// with the seats in the house. A date that sells its last seat is missing from the next
    /// response; one that gets a seat back returns.
    ///
    /// # Errors
    /// [`PortError`] if the schedule could not be read.
    async fn open_dates(
        &self,
        concert: ConcertId,
        now: Timestamp,
    ) -> Result<Option<Vec<OpenDate>>, PortError>;
}
