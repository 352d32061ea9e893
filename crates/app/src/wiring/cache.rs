//! [`CacheStore`]: by `cache.store`; and the caches above it.

use std::sync::Arc;

use adapter_http::Protection;
use adapter_memory::MemoryCacheStore;
use adapter_redis::{RedisCacheDependency, RedisCacheStore};
use decorators::cache::{AnyCache, Cache, CacheSettings, CacheStore, Source};
use domain::{Clock, Dependency};

use super::protected_cache_store;
use crate::application::StartError;
use crate::config::{Config, SharedCache};

/// The level that nodes share.
pub(crate) struct SharedLevel {
    pub(crate) store: Option<Arc<dyn CacheStore>>,
    /// What can be down, when that is not this process itself.
    pub(crate) dependency: Option<Arc<dyn Dependency>>,
}

pub(crate) fn shared_level(
    config: &Config,
    clock: Arc<dyn Clock>,
    shown: &mut Protection,
) -> Result<SharedLevel, StartError> {
    let (store, dependency): (Option<Arc<dyn CacheStore>>, _) = match config.cache.store {
        SharedCache::None => (None, None),
        SharedCache::Memory => {
            let bytes = usize::try_from(config.cache.memory_bytes).unwrap_or(usize::MAX);
            (Some(Arc::new(MemoryCacheStore::new(bytes, clock))), None)
        }
        SharedCache::Redis => {
            let redis = &config.redis.cache;
            let store = RedisCacheStore::open(redis.address()?, redis.settings());
            let dependency: Arc<dyn Dependency> = Arc::new(RedisCacheDependency::new(store.clone()));
            (Some(Arc::new(store)), Some(dependency))
        }
    };
    let store = store.map(|store| protected_cache_store(config, store, shown)).transpose()?;
    Ok(SharedLevel { store, dependency })
}

/// A cache in front of a source: this process first, then the level all nodes share.
pub(crate) fn cached<S: Source>(
    config: &Config,
    source: S,
    settings: CacheSettings,
    level: &SharedLevel,
    shown: &mut Protection,
) -> Cache<S> {
    let shared = level.store.clone().map(|store| (store, config.cache.shared()));
    let cache = Cache::new(source, settings, shared);
    shown.caches.push(Arc::new(cache.clone()) as Arc<dyn AnyCache>);
    cache
}
