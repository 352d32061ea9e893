//! The first level: copies in this process, limited by their size in bytes.

use std::hash::Hash;
use std::sync::Arc;

use moka::ops::compute::{CompResult, Op};

use super::entry::Entry;
use super::source::Stored;

/// Overhead of a copy besides its answer, as an upper estimate: key, times, and moka's map, deques
/// and sketch.
const ENTRY_BYTES: usize = 256;

/// Copies by key. Frequently requested ones survive eviction (TinyLFU).
pub(super) struct FirstLevel<K, V>(moka::sync::Cache<K, Arc<Entry<V>>>);

impl<K, V> FirstLevel<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Stored,
{
    pub(super) fn new(max_bytes: u64) -> Self {
        let weigh = |_: &K, entry: &Arc<Entry<V>>| {
            let bytes = ENTRY_BYTES + entry.value.weight();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self(moka::sync::Cache::builder().max_capacity(max_bytes).weigher(weigh).build())
    }

    pub(super) fn get(&self, key: &K) -> Option<Arc<Entry<V>>> {
        self.0.get(key)
    }

    /// Keeps a copy unless a newer one is there; returns whether it did.
    pub(super) fn offer(&self, key: &K, entry: Arc<Entry<V>>) -> bool {
        let result = self.0.entry_by_ref(key).and_compute_with(|there| match there {
            Some(there) if there.value().as_of > entry.as_of => Op::Nop,
            _ => Op::Put(entry),
        });
        !matches!(result, CompResult::Unchanged(_))
    }

    /// Approximate bytes held; pending inserts and evictions are not included.
    pub(super) fn bytes(&self) -> u64 {
        self.0.weighted_size()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use tokio::time::Instant;

    use super::super::settings::CacheSettings;
    use super::super::source::Keep;
    use super::*;

    struct Number(u32);

    impl Stored for Number {
        fn weight(&self) -> usize {
            4
        }

        fn to_bytes(&self) -> Bytes {
            Bytes::new()
        }

        fn from_bytes(_: &Bytes) -> Option<Self> {
            None
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_copy_never_replaces_a_newer_one_in_any_order() {
        let local = FirstLevel::new(10_000);
        let start = Instant::now();
        let copy = |number: u32| {
            let as_of = start + Duration::from_secs(number.into());
            let value = Arc::new(Number(number));
            Arc::new(Entry::new(value, Keep::Found, as_of, 0.0, &CacheSettings::default()))
        };
        for (offered, is_kept, there) in
            [(3, true, 3), (1, false, 3), (2, false, 3), (4, true, 4), (3, false, 4)]
        {
            assert_eq!(local.offer(&7, copy(offered)), is_kept, "{offered} was offered");
            assert_eq!(local.get(&7).map(|entry| entry.value.0), Some(there));
        }
    }
}
