//! The counters of a cache.

use super::store::Unusable;
use crate::counter::Counter;

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Counters of one kind, from the start of the process; each only grows.
        #[derive(Debug, Default)]
        pub(super) struct Counters { $(pub(super) $name: Counter),* }

        /// A snapshot of the counters of one kind.
        #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
        pub struct CacheCounts { $($(#[$doc])* pub $name: u64),* }

        impl Counters {
            pub(super) fn read(&self) -> CacheCounts {
                CacheCounts { $($name: self.$name.get()),* }
            }
        }

        impl CacheCounts {
            /// Every counter with its name.
            #[must_use]
            pub fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name)),*]
            }
        }
    };
}

counts! {
    /// Answered without waiting by this process, fresh.
    hits,
    /// Answered without waiting by this process, expired, while a refresh ran.
    stale,
    /// Answered without waiting by this process although refreshing failed; marked stale.
    old,
    /// Of all answers: absences.
    absent,
    /// Not answered without waiting.
    misses,
    /// Of the misses: answered with a stale copy after waiting; marked stale.
    fell_back,
    /// Of the misses: joined a fetch in flight.
    joined,
    /// Lookups answered by a copy of the second level.
    shared_hits,
    /// Waits for another node's load.
    lease_waits,
    /// Loads from the source.
    loads,
    /// Loads that failed.
    load_failures,
    /// Failed calls to the second level.
    shared_errors,
    /// Copies of the second level in the format of another version.
    unusable_version,
    /// Copies of the second level that exceed the accepted size.
    unusable_size,
    /// Copies of the second level that are corrupt.
    unusable_corrupt,
    /// Copies of the second level from another deployment, or signed with another key.
    unusable_foreign,
    /// Copies not kept because a newer one was there.
    outrun,
}

impl CacheCounts {
    /// The share of requests that this process answered without waiting and without an error
    /// fallback; `None` before the first request.
    #[must_use]
    pub fn hit_ratio(&self) -> Option<f64> {
        let at_once = self.hits + self.stale;
        let all = at_once + self.misses + self.old;
        (all > 0).then(|| at_once as f64 / all as f64)
    }
}

impl Counters {
    pub(super) fn unusable(&self, why: Unusable) {
        match why {
            Unusable::Version => self.unusable_version.add_one(),
            Unusable::TooLarge => self.unusable_size.add_one(),
            Unusable::Corrupt => self.unusable_corrupt.add_one(),
            Unusable::Foreign => self.unusable_foreign.add_one(),
        }
    }
}
