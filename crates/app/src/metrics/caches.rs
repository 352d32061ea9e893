//! The caches, by level.

use std::sync::Arc;

use decorators::cache::{AnyCache, CacheCounts};
use telemetry::metrics::catalog::caches;
use telemetry::metrics::{Meters, Metric};

/// One series of a cache: its metric, its labels after the cache's name, and its value.
type Number = (&'static Metric, &'static [&'static str], fn(&CacheCounts) -> u64);

const NUMBERS: &[Number] = &[
    (&caches::REQUESTS, &["local", "hit"], |counts| counts.hits),
    (&caches::REQUESTS, &["local", "stale"], |counts| counts.stale),
    (&caches::REQUESTS, &["local", "old"], |counts| counts.old),
    (&caches::REQUESTS, &["local", "miss"], |counts| counts.misses),
    (&caches::REQUESTS, &["shared", "hit"], |counts| counts.shared_hits),
    (&caches::ABSENT, &[], |counts| counts.absent),
    (&caches::FELL_BACK, &[], |counts| counts.fell_back),
    (&caches::WAITS, &["flight"], |counts| counts.joined),
    (&caches::WAITS, &["lease"], |counts| counts.lease_waits),
    (&caches::LOADS, &["loaded"], |counts| counts.loads.saturating_sub(counts.load_failures)),
    (&caches::LOADS, &["failed"], |counts| counts.load_failures),
    (&caches::SHARED_ERRORS, &[], |counts| counts.shared_errors),
    (&caches::UNUSABLE, &["version"], |counts| counts.unusable_version),
    (&caches::UNUSABLE, &["size"], |counts| counts.unusable_size),
    (&caches::UNUSABLE, &["corrupt"], |counts| counts.unusable_corrupt),
    (&caches::UNUSABLE, &["foreign"], |counts| counts.unusable_foreign),
    (&caches::OUTRUN, &[], |counts| counts.outrun),
];

/// Registers the metrics of every cache.
pub(crate) fn watch(meters: &Meters, all: &[Arc<dyn AnyCache>]) {
    let metrics = [
        &caches::REQUESTS,
        &caches::ABSENT,
        &caches::FELL_BACK,
        &caches::WAITS,
        &caches::LOADS,
        &caches::SHARED_ERRORS,
        &caches::UNUSABLE,
        &caches::OUTRUN,
    ];
    for metric in metrics {
        let all = all.to_vec();
        let numbers =
            NUMBERS.iter().filter(|(of, ..)| std::ptr::eq(*of, metric)).collect::<Vec<_>>();
        meters.watch(metric, move |reported| {
            for cache in &all {
                let counts = cache.counts();
                for (_, labels, number) in &numbers {
                    reported.is(&[&[cache.kind()], *labels].concat(), number(&counts) as f64);
                }
            }
        });
    }
    let all = all.to_vec();
    meters.watch(&caches::SIZE, move |reported| {
        for cache in &all {
            reported.is(&[cache.kind()], cache.local_bytes() as f64);
        }
    });
}
