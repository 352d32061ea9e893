//! The concert catalog, observed.

use std::sync::Arc;

use async_trait::async_trait;
use domain::PortError;
use domain::concert::{ConcertCatalog, ConcertPage, PageRequest};

use super::{Instrumented, Observable, Observer};

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl ConcertCatalog for Instrumented<dyn ConcertCatalog> {
    async fn page(&self, request: PageRequest) -> Result<ConcertPage, PortError> {
        self.watch("concert_page", self.inner.page(request)).await
    }
}

impl Observable for dyn ConcertCatalog {
    fn observed(self: Arc<Self>, observer: Arc<dyn Observer>) -> Arc<Self> {
        Arc::new(Instrumented { inner: self, observer })
    }
}
