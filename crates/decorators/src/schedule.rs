//! The schedule book behind a guard.

use std::sync::Arc;

use async_trait::async_trait;
use domain::concert::ConcertId;
use domain::schedule::{OpenDate, ScheduleBook};
use domain::{PortError, Timestamp};

use crate::layer::{Layer, Layerable, Layered};

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<G: Layer> ScheduleBook for Layered<dyn ScheduleBook, G> {
    async fn open_dates(
        &self,
        concert: ConcertId,
        now: Timestamp,
    ) -> Result<Option<Vec<OpenDate>>, PortError> {
        self.layer.call(|| self.inner.open_dates(concert, now)).await
    }
}

impl Layerable for dyn ScheduleBook {
    fn wrap<G: Layer>(self: Arc<Self>, layer: G) -> Arc<Self> {
        Arc::new(Layered { inner: self, layer })
    }
}
