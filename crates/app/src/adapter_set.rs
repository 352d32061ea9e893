//! An adapter for each port, as the caller gives it or the wiring makes it.

use std::sync::Arc;

use decorators::cache::CacheStore;
use domain::concert::ConcertCatalog;
use domain::queue::{CheckpointStore, QueueStore, TokenSigner};
use domain::schedule::ScheduleBook;
use domain::{Clock, HealthCheck};

/// An adapter of a port, and what the service needs to know about it.
pub struct Adapter<P: ?Sized> {
    pub(crate) port: Arc<P>,
    pub(crate) system: &'static str,
    pub(crate) health: Option<Arc<dyn HealthCheck>>,
}

impl<P: ?Sized> Adapter<P> {
    /// An adapter without a health check, shown as `custom` in metrics and traces.
    #[must_use]
    pub fn new(port: Arc<P>) -> Self {
        Self { port, system: "custom", health: None }
    }

    /// Sets the name of the system behind the adapter: `db.system.name` in metrics and traces.
    #[must_use]
    pub fn of_system(self, system: &'static str) -> Self {
        Self { system, ..self }
    }

    /// Adds a health check. Readiness, logs and metrics report it under its name, and the breakers
    /// in front of the adapter count its results, as for a built-in adapter.
    #[must_use]
    pub fn with_health_check(self, health: Arc<dyn HealthCheck>) -> Self {
        Self { health: Some(health), ..self }
    }
}

impl<P: ?Sized> From<Arc<P>> for Adapter<P> {
    fn from(port: Arc<P>) -> Self {
        Self::new(port)
    }
}

/// The adapters given by the caller. The wiring takes each, and makes those that are missing.
#[derive(Default)]
pub(crate) struct Adapters {
    pub(crate) queue_store: Option<Adapter<dyn QueueStore>>,
    pub(crate) checkpoint_store: Option<Adapter<dyn CheckpointStore>>,
    pub(crate) concert_catalog: Option<Adapter<dyn ConcertCatalog>>,
    pub(crate) schedule_book: Option<Adapter<dyn ScheduleBook>>,
    pub(crate) cache_store: Option<Adapter<dyn CacheStore>>,
    pub(crate) token_signer: Option<Arc<dyn TokenSigner>>,
    pub(crate) clock: Option<Arc<dyn Clock>>,
}
