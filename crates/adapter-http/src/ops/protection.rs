//! What protects the dependencies, as an operator reads it.

use std::collections::BTreeMap;
use std::sync::Arc;

use decorators::bulkhead::Bulkhead;
use decorators::cache::AnyCache;
use decorators::retry::Retry;
use serde::Serialize;

/// The layers there are, for showing.
#[derive(Default)]
pub struct Protection {
    /// Every bulkhead.
    pub bulkheads: Vec<Arc<Bulkhead>>,
    /// The retries of the catalogue.
    pub retry: Option<Arc<Retry>>,
    /// Every cache.
    pub caches: Vec<Arc<dyn AnyCache>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProtectionBody {
    caches: BTreeMap<&'static str, CacheBody>,
    /// Questions refused, by bulkhead.
    bulkheads: BTreeMap<&'static str, u64>,
    retries: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CacheBody {
    /// Of what was asked for, the share that was answered at once by this process.
    hit_ratio: Option<f64>,
    bytes: u64,
    #[serde(flatten)]
    counts: BTreeMap<&'static str, u64>,
}

impl Protection {
    pub(super) fn body(&self) -> ProtectionBody {
        ProtectionBody {
            caches: self.caches.iter().map(|cache| (cache.kind(), CacheBody::of(cache.as_ref()))).collect(),
            bulkheads: self.bulkheads.iter().map(|it| (it.dependency(), it.refused())).collect(),
            retries: self.retry.as_ref().map(|retry| retry.retried()),
        }
    }
}

impl CacheBody {
    fn of(cache: &dyn AnyCache) -> Self {
        let counts = cache.counts();
        Self {
            hit_ratio: counts.hit_ratio(),
            bytes: cache.local_bytes(),
            counts: counts.named().into_iter().collect(),
        }
    }
}
