//! Stores with separate keys, and shared helpers of the tests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use adapter_redis::{
    CachePoolSettings, CacheSigner, RedisAddress, RedisCacheSettings, RedisCacheStore,
};
use bytes::Bytes;
use decorators::cache::{
    CacheKey, CacheStore as _, Lease, LeaseId, Lookup, LookupRequest, PutOutcome,
};
use domain::PortError;
use domain::queue::QueueId;

/// Longer than any test.
pub(super) const LONG: Duration = Duration::from_secs(600);

/// For a busy machine.
pub(super) const SLACK: Duration = Duration::from_secs(2);

pub(crate) fn key(name: impl ToString) -> CacheKey {
    CacheKey { kind: "concerts", name: name.to_string() }
}

/// A prefix that no other test uses.
pub(super) fn new_prefix() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("cache{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Limits that even a busy machine keeps.
pub(crate) const PATIENT: CachePoolSettings = CachePoolSettings {
    size: 4,
    min_idle: 0,
    acquire: Duration::from_secs(10),
    max_waiting: 10_000,
    connect: Duration::from_secs(10),
    answer: Duration::from_secs(10),
    idle: LONG,
    lifetime: LONG,
};

pub(super) fn settings(pool: CachePoolSettings) -> RedisCacheSettings {
    RedisCacheSettings { prefix: new_prefix(), max_entry_bytes: 100_000, pool }
}

/// A signer for a deployment with keys made from these bytes.
pub(super) fn signer(deployment: &str, first: u8, others: &[u8]) -> CacheSigner {
    let others: Vec<_> = others.iter().map(|byte| [*byte; 32]).collect();
    CacheSigner::new(QueueId::parse(deployment).unwrap(), &[first; 32], &others)
}

/// A store of the deployment `main`.
pub(super) fn open(address: RedisAddress, settings: RedisCacheSettings) -> RedisCacheStore {
    RedisCacheStore::open(address, settings, signer("main", 1, &[]))
}

pub(crate) fn store(address: &RedisAddress, pool: CachePoolSettings) -> RedisCacheStore {
    open(address.clone(), settings(pool))
}

/// The name of a copy of the deployment `main`.
pub(super) fn name_of(settings: &RedisCacheSettings, key: &CacheKey) -> String {
    format!("{}:main:{{{key}}}", settings.prefix)
}

pub(crate) async fn lookup(store: &RedisCacheStore, key: &CacheKey) -> Result<Lookup, PortError> {
    let lease = Lease { id: LeaseId(7), lasts: LONG };
    store.lookup(key, &LookupRequest { fresh_for: LONG, lease: Some(lease) }).await
}

/// Looks a key up, and puts the payload if it is missing.
pub(crate) async fn get_and_put(
    store: &RedisCacheStore,
    key: &CacheKey,
    payload: &[u8],
) -> Result<(), PortError> {
    let found = lookup(store, key).await?;
    let payload = Bytes::copy_from_slice(payload);
    match found.kept {
        Ok(Some(kept)) => assert_eq!(kept.payload, payload),
        Ok(None) => {
            let put = store.put(key, payload, found.at, LONG, LeaseId(7)).await?;
            assert!(matches!(put, PutOutcome::Kept | PutOutcome::NewerIsThere), "{put:?}");
        }
        Err(why) => panic!("{key} is unusable: {why:?}"),
    }
    Ok(())
}
