//! What a cache has done so far.

use super::store::Unusable;
use crate::counter::Counter;

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Counters of one kind, from the start of the process; each only grows.
        #[derive(Debug, Default)]
        pub(super) struct Counters { $(pub(super) $name: Counter),* }

        /// What the counters of one kind stood at.
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
    /// Answered at once by this process, fresh.
    hits,
    /// Answered at once by this process, past its end, while a refresh ran.
    stale,
    /// Answered at once by this process although it could not be refreshed; marked.
    old,
    /// Of all answers: that there is no such thing.
    absent,
    /// Not answered at once.
    misses,
    /// Of the misses: answered in the end by what was there before; marked.
    fell_back,
    /// Of the misses: waited for a look or load that was under way.
    joined,
    /// Looks answered by a fresh copy of the second level.
    shared_hits,
    /// Waits for what another node was loading.
    lease_waits,
    /// Loads from the source.
    loads,
    /// Loads that failed.
    load_failures,
    /// Questions to the second level without an answer.
    shared_errors,
    /// Copies of the second level in a form of another version.
    unusable_version,
    /// Copies of the second level longer than accepted.
    unusable_size,
    /// Copies of the second level that are not what was put.
    unusable_corrupt,
    /// Copies of the second level that another deployment put, or that were signed with another key.
    unusable_foreign,
    /// Copies not kept because a newer one was there.
    outrun,
}

impl CacheCounts {
    /// Of all that was asked for, the share that was answered at once by this process; `None` before anything was.
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
