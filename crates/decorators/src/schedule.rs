//! The schedule book behind a guard.

use std::sync::Arc;

use async_trait::async_trait;
use domain::concert::ConcertId;
use domain::schedule::{OpenDate, ScheduleBook};
use domain::{PortError, Timestamp};

use crate::guard::{Guard, Guardable, Guarded};

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<G: Guard> ScheduleBook for Guarded<dyn ScheduleBook, G> {
    async fn open_dates(
        &self,
        concert: ConcertId,
        now: Timestamp,
    ) -> Result<Option<Vec<OpenDate>>, PortError> {
        self.guard.ask(|| self.inner.open_dates(concert, now)).await
    }
}

impl Guardable for dyn ScheduleBook {
    fn behind<G: Guard>(self: Arc<Self>, guard: G) -> Arc<Self> {
        Arc::new(Guarded { inner: self, guard })
    }
}
