//! The concert catalog behind a guard.

use std::sync::Arc;

use async_trait::async_trait;
use domain::PortError;
use domain::concert::{ConcertCatalog, ConcertPage, PageRequest};

use crate::guard::{Guard, Guardable, Guarded};

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<G: Guard> ConcertCatalog for Guarded<dyn ConcertCatalog, G> {
    async fn page(&self, request: PageRequest) -> Result<ConcertPage, PortError> {
        self.guard.ask(|| self.inner.page(request)).await
    }
}

impl Guardable for dyn ConcertCatalog {
    fn behind<G: Guard>(self: Arc<Self>, guard: G) -> Arc<Self> {
        Arc::new(Guarded { inner: self, guard })
    }
}
