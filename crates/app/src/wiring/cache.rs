//! [`CacheStore`], chosen by `cache.store`, and the caches above it.

use std::sync::Arc;

use adapter_http::ResilienceStatus;
use adapter_memory::MemoryCacheStore;
use adapter_redis::{RedisCacheDependency, RedisCacheStore};
use decorators::cache::{AnyCache, Cache, CacheSettings, CacheStore, Source};
use domain::{Clock, HealthCheck};
use telemetry::metrics::Meters;

use super::protected_cache_store;
use crate::config::{Config, SharedCache};
use crate::metrics;
use crate::start_error::StartError;

/// The cache level that nodes share.
pub(crate) struct SharedLevel {
    pub(crate) store: Option<Arc<dyn CacheStore>>,
    /// Present if the store is outside this process.
    pub(crate) dependency: Option<Arc<dyn HealthCheck>>,
}

pub(crate) fn shared_level(
    config: &Config,
    clock: Arc<dyn Clock>,
    meters: &Meters,
    shown: &mut ResilienceStatus,
) -> Result<SharedLevel, StartError> {
    let (store, system, dependency): (Option<Arc<dyn CacheStore>>, _, _) = match config.cache.store
    {
        SharedCache::None => (None, "none", None),
        SharedCache::Memory => {
            let bytes = usize::try_from(config.cache.memory_bytes).unwrap_or(usize::MAX);
            (Some(Arc::new(MemoryCacheStore::new(bytes, clock))), "memory", None)
        }
        SharedCache::Redis => {
            let redis = &config.redis.cache;
            let store =
                RedisCacheStore::open(redis.address()?, redis.settings(), config.cache_signer()?);
            metrics::watch_cache_redis(meters, &store);
            let dependency: Arc<dyn HealthCheck> =
                Arc::new(RedisCacheDependency::new(store.clone()));
            (Some(Arc::new(store)), "redis", Some(dependency))
        }
    };
    let observer = metrics::observer(meters, system);
    let store =
        store.map(|store| protected_cache_store(config, store, observer, shown)).transpose()?;
    Ok(SharedLevel { store, dependency })
}

/// A cache in front of a source: first in this process, then in the shared level.
pub(crate) fn cached<S: Source>(
    config: &Config,
    source: S,
    settings: CacheSettings,
    level: &SharedLevel,
    shown: &mut ResilienceStatus,
) -> Cache<S> {
    let shared = level.store.clone().map(|store| (store, config.cache.shared()));
    let cache = Cache::new(source, settings, shared);
    shown.caches.push(Arc::new(cache.clone()) as Arc<dyn AnyCache>);
    cache
}
