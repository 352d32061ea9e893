//! Series of a histogram that are made when they are first fed.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{PoisonError, RwLock};

use foldhash::fast::RandomState;
use telemetry::metrics::{Histogram, Series};

/// Series at most: more would be a mistake in what tells them apart, and is not measured.
const MOST: usize = 1_000;

/// Series by what tells them apart, which nobody outside chooses: any fast hash will do. Feeding one that is there takes a lock that nobody holds for long.
pub(super) struct Keyed<K> {
    histogram: Histogram,
    series: RwLock<HashMap<K, Series, RandomState>>,
}

impl<K: Copy + Eq + Hash> Keyed<K> {
    pub(super) fn new(histogram: Histogram) -> Self {
        Self { histogram, series: RwLock::default() }
    }

    /// Counts a value in the series of `key`; `labels` says which that is in the histogram.
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
