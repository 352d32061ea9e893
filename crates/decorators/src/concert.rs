//! The concert catalog behind a guard.

use std::sync::Arc;

use async_trait::async_trait;
use domain::PortError;
use domain::concert::{ConcertCatalog, ConcertPage, PageRequest};

use crate::layer::{Layer, Layerable, Layered};

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<G: Layer> ConcertCatalog for Layered<dyn ConcertCatalog, G> {
    async fn page(&self, request: PageRequest) -> Result<ConcertPage, PortError> {
        self.layer.call(|| self.inner.page(request)).await
    }
}

impl Layerable for dyn ConcertCatalog {
    fn wrap<G: Layer>(self: Arc<Self>, layer: G) -> Arc<Self> {
        Arc::new(Layered { inner: self, layer })
    }
}
