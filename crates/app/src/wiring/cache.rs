//! [`CacheStore`]: by `cache.store`; and the caches of both kinds of answers above it.

use std::sync::Arc;

use adapter_http::{ConcertDates, ConcertPages, DateSource, PageSource};
use adapter_memory::MemoryCacheStore;
use decorators::cache::{Cache, CacheStore};
use domain::{Clock, Dependency};

use crate::application::StartError;
use crate::config::{Config, SharedCache};

/// The level that nodes share.
pub(crate) struct SharedLevel {
    pub(crate) store: Option<Arc<dyn CacheStore>>,
    /// What can be down, when that is not this process itself.
    pub(crate) dependency: Option<Arc<dyn Dependency>>,
}

pub(crate) fn shared_level(config: &Config, clock: Arc<dyn Clock>) -> Result<SharedLevel, StartError> {
    let store: Option<Arc<dyn CacheStore>> = match config.cache.store {
        SharedCache::None => None,
        SharedCache::Memory => Some(Arc::new(MemoryCacheStore::new(config.cache.memory_bytes, clock))),
        SharedCache::Redis => todo!(),
    };
    Ok(SharedLevel { store, dependency: None })
}

