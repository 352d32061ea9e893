//! Builds the service, with adapters of the caller in place of those that the configuration names.

use std::sync::Arc;

use decorators::cache::CacheStore;
use domain::Clock;
use domain::concert::ConcertCatalog;
use domain::queue::{CheckpointStore, QueueStore, TokenSigner};
use domain::schedule::ScheduleBook;
use telemetry::Instruments;

use crate::adapter_set::{Adapter, Adapters};
use crate::application::Application;
use crate::config::Config;
use crate::start_error::StartError;

/// Builds an [`Application`]. A port that is not replaced gets the adapter that the configuration
/// names. A replaced adapter is wrapped, measured and checked like a built-in one.
pub struct ApplicationBuilder<'c> {
    config: &'c Config,
    instruments: Instruments,
    adapters: Adapters,
    given_twice: Option<&'static str>,
}

impl Application {
    /// Starts to build the service of a configuration.
    #[must_use]
    pub fn builder(config: &Config) -> ApplicationBuilder<'_> {
        ApplicationBuilder::new(config)
    }
}

impl<'c> ApplicationBuilder<'c> {
    fn new(config: &'c Config) -> Self {
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
