//! `/resilience`: the state of the resilience layers.

use std::collections::BTreeMap;
use std::sync::Arc;

use decorators::breaker::Snapshot;
use decorators::bulkhead::Bulkhead;
use decorators::cache::AnyCache;
use decorators::circuit_breaker::CircuitBreakerLayer;
use decorators::retry::Retry;
use serde::Serialize;

use crate::overload::{LimiterCounts, LoadShedder, OverloadCounts};

/// The resilience layers to report.
#[derive(Default)]
pub struct ResilienceStatus {
    /// Every breaker.
    pub breakers: Vec<Arc<CircuitBreakerLayer>>,
    /// Every bulkhead.
    pub bulkheads: Vec<Arc<Bulkhead>>,
    /// The retry layer of the catalog.
    pub retry: Option<Arc<Retry>>,
    /// The limits of the public routes.
    pub overload: Option<LoadShedder>,
    /// Every cache.
    pub caches: Vec<Arc<dyn AnyCache>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProtectionBody {
    breakers: BTreeMap<&'static str, BreakerBody>,
    caches: BTreeMap<&'static str, CacheBody>,
    /// Calls refused, by bulkhead.
    bulkheads: BTreeMap<&'static str, u64>,
    retries: Option<u64>,
    overload: Option<OverloadBody>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OverloadBody {
    joining: GateBody,
    asking: GateBody,
    reading: GateBody,
    per_user_refused: u64,
    per_address_refused: u64,
    joining_per_address_refused: u64,
    polling_refused: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GateBody {
    passed: u64,
    waited: u64,
    refused: u64,
    at_work: u64,
    waiting: u64,
}

impl From<LimiterCounts> for GateBody {
    fn from(counts: LimiterCounts) -> Self {
        let LimiterCounts { passed, waited, refused, in_flight: at_work, waiting } = counts;
        Self { passed, waited, refused, at_work, waiting }
    }
}

impl From<OverloadCounts> for OverloadBody {
    fn from(counts: OverloadCounts) -> Self {
        Self {
            joining: counts.joining.into(),
            asking: counts.asking.into(),
            reading: counts.reading.into(),
            per_user_refused: counts.per_user_refused,
            per_address_refused: counts.per_address_refused,
            joining_per_address_refused: counts.joining_per_address_refused,
            polling_refused: counts.polling_refused,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BreakerBody {
    state: &'static str,
    /// In percent of the calls in the window; `None` while there are too few.
    failure_rate: Option<f64>,
    slow_call_rate: Option<f64>,
    /// Since the start of the process.
    successful: u64,
    failed: u64,
    /// Slow calls among `successful` and `failed`.
    slow: u64,
    ignored: u64,
    not_permitted: u64,
}

impl BreakerBody {
    fn of(snapshot: &Snapshot) -> Self {
        let Snapshot { state, failure_rate, slow_call_rate, calls, .. } = *snapshot;
        Self {
            state: state.as_str(),
            failure_rate,
            slow_call_rate,
            successful: calls.successful,
            failed: calls.failed,
            slow: calls.slow_successful + calls.slow_failed,
            ignored: calls.ignored,
            not_permitted: calls.not_permitted,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CacheBody {
    /// The share of requests answered at once by this process.
    hit_ratio: Option<f64>,
    bytes: u64,
    #[serde(flatten)]
    counts: BTreeMap<String, u64>,
}

impl ResilienceStatus {
    /// The breakers with these names.
    #[must_use]
    pub fn breakers_named(&self, names: &[&str]) -> Vec<Arc<CircuitBreakerLayer>> {
        self.breakers.iter().filter(|it| names.contains(&it.dependency())).cloned().collect()
    }

    /// The state of every breaker, by name.
    pub(super) fn breaker_states(&self) -> BTreeMap<&'static str, &'static str> {
        self.breakers.iter().map(|it| (it.dependency(), it.snapshot().state.as_str())).collect()
    }

    pub(super) fn body(&self) -> ProtectionBody {
        ProtectionBody {
            breakers: self
                .breakers
                .iter()
                .map(|it| (it.dependency(), BreakerBody::of(&it.snapshot())))
                .collect(),
            caches: self
                .caches
                .iter()
                .map(|cache| (cache.kind(), CacheBody::of(cache.as_ref())))
                .collect(),
            bulkheads: self.bulkheads.iter().map(|it| (it.dependency(), it.refused())).collect(),
            retries: self.retry.as_ref().map(|retry| retry.retried()),
            overload: self.overload.as_ref().map(|overload| overload.counts().into()),
        }
    }
}

impl CacheBody {
    fn of(cache: &dyn AnyCache) -> Self {
        let counts = cache.counts();
        Self {
            hit_ratio: counts.hit_ratio(),
            bytes: cache.local_bytes(),
            counts: counts
                .named()
                .into_iter()
                .map(|(name, count)| (camel_case(name), count))
                .collect(),
        }
    }
}

/// Converts a name to the case of all JSON bodies.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (initial, rest) = word.split_at(word.len().min(1));
        name + &initial.to_ascii_uppercase() + rest
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn counter_names_are_converted_to_camel_case() {
        assert_eq!(super::camel_case("unusable_corrupt"), "unusableCorrupt");
        assert_eq!(super::camel_case("hits"), "hits");
    }
}
