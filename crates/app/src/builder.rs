//! Builds the service, with adapters of the caller in place of those that the configuration names.

use std::sync::Arc;

use decorators::cache::CacheStore;
use domain::concert::ConcertCatalog;
use domain::queue::{CheckpointStore, QueueStore, TokenSigner};
use domain::schedule::ScheduleBook;
use domain::{Clock, HealthCheck};
use telemetry::Instruments;

use crate::application::Application;
use crate::config::Config;
use crate::start_error::StartError;

/// An adapter of a port, and what the service needs to know of it.
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

/// Builds an [`Application`]. A port that is not replaced gets the adapter that the configuration
/// names. A replaced adapter is wrapped, measured and checked like a built-in one.
pub struct ApplicationBuilder<'c> {
    config: &'c Config,
    instruments: Instruments,
    adapters: Adapters,
    given_twice: Option<&'static str>,
}

impl<'c> ApplicationBuilder<'c> {
    pub(crate) fn new(config: &'c Config) -> Self {
        Self {
            config,
            instruments: Instruments::off(),
            adapters: Adapters::default(),
            given_twice: None,
        }
    }

    /// Measures with these instruments; by default nothing is measured.
    #[must_use]
    pub fn instruments(self, instruments: Instruments) -> Self {
        Self { instruments, ..self }
    }

    /// Replaces the store of the queue, which `queue.store` names.
    #[must_use]
    pub fn queue_store(mut self, adapter: impl Into<Adapter<dyn QueueStore>>) -> Self {
        let slot = &mut self.adapters.queue_store;
        put(slot, adapter.into(), "the queue store", &mut self.given_twice);
        self
    }

    /// Replaces the store of checkpoints, which `queue.checkpoint.store` names.
    #[must_use]
    pub fn checkpoint_store(mut self, adapter: impl Into<Adapter<dyn CheckpointStore>>) -> Self {
        let slot = &mut self.adapters.checkpoint_store;
        put(slot, adapter.into(), "the checkpoint store", &mut self.given_twice);
        self
    }

    /// Replaces the list of concerts, which `catalog.store` names.
    #[must_use]
    pub fn concert_catalog(mut self, adapter: impl Into<Adapter<dyn ConcertCatalog>>) -> Self {
        let slot = &mut self.adapters.concert_catalog;
        put(slot, adapter.into(), "the concert catalog", &mut self.given_twice);
        self
    }

    /// Replaces the dates of concerts, which `catalog.store` names.
    #[must_use]
    pub fn schedule_book(mut self, adapter: impl Into<Adapter<dyn ScheduleBook>>) -> Self {
        let slot = &mut self.adapters.schedule_book;
        put(slot, adapter.into(), "the schedule book", &mut self.given_twice);
        self
    }

    /// Replaces the cache level that nodes share, which `cache.store` names.
    #[must_use]
    pub fn cache_store(mut self, adapter: impl Into<Adapter<dyn CacheStore>>) -> Self {
        let slot = &mut self.adapters.cache_store;
        put(slot, adapter.into(), "the cache store", &mut self.given_twice);
        self
    }

    /// Replaces the signer of waiting tokens, which uses `queue.keys`.
    #[must_use]
    pub fn token_signer(mut self, signer: Arc<dyn TokenSigner>) -> Self {
        put(&mut self.adapters.token_signer, signer, "the token signer", &mut self.given_twice);
        self
    }

    /// Replaces both clocks: the time of day, and the steady one that calls and sessions run on.
    /// The loops and timeouts of the service keep real time.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        put(&mut self.adapters.clock, clock, "the clock", &mut self.given_twice);
        self
    }

    /// Wires the adapters to the use cases and binds both listeners. If the database is
    /// unreachable, this waits at most its connect timeout and then continues without it.
    ///
    /// # Errors
    /// [`StartError::GivenTwice`] for a port with two adapters, or another [`StartError`].
    pub async fn build(self) -> Result<Application, StartError> {
        if let Some(port) = self.given_twice {
            return Err(StartError::GivenTwice(port));
        }
        Application::build(self.config, &self.instruments, self.adapters).await
    }
}

fn put<T>(
    slot: &mut Option<T>,
    adapter: T,
    port: &'static str,
    given_twice: &mut Option<&'static str>,
) {
    if slot.replace(adapter).is_some() {
        given_twice.get_or_insert(port);
    }
}
