//! [`CacheStore`], chosen by `cache.store`, and the caches above it.

use std::sync::Arc;

use adapter_memory::MemoryCacheStore;
use adapter_redis::{RedisCacheDependency, RedisCacheStore};
use decorators::cache::{AnyCache, Cache, CacheSettings, CacheStore, Source};
use decorators::registry::Registry;
use domain::{Clock, HealthCheck};
use telemetry::metrics::Meters;

use super::protected_cache_store;
use crate::adapter_set::Adapter;
use crate::config::{Config, SharedCache};
use crate::metrics;
use crate::start_error::StartError;

/// The cache level that nodes share.
pub(crate) struct SharedLevel {
    pub(crate) store: Option<Arc<dyn CacheStore>>,
    /// Present if the store has a health check.
    pub(crate) health: Option<Arc<dyn HealthCheck>>,
}

/// The given store, or the configured one, behind its layers.
pub(crate) fn shared_level(
    config: &Config,
    given: Option<Adapter<dyn CacheStore>>,
    clock: Arc<dyn Clock>,
    meters: &Meters,
    registry: &Registry,
) -> Result<SharedLevel, StartError> {
    let adapter = match given {
        Some(given) => Some(given),
        None => configured(config, clock, meters)?,
    };
    let Some(Adapter { port, system, health }) = adapter else {
        return Ok(SharedLevel { store: None, health: None });
    };
    let observer = metrics::observer(meters, system);
    let store = protected_cache_store(config, port, observer, registry)?;
    Ok(SharedLevel { store: Some(store), health })
}

fn configured(
    config: &Config,
    clock: Arc<dyn Clock>,
    meters: &Meters,
) -> Result<Option<Adapter<dyn CacheStore>>, StartError> {
    match config.cache.store {
        SharedCache::None => Ok(None),
        SharedCache::Memory => {
            let bytes = usize::try_from(config.cache.memory_bytes).unwrap_or(usize::MAX);
            let store: Arc<dyn CacheStore> = Arc::new(MemoryCacheStore::new(bytes, clock));
            Ok(Some(Adapter::new(store).of_system("memory")))
        }
        SharedCache::Redis => {
            let redis = &config.redis.cache;
            let store =
                RedisCacheStore::open(redis.address()?, redis.settings(), config.cache_signer()?);
            metrics::watch_cache_redis(meters, &store);
            let health = Arc::new(RedisCacheDependency::new(store.clone()));
            let store: Arc<dyn CacheStore> = Arc::new(store);
            Ok(Some(Adapter::new(store).of_system("redis").with_health_check(health)))
        }
    }
}

/// A cache in front of a source: first in this process, then in the shared level.
pub(crate) fn cached<S: Source>(
    config: &Config,
    source: S,
    settings: CacheSettings,
    level: &SharedLevel,
    registry: &Registry,
) -> Cache<S> {
    let shared = level.store.clone().map(|store| (store, config.cache.shared()));
    let cache = Cache::new(source, settings, shared);
    registry.add_cache(Arc::new(cache.clone()) as Arc<dyn AnyCache>);
    cache
}
