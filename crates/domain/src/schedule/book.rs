//! A date on sale, and the port that finds the ones with seats left.

use std::num::NonZeroU32;

use async_trait::async_trait;

use super::SaleWindow;
use crate::concert::ConcertId;
use crate::id::positive_id;
use crate::{PortError, Timestamp};

positive_id! {
    /// Names one date of one concert.
    ScheduleId, InvalidScheduleId, "schedule id"
}

/// A date whose sale runs and that has seats left; a sold-out date cannot be one.
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

/// Answers which dates of a concert can be bought now.
#[async_trait]
pub trait ScheduleBook: Send + Sync {
    /// The dates of a concert whose sale runs at `now` and that have seats left, by performance, then id; `None` when
    /// there is no such concert. The cost grows with the dates of the one concert, not with the seats in the house.
    /// A date whose last seat goes disappears from the next answer; one that gets a seat back returns.
    ///
    /// # Errors
    /// [`PortError`] when the schedule could not be read.
    async fn open_dates(
        &self,
        concert: ConcertId,
        now: Timestamp,
    ) -> Result<Option<Vec<OpenDate>>, PortError>;
}
