//! The use case: the dates that can be bought now.

use std::sync::Arc;

use super::{OpenDate, ScheduleBook};
use crate::concert::ConcertId;
use crate::{Clock, PortError};

/// The errors of the schedule's use cases that a caller can act on.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The concert does not exist.
    #[error("there is no concert {0}")]
    NoSuchConcert(ConcertId),
    /// The schedule could not be read.
    #[error(transparent)]
    Store(#[from] PortError),
}

/// The dates of a concert, as of now.
pub struct ScheduleService {
    book: Arc<dyn ScheduleBook>,
    clock: Arc<dyn Clock>,
}

impl ScheduleService {
    /// A service over a book and a clock.
    #[must_use]
    pub fn new(book: Arc<dyn ScheduleBook>, clock: Arc<dyn Clock>) -> Self {
        Self { book, clock }
    }

    /// The dates of a concert that can be bought now.
    ///
    /// # Errors
    /// [`ScheduleError::NoSuchConcert`] or [`ScheduleError::Store`].
    pub async fn open_dates(&self, concert: ConcertId) -> Result<Vec<OpenDate>, ScheduleError> {
        let dates = self.book.open_dates(concert, self.clock.now()).await?;
        dates.ok_or(ScheduleError::NoSuchConcert(concert))
    }
}
