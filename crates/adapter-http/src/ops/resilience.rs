//! `/protection`: the state of the resilience layers.

use std::collections::BTreeMap;

use decorators::breaker::Snapshot;
use decorators::cache::AnyCache;
use decorators::registry::Registry;
use serde::Serialize;
use utoipa::ToSchema;

use crate::overload::{LimiterCounts, LoadShedder, OverloadCounts};

/// The state and the counters of every resilience layer, since the start of the process.
#[derive(Serialize, ToSchema)]
#[schema(as = Resilience)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResilienceBody {
    /// By dependency.
    breakers: BTreeMap<&'static str, BreakerBody>,
    /// By kind of cached value.
    caches: BTreeMap<&'static str, CacheBody>,
    /// Calls refused, by bulkhead.
    bulkheads: BTreeMap<&'static str, u64>,
    /// Calls that were retried; null if nothing is retried.
    #[schema(required = true)]
    retries: Option<u64>,
    overload: OverloadBody,
}

/// The limits of the public routes.
#[derive(Serialize, ToSchema)]
#[schema(as = Overload)]
#[serde(rename_all = "camelCase")]
struct OverloadBody {
    joining: LimiterBody,
    asking: LimiterBody,
    reading: LimiterBody,
    per_user_refused: u64,
    per_address_refused: u64,
    joining_per_address_refused: u64,
    polling_refused: u64,
}

/// A limit on requests in flight. The first three count requests since the start.
#[derive(Serialize, ToSchema)]
#[schema(as = Limiter)]
#[serde(rename_all = "camelCase")]
struct LimiterBody {
    passed: u64,
    waited: u64,
    refused: u64,
    at_work: u64,
    waiting: u64,
}

impl From<LimiterCounts> for LimiterBody {
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

/// A circuit breaker. Calls are counted since the start of the process.
#[derive(Serialize, ToSchema)]
#[schema(as = Breaker)]
#[serde(rename_all = "camelCase")]
struct BreakerBody {
    /// `closed`, `open` or `half_open`; `disabled`, `forced_open` or `metrics_only` if set so.
    state: &'static str,
    /// In percent of the calls in the window; null while there are too few.
    #[schema(required = true)]
    failure_rate: Option<f64>,
    /// In percent of the calls in the window; null while there are too few.
    #[schema(required = true)]
    slow_call_rate: Option<f64>,
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

/// A cache. Its other fields count requests by how they were answered.
#[derive(Serialize, ToSchema)]
#[schema(as = Cache)]
#[serde(rename_all = "camelCase")]
struct CacheBody {
    /// The share of requests answered at once by this process; null before the first.
    #[schema(required = true)]
    hit_ratio: Option<f64>,
    /// The size of its values in the memory of this process.
    bytes: u64,
    #[serde(flatten)]
    counts: BTreeMap<String, u64>,
}

/// The state of every breaker, by name.
pub(super) fn breaker_states(layers: &Registry) -> BTreeMap<&'static str, &'static str> {
    let state = |name, snapshot: Snapshot| (name, snapshot.state.as_str());
    layers.breakers().iter().map(|it| state(it.dependency().as_str(), it.snapshot())).collect()
}

impl ResilienceBody {
    pub(crate) fn of(layers: &Registry, overload: &LoadShedder) -> Self {
        Self {
            breakers: layers
                .breakers()
                .iter()
                .map(|it| (it.dependency().as_str(), BreakerBody::of(&it.snapshot())))
                .collect(),
            caches: layers
                .caches()
                .iter()
                .map(|cache| (cache.kind(), CacheBody::of(cache.as_ref())))
                .collect(),
            bulkheads: layers
                .bulkheads()
                .iter()
                .map(|it| (it.dependency().as_str(), it.refused()))
                .collect(),
            retries: layers.retry().map(|retry| retry.retried()),
            overload: overload.counts().into(),
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
