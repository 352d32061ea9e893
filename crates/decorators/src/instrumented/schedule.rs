//! The schedule book, observed.

use std::sync::Arc;

use async_trait::async_trait;
use domain::concert::ConcertId;
use domain::schedule::{OpenDate, ScheduleBook};
use domain::{PortError, Timestamp};

use super::{Instrumented, Observable, Observer};

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl ScheduleBook for Instrumented<dyn ScheduleBook> {
    async fn open_dates(
        &self,
        concert: ConcertId,
        now: Timestamp,
    ) -> Result<Option<Vec<OpenDate>>, PortError> {
        self.watch("open_dates", self.inner.open_dates(concert, now)).await
    }
}

impl Observable for dyn ScheduleBook {
    fn observed(self: Arc<Self>, observer: Arc<dyn Observer>) -> Arc<Self> {
        Arc::new(Instrumented { inner: self, observer })
    }
}
