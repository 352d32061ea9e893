//! Histogram series that are created on first use.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{PoisonError, RwLock};

use foldhash::fast::RandomState;
use telemetry::metrics::{Histogram, Series};

/// The maximum number of series. More indicate a bug in the choice of keys, and are not recorded.
const MOST: usize = 1_000;

/// Series by key. Clients do not choose the keys, so any fast hash is safe. Recording to an
/// existing series takes a read lock that is rarely contended.
pub(super) struct Keyed<K> {
    histogram: Histogram,
    series: RwLock<HashMap<K, Series, RandomState>>,
}

impl<K: Copy + Eq + Hash> Keyed<K> {
    pub(super) fn new(histogram: Histogram) -> Self {
        Self { histogram, series: RwLock::default() }
    }

    /// Records a value in the series of `key`; `labels` returns its labels.
    pub(super) fn record<const N: usize>(
        &self,
        key: K,
        value: f64,
        labels: impl FnOnce(K) -> [String; N],
    ) {
        if let Some(series) = self.series.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return series.record(value);
        }
        let mut all = self.series.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MOST {
            let labels = labels(key);
            let made = || self.histogram.series(&labels.each_ref().map(String::as_str));
            all.entry(key).or_insert_with(made).record(value);
        }
    }
}
