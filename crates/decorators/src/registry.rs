//! The layers and caches of a service, for monitoring.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::Dependency;

use crate::breaker_layer::CircuitBreakerLayer;
use crate::bulkhead::Bulkhead;
use crate::cache::AnyCache;
use crate::retry::Retry;

/// Every layer and cache, in the order in which they were added. The wiring adds them; operations
/// and metrics read them. Clones share one registry.
#[derive(Clone, Default)]
pub struct Registry(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    breakers: Vec<Arc<CircuitBreakerLayer>>,
    bulkheads: Vec<Arc<Bulkhead>>,
    retry: Option<Arc<Retry>>,
    caches: Vec<Arc<dyn AnyCache>>,
}

impl Registry {
    /// Adds a circuit breaker.
    pub fn add_breaker(&self, breaker: Arc<CircuitBreakerLayer>) {
        self.entries().breakers.push(breaker);
    }

    /// Adds a bulkhead.
    pub fn add_bulkhead(&self, bulkhead: Arc<Bulkhead>) {
        self.entries().bulkheads.push(bulkhead);
    }

    /// Sets the retry layer of the catalog, the only one.
    pub fn set_retry(&self, retry: Option<Arc<Retry>>) {
        self.entries().retry = retry;
    }

    /// Adds a cache.
    pub fn add_cache(&self, cache: Arc<dyn AnyCache>) {
        self.entries().caches.push(cache);
    }

    /// Every circuit breaker.
    #[must_use]
    pub fn breakers(&self) -> Vec<Arc<CircuitBreakerLayer>> {
        self.entries().breakers.clone()
    }

    /// The circuit breakers of these dependencies.
    #[must_use]
    pub fn breakers_of(&self, dependencies: &[Dependency]) -> Vec<Arc<CircuitBreakerLayer>> {
        let mut breakers = self.breakers();
        breakers.retain(|breaker| dependencies.contains(&breaker.dependency()));
        breakers
    }

    /// Every bulkhead.
    #[must_use]
    pub fn bulkheads(&self) -> Vec<Arc<Bulkhead>> {
        self.entries().bulkheads.clone()
    }

    /// The retry layer of the catalog.
    #[must_use]
    pub fn retry(&self) -> Option<Arc<Retry>> {
        self.entries().retry.clone()
    }

    /// Every cache.
    #[must_use]
    pub fn caches(&self) -> Vec<Arc<dyn AnyCache>> {
        self.entries().caches.clone()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
