//! The first level: copies in this process, bounded by their bytes.

use std::hash::Hash;
use std::sync::Arc;

use moka::ops::compute::{CompResult, Op};

use super::entry::Entry;
use super::source::Stored;

/// Copies by key. What is asked for often stays when room is needed (TinyLFU).
pub(super) struct Local<K, V>(moka::sync::Cache<K, Arc<Entry<V>>>);

impl<K, V> Local<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Stored,
{
    pub(super) fn new(max_bytes: u64) -> Self {
        let weigh = |_: &K, entry: &Arc<Entry<V>>| {
            let bytes = size_of::<K>() + size_of::<Entry<V>>() + entry.value.weight();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self(moka::sync::Cache::builder().max_capacity(max_bytes).weigher(weigh).build())
    }

    pub(super) fn get(&self, key: &K) -> Option<Arc<Entry<V>>> {
        self.0.get(key)
    }

    /// Keeps a copy unless a newer one is there; tells whether it did.
    pub(super) fn offer(&self, key: &K, entry: Arc<Entry<V>>) -> bool {
        let result = self.0.entry_by_ref(key).and_compute_with(|there| match there {
            Some(there) if there.value().as_of > entry.as_of => Op::Nop,
            _ => Op::Put(entry),
        });
        !matches!(result, CompResult::Unchanged(_))
    }

    /// Bytes kept, about: what is being put or evicted right now is not settled yet.
    pub(super) fn bytes(&self) -> u64 {
        self.0.weighted_size()
    }
}
